# SPDX-License-Identifier: GPL-2.0-only
"""make soak: what takes too long for make check."""
from . import check, inversion, mutants

SEEDS = 500     # about four minutes in a guest; a program has five

STAGES = [
    ("the lock inversion of stock type1", inversion.inversion),
    ("mutants of type1", mutants.stage),
    ("differential with more seeds", lambda: check.stock(SEEDS)),
]


def main():
    return check.run_all(STAGES)
