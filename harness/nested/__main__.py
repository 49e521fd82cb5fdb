# SPDX-License-Identifier: GPL-2.0-only
"""Run one scenario through one door, and print the results as TAP."""
import sys
import traceback

from ..results import Results
from .cases import ALL
from .doors import DOORS


def run(scenario, door):
    """Return the results of a scenario. An exception in it is a failure."""
    try:
        return ALL[scenario](DOORS[door])
    except Exception as error:
        traceback.print_exc()
        results = Results()
        results.fail(f"{type(error).__name__}: {error}")
        return results


def tap(results):
    """Return the results as lines of TAP."""
    cases = [*(("ok", name, "") for name in results.passed), *(("not ok", name, "") for name in results.failed),
             *(("ok", name, " # SKIP") for name in results.skipped)]
    lines = [f"1..{len(cases)}"]
    for number, (word, name, directive) in enumerate(cases, 1):
        first, *more = name.splitlines()
        lines += [f"{word} {number} {first}{directive}", *(f"# {line}" for line in more)]
    return lines


def main(scenario, door):
    results = run(scenario, door)
    print("\n".join(tap(results)), flush=True)
    return bool(results.failed)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
