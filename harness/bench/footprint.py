# SPDX-License-Identifier: GPL-2.0-only
"""Measure kernel memory per mapping, without I/O page tables, and memory that is not freed by unmap.

The memory is the size of all slab objects, plus vmalloc and per-CPU memory. The kernel is ours with CONFIG_SLUB_DEBUG,
which provides /proc/slabinfo. It is booted with slab_nomerge, so that each cache is counted under its own name.
"""
from . import kernels as builds
from . import measure
from ..shell import say

SMALL = 16384                   # mappings of one page
RUNS = (256 << 20) // 4096      # runs in the mapping of fragmented memory: one per page
PER_MAPPING = 330               # limit in bytes
PER_RUN = 8 * 1.02              # limit in bytes
PAGES, CHUNKS = 65536, 16384    # numbers of mappings of one page and of 256 KiB that are made and removed
LEFT = 4                        # limit in bytes per removed mapping: half of the smallest slab object


def state(values, step):
    """Return ({cache: (size, objects)}, bytes of vmalloc and per-CPU memory, bytes of all slabs) at a step."""
    caches, other, slab = {}, 0, 0
    for name, (value, *_) in values.items():
        at, kind, *cache = name.split(":", 3)
        if at != step:
            continue
        if cache:
            caches[cache[1]] = (int(cache[0]), value)
        elif kind == "Slab":
            slab = value
        else:
            other += value
    return caches, other, slab


def growth(values, before, after):
    """Return the growth between two steps as ({cache: bytes}, bytes of caches and other memory, bytes of all slabs)."""
    (old, old_other, old_slab), (new, new_other, new_slab) = state(values, before), state(values, after)
    grown = {name: size * (objects - old.get(name, (0, 0))[1]) for name, (size, objects) in new.items()}
    return grown, sum(grown.values()) + new_other - old_other, new_slab - old_slab


def main_caches(grown, per):
    shares = sorted(((size / per, name) for name, size in grown.items()), reverse=True)
    return ", ".join(f"{name} {share:.1f}" for share, name in shares if share >= 0.1)


def run(_):
    kernel = builds.ours("slabinfo")
    rows, limits = [["bytes, ours", "", "total", "slabs grew by", "largest caches"]], []
    for front in kernel.front_ends:
        values = measure.run(kernel, "footprint", "", measure.PARALLEL, [front], args="slab_nomerge")[front]
        for title, before, after, per, bound in [
                ("a mapping of one page, a domain attached", "before_small_attached", "small_attached", SMALL,
                 PER_MAPPING),
                ("a mapping of one page, no domain", "before_small_alone", "small_alone", SMALL, PER_MAPPING),
                ("a run of a fragmented mapping", "before_whole", "whole", RUNS, PER_RUN),
                ("not freed per mapping of one page", "before_pages", "after_pages", PAGES, LEFT),
                ("not freed per mapping of 256 KiB", "before_chunks", "after_chunks", CHUNKS, LEFT)]:
            if f"{after}:Slab" not in values:
                continue
            grown, total, slabs = growth(values, before, after)
            rows.append([front, title, f"{total / per:.2f}", f"{slabs / per:.2f}", main_caches(grown, per)])
            if front == "iommufd":
                limits.append(measure.Limit(f"memory: {title}", total / per, bound))
    say("")
    for line in measure.show(rows):
        say(line)
    return limits
