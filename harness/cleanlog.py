# SPDX-License-Identifier: GPL-2.0-only
"""Search a kernel log for bug reports, each of which fails the test."""
import re
from dataclasses import dataclass, field

# (name of the finding, pattern). A finding is named after the first pattern that matches its line.
PATTERNS = [(name, re.compile(pattern)) for name, pattern in [
    ("data-race", r"BUG: KCSAN"),
    ("use-after-free", r"BUG: KASAN: (slab-)?use-after-free"),
    ("kasan", r"BUG: KASAN"),
    ("lock-inversion", r"possible circular locking dependency|possible irq lock inversion|"
                       r"inconsistent lock state|lock order inversion"),
    ("recursive-lock", r"possible recursive locking"),
    ("lockdep", r"suspicious RCU usage|bad unlock balance|held lock freed|lock held when returning|"
                r"lock held at task exit|INFO: trying to register non-static key|DEBUG_LOCKS_WARN_ON|"
                r"Invalid wait context"),
    ("leak", r"unreferenced object 0x"),
    ("hung-task", r"INFO: task .* blocked for more than"),
    ("stall", r"rcu.*(stall|detected expedited)|soft lockup|hard LOCKUP"),
    ("refcount", r"refcount_t: "),
    ("list-corruption", r"list_(add|del) corruption"),
    ("debug-objects", r"ODEBUG: "),
    ("ubsan", r"UBSAN: "),
    ("oops", r"Oops: |general protection fault|unable to handle|stack segment|kernel BUG at|double fault"),
    ("bug", r"\bBUG: |\bBUG "),
    # Linux 6.1.192 unmaps a part of a hugetlb VMA without a lock that hugetlb_split() expects to be held.
    ("hugetlb-split", r"\bWARNING: .* hugetlb_split\+"),
    ("warning", r"\bWARNING: "),
    ("bad-page", r"Bad page (state|map)|Bad rss-counter"),
    ("panic", r"Kernel panic"),
    # Faults that the drivers of Intel's, AMD's, Arm's and virtio's IOMMUs report. Events 0x10 to 0x13 of an SMMU are
    # about translation.
    ("dma-fault", r"DMAR: \[(DMA|INTR)|AMD-Vi: Event logged \[IO_PAGE_FAULT|arm-smmu-v3 .*: event 0x1[0-3]|"
                  r"virtio_iommu .*fault from"),
    ("iommu-error", r"AMD-Vi: (Event logged|Completion-Wait)|arm-smmu-v3 .*: (event 0x|CMD|unexpected global error)"),
]]

REPORT = 20     # lines of the log that follow a finding and usually name the address, the task and the call trace


@dataclass
class Finding:
    name: str
    line: str
    after: list = field(default_factory=list)

    def __str__(self):
        return f"{self.name}: {self.line}"


def _message(line):
    """Return a line of a console log without the time and the thread."""
    return re.sub(r"^\[ *[\d.]+\](\[ *\w+\])? *", "", line).strip()


def findings(text, allowed=()):
    """Return the findings in a console log, in order. Those with a name in `allowed` are ignored."""
    found = []
    lines = text.splitlines()
    for number, line in enumerate(lines):
        for name, pattern in PATTERNS:
            if pattern.search(line):
                if name not in allowed:
                    after = [_message(next_) for next_ in lines[number + 1:number + 1 + REPORT]]
                    found.append(Finding(name, _message(line), after))
                break
    return found


def of(outcome, allowed=()):
    return findings(outcome.console.read_text(errors="replace"), allowed)
