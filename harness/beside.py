# SPDX-License-Identifier: GPL-2.0-only
"""Work in a process of its own, confined to one processor, while this process goes on."""
import multiprocessing
import os
from contextlib import contextmanager

from .paths import LOG
from .shell import Failure, Progress, say


def _work(name, jobs, pipe):
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    with open(LOG / name, "w") as log:
        os.dup2(log.fileno(), 1)
    for job in jobs:
        pipe.send(job())


class Beside:
    """Jobs that run one after the other, with their output in build/log/NAME."""

    def __init__(self, name, jobs):
        self.name = name
        self.pipe, end = multiprocessing.Pipe(duplex=False)
        # A fork, so that what this process has found out or built counts there too.
        self.process = multiprocessing.get_context("fork").Process(target=_work, args=(name, jobs, end))
        self.process.start()
        end.close()

    def result(self):
        """What the next job returns; a job that dies is a Failure."""
        progress = Progress(f"wait for build/log/{self.name}")
        while not self.pipe.poll(0.5):
            progress.tick()
        try:
            return self.pipe.recv()
        except EOFError:
            raise Failure(f"a job ended without a result, see {LOG / self.name}") from None

    def stop(self):
        self.process.terminate()    # which leaves by exception and stops what it started
        self.process.join()


@contextmanager
def started(name, jobs):
    """Start the jobs; none goes on when the block is left."""
    LOG.mkdir(parents=True, exist_ok=True)
    running = Beside(name, jobs)
    try:
        yield running
    finally:
        running.stop()
