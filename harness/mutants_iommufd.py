# SPDX-License-Identifier: GPL-2.0-only
"""Test mutants of /dev/iommu: its selftests or those of vfio devices must fail with each mutant in the debug kernel.

One kernel contains all mutants (see mutate.py). Each mutant is tested in a guest of its own. The programs run until one
of them fails, hangs or leaves a page pinned, or until the kernel panics at the first warning or KASAN report.
"""
from . import guest, kernel, machine, mutate, packages, selftest, series
from .mutate import Verdict
from .paths import BUILD, HARNESS
from .shell import Failure, must, say

OUT = BUILD / "mutants-iommufd"
DEFINED_IN = "main.c"
# Fast programs come first. Stress tests and most races are left out: they are slow and catch no additional mutants.
PROGRAMS = ["iommufd/command_format", "iommufd/ioctl_errno", "iommufd/device_info", "iommufd/hwpt_alloc",
            "iommufd/ioas_copy", "iommufd/ioas_allow", "iommufd/options", "iommufd/iova_ranges", "iommufd/ioas_map",
            "iommufd/object_bugs", "iommufd/locked_memory", "vfio/iommufd_container", "vfio/vfio_cdev",
            "iommufd/replace", "vfio/mdev_iommufd", "iommufd/allocation_failure", "iommufd/ioas_dma",
            "iommufd/hwpt_race", "iommufd/replace_race", "vfio/mdev_race"]
# {start of a mutant's name: program that runs first}
FIRST = {"access_move_": "vfio/mdev_iommufd", "container_": "vfio/iommufd_container", "move_": "iommufd/replace"}
PANIC = "panic_on_warn=1 kasan.fault=panic"
# Shell lines that run the programs until one fails or leaves pages pinned. Status 4 means that all cases were skipped.
# After a failure, leaks no longer matter, so kmemleak is disabled to save the time of its scans.
UNTIL = """
for program in {programs}; do
	run_test $program {folders}/${{program%/*}}-installed ${{program#*/}}
	if [ $status != 0 ] && [ $status != 4 ] || [ "$before" != "$after" ]; then
		echo off >/sys/kernel/debug/kmemleak
		break
	fi
done
"""


def build():
    """Build the kernel with all mutants, and the programs; return the path of the bzImage."""
    packages.need(packages.KERNEL)
    series.apply()
    kernel.ensure_config(OUT, kernel.fragments(*kernel.FRAGMENTS["debug"]))
    mutate.write_sources("iommufd", OUT, DEFINED_IN)
    must("build the kernel with mutants", kernel.make(OUT, "KCFLAGS=-w", "bzImage", "modules"), "mutants-iommufd.build",
         env=kernel.environment())
    selftest.build_programs(machine.PC, kernel.headers(OUT))
    return kernel.bzimage(OUT)


def ordered(mutant):
    """Return PROGRAMS in the order in which they run for a mutant."""
    first = [program for start, program in FIRST.items() if mutant.name.startswith(start)]
    return first + [program for program in PROGRAMS if program not in first]


def boot(image, number, programs):
    """Run programs with a mutant, given by its number, or with none if that is 0.

    Return the first failure or None.
    """
    machine = guest.Guest(f"mutants-iommufd-{number}", image, devices=guest.EDU,
                          args=f"{mutate.PARAMETER}={number} {PANIC}", silence=400, restarts=0)
    for _ in range(3):
        outcome = guest.boot(machine, f". {HARNESS}/guest/tests.sh\n" + kernel.insmod_mdevs(OUT) +
                             UNTIL.format(programs=" ".join(programs), folders=selftest.folder(machine.PC)))
        # No mutant is exercised before the first program starts. If no program started, the emulator hung during boot:
        # try again.
        if any(guest.BEGIN.match(line) for line in outcome.lines):
            break
    else:
        raise Failure(f"the guest started no program of /dev/iommu: {outcome.reason}")
    if outcome.status is None:
        return outcome.reason.splitlines()[0]
    results = selftest.judge(outcome.lines, False)
    results.add(outcome.failures(["dma-fault"]))
    return results.failed[0] if results.failed else None


def run(todo):
    """Test the mutants; yield each verdict as soon as it is known."""
    image = build()
    mutate.require_clean("/dev/iommu", boot(image, 0, PROGRAMS))
    say("/dev/iommu without a mutant: no failure")

    def judge(mutant):
        wrong = boot(image, mutant.number, ordered(mutant))
        return Verdict(mutant, bool(wrong), wrong or "nothing")

    yield from mutate.judged(judge, todo, kernel.jobs())
