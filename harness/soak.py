# SPDX-License-Identifier: GPL-2.0-only
"""make soak: run the campaigns that take too long for make check."""
from . import (check, configs, deb_test, differential, guest, inversion, iommus, kcsan, kunit, mutants, qemu10, run,
               selftest)
from .results import Results

SEEDS = 500     # random sequences, which take about four minutes; contract.record() stops a program after ten

MINUTES = 30    # for the KUnit suite iopt-stress

RACE = 600      # seconds for each concurrent program, with threads delayed after unlocks

# Environment for long runs: more rounds of migration, more mappings, and a matching timeout.
LONG = "STRESS_SECONDS=60 MANY_MAPPINGS=4000000 TEST_SECONDS=3600"

WIDE = {"iommu": guest.WIDE, "memory": "3G"}


def everything(cpus):
    return kunit.debug(60 * MINUTES, cpus)


def races(cpus):
    results = Results()
    for _, programs in selftest.races(RACE, widened=True, cpus=cpus):
        results.add(programs)
    return results


def many():
    # Use a kernel that reports soft lockups. make check uses the release kernel, which saves building another one.
    return selftest.selftests(wanted="*/many_*", variables=LONG, kernels={"many": "bounded"}, args="preempt=none",
                              timeout=4 * 3600)


def movable(kernel, more=""):
    return selftest.selftests(wanted="*/movable_*", variables=f"{LONG} {more}", kernels={"movable": kernel},
                              timeout=4 * 3600)


def arm(kernel):
    """Run the KUnit suites and the selftests under the named arm64 kernel, or if it is too slow, the release kernel."""
    results = kunit.debug(60, name=kernel)
    results.add(selftest.selftests(kernels={"others": kernel, "races": kernel}, **iommus.arguments("smmuv3")))
    return results


STAGES = [
    ("the lock inversion of stock type1", inversion.inversion),
    ("racing unmaps", lambda: inversion.ours(2000)),
    ("mutants of the engine", lambda: mutants.run("engine")),
    ("mutants of /dev/iommu", lambda: mutants.run("iommufd")),
    ("mutants of type1", lambda: mutants.run("type1")),
    ("random operations from another seed", lambda: kunit.uml(ops=kunit.OPERATIONS, seed=1)),
    ("KUnit, concurrent cases for long, two processors", lambda: everything(2)),
    ("KUnit, concurrent cases for long, four processors", lambda: everything(4)),
    ("concurrent selftests, two processors", lambda: races(2)),
    ("concurrent selftests, four processors", lambda: races(4)),
    ("four million mappings", many),
    ("many rounds of migration", lambda: movable("release")),
    ("many rounds of migration in the debug kernel", lambda: movable("debug", "UNTIMED=1")),
    ("data races", lambda: kcsan.kcsan(300)),
    ("data races, four processors", lambda: kcsan.kcsan(300, cpus=4)),
    ("selftests with 48 bits of IOVA", lambda: selftest.selftests(**WIDE)),
    ("selftests under QEMU 10", lambda: selftest.selftests(qemu=qemu10.installed())),
    ("selftests with 48 bits of IOVA under QEMU 10", lambda: selftest.selftests(qemu=qemu10.installed(), **WIDE)),
    ("sample with AMD-Vi of QEMU 10", lambda: run.sample(kind="amd", qemu=qemu10.installed())),
    ("selftests with AMD-Vi of QEMU 10",
     lambda: selftest.selftests(qemu=qemu10.installed(), **iommus.arguments("amd"))),
    ("selftests with a virtio-iommu", lambda: selftest.selftests(**iommus.arguments("virtio"))),
    ("KUnit and selftests on arm64", lambda: arm("arm64-debug")),
    ("KUnit and selftests on arm64, pages of 16 KiB", lambda: arm("arm64-16k")),
    ("KUnit and selftests on arm64, pages of 64 KiB", lambda: arm("arm64-64k")),
    *((f"differential with {name}", lambda kind=kind: differential.ours(kind=kind)) for kind, name in
      (("amd", "AMD-Vi"), ("virtio", "a virtio-iommu"), ("smmuv3", "SMMUv3"))),
    ("stock type1 against itself", differential.again),
    ("differential with more seeds", lambda: differential.differential(seeds=SEEDS)),
    ("packages in Debian 12", deb_test.tested),
    ("other architectures and random configurations", configs.configs),
]


def main():
    return check.run_all(STAGES)
