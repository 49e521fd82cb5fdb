# SPDX-License-Identifier: GPL-2.0-only
"""What mappings take of the kernel's memory, I/O page tables apart, and what is left of it after unmap.

Objects of slab caches are counted with their size, so the kernel is ours with CONFIG_SLUB_DEBUG, which has
/proc/slabinfo, and caches are not merged.
"""
from . import kernels as builds
from . import measure
from ..shell import say

SMALL = 16384                   # mappings of one page
RUNS = (256 << 20) // 4096      # in the mapping of fragmented memory
PER_MAPPING = 320               # bytes at most
PER_RUN = 8 * 1.02
PAGES, CHUNKS = 65536, 16384    # mappings that came and went, of one page and of 256 KiB
LEFT = 4                        # bytes of each: half of the smallest object that a leak can be


def state(values, step):
    """({cache: (size, objects)}, bytes of vmalloc and per-CPU memory, bytes of all slabs) at a step."""
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
    """({cache: bytes that it grew}, bytes in all, bytes that slabs grew) between two steps."""
    (old, old_other, old_slab), (new, new_other, new_slab) = state(values, before), state(values, after)
    grown = {name: size * (objects - old.get(name, (0, 0))[1]) for name, (size, objects) in new.items()}
    return grown, sum(grown.values()) + new_other - old_other, new_slab - old_slab


def main_caches(grown, per):
    shares = sorted(((size / per, name) for name, size in grown.items()), reverse=True)
    return ", ".join(f"{name} {share:.1f}" for share, name in shares if share >= 0.1)


def run(_):
    kernel = builds.ours("slabinfo")
    rows, limits = [["bytes, ours", "", "all", "slabs grew by", "of it, by cache"]], []
    for front in kernel.front_ends:
        values = measure.run(kernel, "footprint", "", measure.PARALLEL, [front], args="slab_nomerge")[front]
        for title, before, after, per, bound in [
                ("a mapping of one page, a domain attached", "before_small_attached", "small_attached", SMALL,
                 PER_MAPPING),
                ("a mapping of one page, no domain", "before_small_alone", "small_alone", SMALL, PER_MAPPING),
                ("a run of a fragmented mapping", "before_whole", "whole", RUNS, PER_RUN),
                ("left of a page that was unmapped", "before_pages", "after_pages", PAGES, LEFT),
                ("left of 256 KiB that was unmapped", "before_chunks", "after_chunks", CHUNKS, LEFT)]:
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
