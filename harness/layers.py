# SPDX-License-Identifier: GPL-2.0-only
"""Check the layering: the engine must not use front ends or read I/O page tables; front ends must not pin or map."""
import re

from .paths import ROOT
from .results import Results

ENGINE_MAY_NOT = [
    ("reads an I/O page table", r"iova_to_phys"),
    ("includes a front end's header", r"#\s*include.*(vfio|iommufd)"),
    ("uses a term of a front end", r"(?i)\b(vfio|v1|v2|containers?|groups?)\b"),
]
FRONT_MAY_NOT = [
    ("pins user memory", r"\b(un)?pin_user_page\w*\s*\(|\bget_user_pages\w*\s*\(|\bfollow_pfn\w*\s*\("),
    ("charges user memory", r"\b_*account_locked_vm\w*\s*\("),
    ("programs or reads a domain", r"\biommu_(map|unmap|iova_to_phys)\w*\s*\("),
    ("keeps a tree", r"\brb_(insert|erase|link|first|next)\w*\s*\(|\binterval_tree_\w+\s*\(|\b(mas|mtree)_\w+\s*\("),
]


def check(title, files, rules, results):
    for what, pattern in rules:
        found = [f"{file.relative_to(ROOT)}:{number}: {line.strip()}"
                 for file in files
                 for number, line in enumerate(file.read_text().splitlines(), 1) if re.search(pattern, line)]
        results.check(f"no file of {title} {what}", not found, found)


def sources(folder):
    return sorted(file for file in (ROOT / folder).rglob("*.[ch]") if "tests" not in file.parts)


def layers():
    results = Results()
    check("the engine", sources("drivers/iommu/iopt") + [ROOT / "include/linux/iopt.h"], ENGINE_MAY_NOT, results)
    check("/dev/iommu", sources("drivers/iommu/iommufd"), FRONT_MAY_NOT, results)
    check("vfio", sources("drivers/vfio"), FRONT_MAY_NOT, results)
    return results
