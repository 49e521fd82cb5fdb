# SPDX-License-Identifier: GPL-2.0-only
"""Run one scenario through one door, and print the results as TAP."""
import sys
import traceback

from ..results import Results
from .doors import DOORS
from .scenarios import SCENARIOS


def run(scenario, door):
    """Return the results of a scenario. An exception in it is a failure."""
    try:
        return SCENARIOS[scenario](DOORS[door])
    except Exception as error:
        traceback.print_exc()
        results = Results()
        results.fail(f"{type(error).__name__}: {error}")
        return results


def main(scenario, door):
    results = run(scenario, door)
    cases = [*(("ok", case) for case in results.passed), *(("not ok", case) for case in results.failed)]
    print(f"TAP version 13\n1..{len(cases)}")
    for number, (word, case) in enumerate(cases, 1):
        first, *more = case.splitlines()
        print("\n".join([f"{word} {number} {first}", *(f"# {line}" for line in more)]), flush=True)
    return bool(results.failed)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
