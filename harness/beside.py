# SPDX-License-Identifier: GPL-2.0-only
"""Run jobs in the background, in a separate process that is confined to one processor."""
import multiprocessing
import os
from contextlib import contextmanager

from .paths import LOG
from .shell import Failure, Progress


def _work(name, jobs, pipe):
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    with open(LOG / name, "w") as log:
        os.dup2(log.fileno(), 1)
    for job in jobs:
        pipe.send(job())


class Beside:
    """A background process that runs jobs one after the other, with their output in build/log/NAME."""

    def __init__(self, name, jobs):
        self.name = name
        self.pipe, end = multiprocessing.Pipe(duplex=False)
        # Fork, so that the jobs inherit the cached results of functions such as kernel.build().
        self.process = multiprocessing.get_context("fork").Process(target=_work, args=(name, jobs, end))
        self.process.start()
        end.close()

    def result(self):
        """Wait for the next job and return its result; raise Failure if the process died."""
        progress = Progress(f"wait for build/log/{self.name}")
        while not self.pipe.poll(0.5):
            progress.tick()
        try:
            return self.pipe.recv()
        except EOFError:
            raise Failure(f"a background job died, see {LOG / self.name}") from None

    def stop(self):
        self.process.terminate()    # SIGTERM raises an exception in the process, which then stops its children
        self.process.join()


@contextmanager
def started(name, jobs):
    """Context manager that starts the jobs and stops those still running at the end of the block."""
    LOG.mkdir(parents=True, exist_ok=True)
    running = Beside(name, jobs)
    try:
        yield running
    finally:
        running.stop()
