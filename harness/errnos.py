# SPDX-License-Identifier: GPL-2.0-only
"""Compare the errnos that the tests see with those that Documentation/userspace-api/iommufd.rst documents.

The tests print each errno that an ioctl returned as "# errno: NUMBER ERRNO", with the number of the ioctl (see
tools/testing/selftests/vfio/lib/record.c). Only tests that pass count. The section "Errors" of the document has a table
for each command, and one under the heading EVERY that applies to all commands of /dev/iommu. An errno that is missing
on either side is a failure.
"""
import errno
import re
from collections import defaultdict

from .paths import ROOT
from .results import Results
from .shell import say

DOCUMENT = ROOT / "Documentation/userspace-api/iommufd.rst"
LAYOUT = ROOT / "tools/testing/selftests/iommufd/layout.h"

TABLE = re.compile(r"^=+ =+\n(.*?)^=+ =+$", re.M | re.S)
EVERY = "Every command of /dev/iommu"
RUN = re.compile(r"^# +RUN +(\S+) \.\.\.")
SEEN = re.compile(r"^# errno: (0x[0-9a-f]+) (\d+)$")
RESULT = re.compile(r"^(not )?ok \d+ (?:- )?(\S+)")


def commands():
    """Return {number: name} of the ioctls of /dev/iommu and of those that attach a vfio device to it."""
    return {int(value, 16): name
            for name, value in re.findall(r"^NUMBER\((\w+), 0x3b([0-9a-f]{2})\)", LAYOUT.read_text(), re.M)}


def documented():
    """Return the set of (command, errno) in the tables of the document."""
    text = DOCUMENT.read_text()
    section = re.search(r"^Errors\n=+\n(.*?)^[^\n]+\n=+\n(?=\n)", text, re.M | re.S).group(1)
    parts = re.split(r"^([^\n]+)\n-+\n", section, flags=re.M)[1:]
    tables = {heading: set(re.findall(r"^(E[A-Z0-9]+) ", "".join(TABLE.findall(body)), re.M))
              for heading, body in zip(parts[::2], parts[1::2])}
    common = tables.pop(EVERY)
    return {(command, name) for command, names in tables.items()
            for name in (names | common if command.startswith("IOMMU_") else names)}


def hit(lines, program):
    """Return {(command, errno): [test]} of the lines that one program printed."""
    names, found, pending = commands(), defaultdict(list), defaultdict(set)
    test = None
    for line in lines:
        run, seen, result = RUN.match(line), SEEN.match(line), RESULT.match(line)
        if run:
            test = run.group(1)
        elif seen:
            name = errno.errorcode.get(int(seen.group(2)), seen.group(2)).replace("ENOTSUP", "EOPNOTSUPP")
            command = names.get(int(seen.group(1), 16))
            if command:
                pending[test].add((command, name))
        elif result and not result.group(1):
            for pair in pending.pop(result.group(2), ()):
                found[pair].append(f"{program}: {result.group(2)}")
    return found


def judge(found):
    """Print the table; return a case for each pair of command and errno that is documented or seen."""
    results, wanted = Results(), documented()
    missing = {name for name in commands().values()} - {command for command, _ in wanted}
    order = list(commands().values())
    say(f"{'command':30}{'errno':12}{'tests':>5}  first test")
    for command, name in sorted(wanted | set(found), key=lambda pair: (order.index(pair[0]), pair[1])):
        tests = found.get((command, name), [])
        say(f"{command:30}{name:12}{len(tests):5}  {tests[0] if tests else '-'}")
        if not tests:
            results.fail(f"errno: {command} {name} is documented, but no test sees it")
        elif (command, name) not in wanted:
            results.fail(f"errno: {command} {name} is seen by {tests[0]}, but not documented")
        else:
            results.passed.append(f"errno: {command} {name}")
    for command in sorted(missing):
        results.fail(f"errno: {command} has no table in the document")
    return results
