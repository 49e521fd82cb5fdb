# SPDX-License-Identifier: GPL-2.0-only
"""Run the kselftests of iommufd of Linux 6.12, unmodified, in the debug kernel.

They use the mock devices of CONFIG_IOMMUFD_TEST. NOT_APPLICABLE lists the tests of features that are not part of the
series, DIFFERENT those that fail for a reason which Documentation/userspace-api/iommufd.rst gives.
"""
import re
from pathlib import Path

from . import guest, kernel, newer, packages, selftest
from .paths import BUILD, HARNESS
from .shell import say

TARBALL = Path("/usr/src/linux-source-6.12.tar.xz")
FOLDER = BUILD / "newer-iommufd"
HEADERS = ["include/uapi/linux/iommufd.h", "drivers/iommu/iommufd/iommufd_test.h"]
PARTS = ["Makefile", "arch/x86", HEADERS[1], "include", "scripts", "tools", "usr"]
LEAST = 140     # number of tests that must pass
# Tests that make each allocation fail in turn, and that fail if there are 400 allocations or more. They pin 512 pages,
# and kmemleak doubles the number of allocations, so they run with kmemleak off.
MANY = ["access_pin", "access_pin_domain"]
# {name that the tests use, but the headers may lack: definition}. Stable releases of 6.12 changed the tests, but not
# the headers.
NAMES = {
    "IOMMU_HW_INFO_TYPE_DEFAULT": "0",
    "IOMMU_HW_INFO_FLAG_INPUT_TYPE": "1",
    "in_data_type": "out_data_type",
    "MOCK_FLAGS_DEVICE_PASID": "4",
    "MOCK_PASID_WIDTH": "20",
}

# {pattern of the name of a test: the feature that it needs, and a text that each of its failed assertions contains}
NOT_APPLICABLE = {
    r"iommufd_dirty_tracking\.": ("dirty tracking by the IOMMU", "DIRTY_TRACKING"),
    r"mock_domain.*\.alloc_hwpt_nested$": ("nested page tables", "IOMMU_HWPT_ALLOC_NEST_PARENT"),
    r"iommufd_mock_domain\..*\.alloc_hwpt$": ("nested page tables", "IOMMU_HWPT_ALLOC_NEST_PARENT"),
    r"iommufd\.cmd_length$": ("IOMMU_HWPT_INVALIDATE", "errno (25)"),      # ENOTTY
    r"iommufd_ioas\.mock_domain\.get_hw_info$": ("PASIDs", "max_pasid"),
}
# {pattern of the name of a test: how the behaviour differs}
DIFFERENT = {
    r"Ver1v2\.huge_map$": "an UNMAP that cuts a mapping fails with EINVAL, as with type1",
    r"Ver1v0\.option_huge_pages$": "version 1 keeps large I/O pages, since UNMAP does not cut mappings",
}


def source():
    """Unpack the needed parts of Linux 6.12; return their folder."""
    done = FOLDER / "linux"
    if not done.exists():
        newer.unpack(TARBALL, PARTS, done)
    return done


def build():
    """Build the tests; return the folder of the programs."""
    tree = source()
    known = "".join((tree / header).read_text() for header in HEADERS)
    return newer.build(tree, "iommu", [f"-D{name}={text}" for name, text in NAMES.items() if name not in known])


def assertions(lines):
    """Return {name of a test: texts of its failed assertions}."""
    found, name = {}, ""
    for line in lines:
        run, failed = guest.Place.RUN.match(line), re.match(r"# \S+\.c:\d+:\w+:(Expected .*)", line)
        if run:
            name = run.group(1)
        elif failed:
            found.setdefault(name, []).append(failed.group(1))
    return found


def boot(name, runs, args=""):
    """Run programs [(name, arguments)] in a guest; return its outcome and the results of the programs."""
    programs = build()
    script = (f". {HARNESS}/guest/tests.sh\nexport TEST_SECONDS=1500\necho 80 >/proc/sys/vm/nr_hugepages\n"
              + "".join(f"run_test {program} {programs} {program} {arguments}\n" for program, arguments in runs))
    outcome = guest.boot(guest.Guest(name, kernel.bzimage(kernel.build("debug")), memory="3G", silence=300,
                                     timeout=3600, args=args), script)
    return outcome, selftest.judge(outcome.lines, complete=False)


def leave_out(seen, failed):
    """Move tests that are not applicable from the failed ones to the skipped ones; return the patterns that occurred.

    `failed` is the result of assertions(). A test in which another assertion fails as well remains failed.
    """
    occurred = set()
    for case in list(seen.failed):
        texts = failed.get(case.rpartition(": ")[2], [])
        for pattern, (feature, text) in NOT_APPLICABLE.items():
            if re.search(pattern, case) and texts and all(text in other for other in texts):
                seen.failed.remove(case)
                seen.skipped.append(f"{case} needs {feature}")
                occurred.add(pattern)
                break
    return occurred


def iommufd():
    """Run the tests of iommufd under our debug kernel; return the results."""
    packages.need([*packages.KERNEL, *packages.GUEST, *packages.PEER])
    first, seen = boot("newer-iommufd", [("iommufd", ""), ("iommufd_fail_nth", f"-T {' -T '.join(MANY)}")])
    second, more = boot("newer-iommufd-many", [("iommufd_fail_nth", f"-t {' -t '.join(MANY)}")], "kmemleak=off")
    seen.add(more)
    occurred = leave_out(seen, assertions(first.lines))
    say(f"iommufd of Linux 6.12: {len(seen.passed)} passed, {len(seen.failed)} failed, "
        f"{len(seen.skipped)} not applicable")
    results = newer.differing(seen, DIFFERENT)
    for pattern, (feature, _) in NOT_APPLICABLE.items():
        results.check(f"a test needs {feature} ({pattern})", pattern in occurred)
    results.check(f"at least {LEAST} tests pass", len(seen.passed) >= LEAST)
    for outcome in (first, second):
        results.add(outcome.failures(allowed=["hugetlb-split"]))
    return results
