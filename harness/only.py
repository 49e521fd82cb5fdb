# SPDX-License-Identifier: GPL-2.0-only
"""Select programs, mutants or parts of a command by the comma-separated patterns of ONLY=."""
import difflib
import fnmatch
import os
import re
import textwrap

from .shell import Failure


def given():
    """Return the text of ONLY=, or an empty string to run everything."""
    return os.environ.get("ONLY", "")


def select(wanted, names, what, shown=None):
    """Return the names that match any of the patterns in `wanted`, or all names if it contains no pattern.

    Raise Failure if a pattern matches no name. The message lists `shown` as the choices or, if that is not given,
    `names`.
    """
    patterns = [pattern for pattern in re.split(r"[,\s]+", wanted) if pattern]
    if wanted and not patterns:
        raise Failure(f"ONLY={wanted} contains no name: leave ONLY= out to run everything")
    for pattern in patterns:
        if not fnmatch.filter(names, pattern):
            choices = textwrap.wrap("  ".join(shown or names), 100, break_long_words=False, break_on_hyphens=False)
            folder = pattern.rstrip("/") + "/"
            near = [f"'ONLY={folder}*'"] if any(name.startswith(folder) for name in names) else \
                difflib.get_close_matches(pattern, names, 1, 0.7)
            raise Failure("\n    ".join([f"ONLY={wanted}: no {what} is named '{pattern}'"
                                        f"{f'; did you mean {near[0]}?' if near else '.'} Choose from these, separated "
                                        "by commas; * stands for any text:", *choices]))
    return [name for name in names if not patterns or any(fnmatch.fnmatch(name, pattern) for pattern in patterns)]
