# SPDX-License-Identifier: GPL-2.0-only
"""Measure the instructions needed to map and unmap 256 MiB with each front end of each kernel, for the main table."""
from statistics import median

from . import measure, svg
from ..paths import BUILD
from ..shell import say

REPEATS = 3

# {name: (title, divisor, limit of our iommufd relative to the best peer)}. A peer is a front end of another kernel.
ROWS = {
    "map_fragmented": ("map fragmented, thousands", 1000, 1.05),
    "unmap_fragmented": ("unmap fragmented, thousands", 1000, 0.6),
    "map_thp": ("map THP, thousands", 1000, 1.05),
    "unmap_thp": ("unmap THP, thousands", 1000, 0.6),
    "map_small": ("small map, per call", 1, 1.05),
    "unmap_small": ("small unmap, per call", 1, 1.05),
}
# Limit of our type1 relative to the best peer.
TYPE1 = 1.05
OURS = "iommufd, ours"
OURS_TYPE1 = "type1, ours"


def number(value, divisor=1):
    return f"{value / divisor:,.0f}".replace(",", " ")


def measured(kernels):
    """Return {column: {row: median}} and the largest relative spread between repetitions."""
    columns, spread = {}, 0.0
    for kernel in kernels:
        for front, values in measure.run(kernel, "table", str(REPEATS)).items():
            columns[f"{front}, {kernel.name}"] = {row: median(values[row]) for row in ROWS}
            # The first repetition also fills caches and page tables, so the spread excludes it.
            spread = max(spread, *(max(values[row][1:]) / min(values[row][1:]) - 1 for row in ROWS))
    return columns, spread


def run(kernels):
    columns, spread = measured(kernels)
    peers = [name for name in columns if name not in (OURS, OURS_TYPE1)]
    rows = [["instructions", *columns, *2 * ["ours / best", "limit", ""]]]
    limits = []
    for row, (title, divisor, bound) in ROWS.items():
        best = min(columns[peer][row] for peer in peers)
        both = [measure.Limit(f"{title.split(',')[0]}, {name} to the best peer", columns[name][row] / best, most)
                for name, most in ((OURS, bound), (OURS_TYPE1, TYPE1))]
        limits += both
        verdicts = [text for limit in both for text in (f"{limit.value:.2f}", f"{limit.bound:g}",
                                                        "pass" if limit.holds else "FAIL")]
        rows.append([title, *(number(column[row], divisor) for column in columns.values()), *verdicts])
    say("\n256 MiB, one vCPU, medians; a small call is one page of 16384")
    for line in measure.show(rows):
        say(line)
    say(f"repetitions after the first differ by at most {100 * spread:.1f} %")
    plot = BUILD / "bench.svg"
    plot.write_text(svg.bars("Instructions to map and unmap 256 MiB", list(columns),
                             [(title, [(column[row], number(column[row], divisor)) for column in columns.values()])
                              for row, (title, divisor, _) in ROWS.items()]))
    say(f"plot: {plot}")
    return limits
