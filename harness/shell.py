# SPDX-License-Identifier: GPL-2.0-only
"""Run programs with their output in a log, and show the progress of long-running ones."""
import contextlib
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import time

from .paths import LOG


class Failure(Exception):
    """An error that its message explains; __main__ prints the message without a traceback."""


def say(text):
    print(text, flush=True)


def output(*argv, cwd=None, env=None, data=None, text=True):
    """Run a short command and return its output; raise Failure if it fails."""
    done = subprocess.run([str(a) for a in argv], cwd=cwd, env=env, input=data, text=text,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode:
        error = done.stderr if text else done.stderr.decode(errors="replace")
        raise Failure(f"{' '.join(str(a) for a in argv[:4])} ... failed:\n{error.strip()}")
    return done.stdout


class Progress:
    """Progress of a long operation: on a terminal, one line that is updated; otherwise, a line every 30 seconds."""

    def __init__(self, title):
        self.title = title
        self.start = time.monotonic()
        self.tty = sys.stdout.isatty()
        # Without a terminal, the first line appears after 5 seconds.
        self.shown = self.start if self.tty else self.start - 25
        if self.tty:
            self._show("")

    def elapsed(self):
        seconds = int(time.monotonic() - self.start)
        return f"{seconds // 60}:{seconds % 60:02}"

    def _show(self, note):
        text = f"{self.title}  {self.elapsed()}  {note}"
        if self.tty:
            width = shutil.get_terminal_size().columns - 1
            print("\r" + text[:width].ljust(width), end="", flush=True)
        else:
            say(text)

    def clear(self):
        """Clear the line on a terminal, so that other output can be printed there."""
        if self.tty:
            print("\r" + " " * (shutil.get_terminal_size().columns - 1) + "\r", end="", flush=True)

    def tick(self, note=""):
        now = time.monotonic()
        if now - self.shown >= (0.5 if self.tty else 30):
            self.shown = now
            self._show(note)

    def done(self, note=""):
        self.clear()
        say(f"{self.title}  {self.elapsed()}  {note}".rstrip())


def spawn(argv, stderr=subprocess.STDOUT, cwd=None, env=None):
    """Start a program in its own process group; read its output with lines_of() and end it with stop()."""
    return subprocess.Popen([str(a) for a in argv], cwd=cwd, env=env, stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=stderr, start_new_session=True)


GRACE = 5       # seconds from SIGTERM to SIGKILL


def stop(child, grace=GRACE):
    """End the process group of a program unless the program has exited; return its exit status.

    SIGTERM lets the program end the process groups that it has created itself. A nested harness needs more than GRACE
    seconds for that.
    """
    if child.poll() is None:
        try:
            os.killpg(child.pid, signal.SIGTERM)
            child.wait(timeout=grace)
        except subprocess.TimeoutExpired:
            pass
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
    return child.wait()


def lines_of(child):
    """Yield each line that a program prints until end of file, and None after each half second without output."""
    rest = b""
    while True:
        ready, _, _ = select.select([child.stdout], [], [], 0.5)
        if not ready:
            yield None
            continue
        data = os.read(child.stdout.fileno(), 65536)
        *whole, rest = (rest + data).split(b"\n")
        if not data and rest:
            whole, rest = [rest], b""
        for line in whole:
            yield line.decode(errors="replace").rstrip("\r")
        if not data:
            return


ERROR = re.compile(r"\berror:|ERROR:|undefined reference|No rule to make|\*\*\* |command not found|^E: ")

# {text in the output of a failed program: advice}
ADVICE = {
    "No space left on device": "Free some space; `make clean` removes all builds.",
    "Killed": "The system may be short of memory: close other programs and run the command again.",
}


def logged(title, argv, log, cwd=None, env=None, grace=GRACE):
    """Run a long command with its output in build/log/<log>; return its exit status and the path of the log."""
    LOG.mkdir(parents=True, exist_ok=True)
    path = LOG / log
    progress = Progress(title)
    with open(path, "w") as out:
        child = spawn(argv, cwd=cwd, env=env)
        count, last = 0, ""
        try:
            for line in lines_of(child):
                if line is not None:
                    out.write(line + "\n")
                    count, last = count + 1, line.strip()
                progress.tick(f"{count} lines  {last}" if count else "")
            status = child.wait()
        finally:
            stop(child, grace)
    progress.done("" if status == 0 else "failed")
    return status, path


def must(title, argv, log, cwd=None, env=None):
    """Run a long command like logged(); return the path of the log, or raise Failure with the errors in it."""
    status, path = logged(title, argv, log, cwd, env)
    if status:
        lines = path.read_text(errors="replace").splitlines()
        marked = [line for line in lines if ERROR.search(line)]
        advice = next((f"\n{text}" for sign, text in ADVICE.items() if any(sign in line for line in lines)), "")
        reason = [f"{title} failed. These lines of {path} say why:", *(marked or lines)[-15:]]
        raise Failure("\n    ".join(reason) + advice)
    return path
