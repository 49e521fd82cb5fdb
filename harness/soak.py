# SPDX-License-Identifier: GPL-2.0-only
"""make soak: what takes too long for make check."""
from . import check, inversion, kunit, mutants, selftest

SEEDS = 500     # about four minutes in a guest; a program has five

MINUTES = 30    # of threads against each other

STRESS = "STRESS_SECONDS=240 STRESS_SEED=2"     # likewise five minutes

STAGES = [
    ("the lock inversion of stock type1", inversion.inversion),
    ("unmaps that race", lambda: inversion.ours(2000)),
    ("mutants of the engine", lambda: mutants.stage("engine")),
    ("mutants of /dev/iommu", lambda: mutants.stage("iommufd")),
    ("mutants of type1", lambda: mutants.stage("type1")),
    ("random operations from another seed", lambda: kunit.uml(ops=kunit.OPERATIONS, seed=1)),
    ("everything against everything", lambda: kunit.debug(60 * MINUTES)),
    ("all calls of /dev/iommu at once", lambda: selftest.selftests(only="iommufd/ioctl_stress", variables=STRESS)),
    ("detach, unset and close against what is in use", lambda: selftest.selftests(
        only="iommufd/hwpt_race,vfio/container_race,vfio/mdev_race", variables="STRESS_SECONDS=80")),
    ("stock type1 against itself", lambda: check.type1(itself=True)),
    ("differential with more seeds", lambda: check.type1(SEEDS)),
]


def main():
    return check.run_all(STAGES)
