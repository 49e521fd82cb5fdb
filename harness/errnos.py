# SPDX-License-Identifier: GPL-2.0-only
"""Which errno of which command the tests hit, against what Documentation/userspace-api/iommufd.rst says.

The tests print an errno that a call gave as "# errno: NUMBER ERRNO" (tools/testing/selftests/vfio/lib/record.c); what a
test that passed printed counts. The tables below the document's "Errors" say which there are: a table below the name of
a command, and one below EVERY for all of /dev/iommu. Either may lack nothing that the other has.
"""
import errno
import re
from collections import defaultdict

from . import ktap
from .paths import ROOT
from .shell import say

DOCUMENT = ROOT / "Documentation/userspace-api/iommufd.rst"
LAYOUT = ROOT / "tools/testing/selftests/iommufd/layout.h"

EVERY = "Every command of /dev/iommu"
RUN = re.compile(r"^# +RUN +(\S+) \.\.\.")
SEEN = re.compile(r"^# errno: (0x[0-9a-f]+) (\d+)$")
RESULT = re.compile(r"^(not )?ok \d+ (?:- )?(\S+)")


def commands():
    """{number: name} of the ioctls of /dev/iommu and those that connect a device with it."""
    return {int(value, 16): name
            for name, value in re.findall(r"^NUMBER\((\w+), 0x3b([0-9a-f]{2})\)", LAYOUT.read_text(), re.M)}


def documented():
    """{(command, errno)}: the rows of the tables."""
    text = DOCUMENT.read_text()
    section = re.search(r"^Errors\n=+\n(.*?)^[^\n]+\n=+\n(?=\n)", text, re.M | re.S).group(1)
    parts = re.split(r"^([^\n]+)\n-+\n", section, flags=re.M)[1:]
    tables = {heading: set(re.findall(r"^(E[A-Z0-9]+) ", body, re.M))
              for heading, body in zip(parts[::2], parts[1::2])}
    common = tables.pop(EVERY)
    return {(command, name) for command, names in tables.items()
            for name in (names | common if command.startswith("IOMMU_") else names)}


def hit(lines, program):
    """{(command, errno): [test]} of what one program printed."""
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
    """Print the table; a case for each documented errno, and for each command that gave one that is not."""
    results, wanted = ktap.Results(), documented()
    missing = {name for name in commands().values()} - {command for command, _ in wanted}
    order = list(commands().values())
    say(f"{'command':30}{'errno':12}{'tests':>5}  the first one")
    for command, name in sorted(wanted | set(found), key=lambda pair: (order.index(pair[0]), pair[1])):
        tests = found.get((command, name), [])
        say(f"{command:30}{name:12}{len(tests):5}  {tests[0] if tests else '-'}")
        if not tests:
            results.failed.append(f"errno: {command} {name} is documented, and no test sees it")
        elif (command, name) not in wanted:
            results.failed.append(f"errno: {command} {name} is not documented, and {tests[0]} sees it")
        else:
            results.passed.append(f"errno: {command} {name}")
    results.failed += [f"errno: {command} has no table of errnos" for command in missing]
    return results
