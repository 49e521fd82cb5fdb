# SPDX-License-Identifier: GPL-2.0-only
"""Run jobs in the background, in a separate process that is confined to one processor."""
import multiprocessing
import os
import queue
from contextlib import contextmanager

from . import guest
from .paths import LOG
from .shell import Failure, Progress


def _work(name, jobs, results):
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    with open(LOG / name, "w") as log:
        os.dup2(log.fileno(), 1)
    for job in jobs:
        del guest.restarted[:]
        # Pass a copy of the list: the queue pickles it later, when the next job may have cleared the original.
        results.put((job(), list(guest.restarted)))


class Beside:
    """A background process that runs jobs one after the other, with their output in build/log/NAME."""

    def __init__(self, name, jobs):
        self.name = name
        # Fork, so that the jobs inherit the cached results of functions such as kernel.build().
        context = multiprocessing.get_context("fork")
        # With a pipe, a job with a long report would block until result() reads the report.
        self.queue = context.Queue()
        self.process = context.Process(target=_work, args=(name, jobs, self.queue))
        self.process.start()

    def result(self):
        """Wait for the next job and return its result; raise Failure if the process died.

        Guests that the job restarted are reported like those that this process restarted.
        """
        progress = Progress(f"wait for build/log/{self.name}")
        while True:
            alive = self.process.is_alive()
            try:
                result, restarted = self.queue.get(timeout=0.5)
                guest.restarted.extend(restarted)
                return result
            except queue.Empty:
                if not alive:
                    raise Failure(f"a background job died, see {LOG / self.name}") from None
            progress.tick()

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
