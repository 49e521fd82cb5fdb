# SPDX-License-Identifier: GPL-2.0-only
"""Parse the nested KTAP of KUnit and the TAP of kselftests."""
import re

from .results import Results

RESULT = re.compile(r"^( *)(ok|not ok) (\d+)(?: -)?(?: (.*?))?(?:\s*# *(SKIP|TODO)\b.*)?$", re.I)
PLAN = re.compile(r"^( *)1\.\.(\d+)")
SUBTEST = re.compile(r"^( *)# Subtest: (.*)")
STAMP = re.compile(r"^(?:<\d+>)?\[ *\d+\.\d+\](?:\[ *[TC]\d+\])? ?")


class _Level:
    """An unfinished nesting level of KTAP: name, number of planned cases, and number of results and failures so far."""

    def __init__(self, name=""):
        self.name, self.plan, self.seen, self.failed = name, None, 0, 0


def parse(lines):
    """Return the results of all cases that have no subtests. A planned case without a result is a failure.

    A case with subtests counts only if it failed although none of its subtests did.
    """
    results = Results()
    levels = {0: _Level()}

    def close(depth):
        for deeper in sorted((d for d in levels if d >= depth), reverse=True):
            level = levels.pop(deeper)
            if level.plan is not None and level.seen < level.plan:
                results.fail(f"{level.name or 'plan'}: {level.plan - level.seen} of {level.plan} did not run")

    for raw in lines:
        line = STAMP.sub("", raw.rstrip("\r\n"))
        subtest, plan, result = SUBTEST.match(line), PLAN.match(line), RESULT.match(line)
        if subtest:
            depth = len(subtest.group(1))
            close(depth)
            levels[depth] = _Level(subtest.group(2).strip())
        elif plan:
            depth = len(plan.group(1))
            levels.setdefault(depth, _Level()).plan = int(plan.group(2))
        elif result:
            depth = len(result.group(1))
            inner = [d for d in levels if d > depth]
            parent = any(levels[d].seen for d in inner)
            inner_failed = any(levels[d].failed for d in inner)
            close(depth + 1)
            level = levels.setdefault(depth, _Level())
            level.seen += 1
            ok = result.group(2) == "ok"
            level.failed += not ok
            name = f"{level.name}.{result.group(4) or result.group(3)}".lstrip(".")
            if (result.group(5) or "").upper() == "SKIP":
                results.skipped.append(name)
            elif not parent or (not ok and not inner_failed):
                results.check(name, ok)
    close(0)
    return results
