# SPDX-License-Identifier: GPL-2.0-only
"""How the kernels' configurations differ, and whether that moves the figures.

A symbol that moves them must have one value everywhere. One that only one version's Kconfig files define cannot;
each of those has to be listed here with what makes it harmless.
"""
import re

from ..shell import Failure, say

# Symbols of which a difference changes how many instructions a map takes, or how much memory.
MATTERS = re.compile(r"""CONFIG_(
    SL[AOU]B.* | .*FREELIST.* | CC_OPTIMIZE.* | BASE_(FULL|SMALL) | .*EXPERT | JUMP_LABEL | .*STATIC_CALL.* |
    MEMCG.* | CGROUP.* | .*KMEM.* | PREEMPT.* | HZ.* | NO_HZ.* | SMP | NR_CPUS | NUMA.* |
    DEBUG_.* | .*_DEBUG(_ON)? | KASAN.* | KCSAN.* | KMSAN.* | KFENCE.* | UBSAN.* | KCOV.* | GCOV.* | LOCKDEP.* |
    PROVE_.* | LOCK_STAT | TRACE_IRQFLAGS | DEBUG_LOCK.* | FAULT_INJECTION.* | FAIL.* | KUNIT.* |
    .*FTRACE.* | .*TRACER.* | FUNCTION_PADDING.* | FUNCTION_ALIGNMENT.* | FPROBE | KPROBES | UPROBES | TRACEPOINTS |
    .*HARDENED.* | FORTIFY.* | INIT_(ON|STACK).* | STACKPROTECTOR.* | RANDOM.* | .*RANDOMIZ.* | VMAP_STACK |
    .*MITIGATION.* | RETPOLINE | RETHUNK | .*(CPU_UNRET|IBPB|IBRS|SLS|CALL_DEPTH).* | PAGE_TABLE_ISOLATION |
    X86_(KERNEL_IBT|USER_SHADOW_STACK|CET|SMAP|UMIP) | CFI.* | SHADOW_CALL_STACK | SECCOMP.* | AUDIT.* | SECURITY.* |
    LSM | BPF.* | CC_HAS_ASM_GOTO.* | .*ASM_GOTO_OUTPUT.* | UNWINDER.* | LTO.* | PARAVIRT.* |
    TRANSPARENT_HUGEPAGE.* | .*_PTLOCKS? | SPLIT_PTLOCK.* | PER_VMA_LOCK | LRU_GEN.* | ZONE_DEVICE | MEMORY_HOTPLUG |
    PAGE_(EXTENSION|OWNER|POISONING|TABLE_CHECK).* | COMPACTION | MIGRATION | CMA | HMM.* | MMU_NOTIFIER |
    IOMMU.* | INTEL_IOMMU.* | IOMMUFD.* | IOPT.* | VFIO.* | PCI_PASID | PCI_ATS | SWIOTLB.* | DMA_.* )$""", re.X)

# Matter, differ, and are as they should be: what makes them so.
ALLOWED = {
    "CONFIG_IOPT": "the engine itself",
    "CONFIG_IOMMUFD": "what is measured",
    "CONFIG_VFIO_DEVICE_CDEV": "what is measured",
    "CONFIG_BASE_FULL": "became BASE_SMALL, turned around",
    "CONFIG_DMA_OPS": "became DMA_OPS_HELPERS",
    "CONFIG_DMA_OPS_HELPERS": "was DMA_OPS",
    "CONFIG_DMA_NEED_SYNC": "of the kernel's own DMA",
    "CONFIG_FUNCTION_ALIGNMENT": "where a function begins",
    "CONFIG_FUNCTION_ALIGNMENT_4B": "where a function begins",
    "CONFIG_FUNCTION_ALIGNMENT_16B": "where a function begins",
    "CONFIG_FUNCTION_PADDING_BYTES": "of CALL_PADDING, which is off",
    "CONFIG_FUNCTION_PADDING_CFI": "of CALL_PADDING, which is off",
    "CONFIG_CC_HAS_ASM_GOTO_OUTPUT": "the same compiler; 6.12 trusts its asm goto less",
    "CONFIG_CC_HAS_ASM_GOTO_TIED_OUTPUT": "the same compiler; 6.12 trusts its asm goto less",
    "CONFIG_GCC_ASM_GOTO_OUTPUT_BROKEN": "the same compiler; 6.12 trusts its asm goto less",
    "CONFIG_GCC_ASM_GOTO_OUTPUT_WORKAROUND": "the same compiler; 6.12 trusts its asm goto less",
    "CONFIG_HAVE_HARDENED_USERCOPY_ALLOCATOR": "says what could be turned on",
    "CONFIG_INTEL_IOMMU_PERF_EVENTS": "counters that are not used",
    "CONFIG_IOMMUFD_DRIVER": "dirty tracking, by drivers that have it",
    "CONFIG_IOMMU_IOPF": "part of Intel's driver",
    "CONFIG_IOMMU_MM_DATA": "part of Intel's driver",
    "CONFIG_IOMMU_SVA": "part of Intel's driver",
    "CONFIG_MMU_NOTIFIER": "part of Intel's driver; nobody registers one",
    "CONFIG_LSM": "the order of security modules, of which there is none",
    "CONFIG_MEMCG_KMEM": "became part of MEMCG",
    "CONFIG_SLAB_OBJ_EXT": "was part of MEMCG_KMEM",
    "CONFIG_PER_VMA_LOCK": "no choice in 6.12",
    "CONFIG_SPLIT_PTE_PTLOCKS": "was SPLIT_PTLOCK_CPUS",
    "CONFIG_SPLIT_PMD_PTLOCKS": "was SPLIT_PTLOCK_CPUS",
    "CONFIG_SPLIT_PTLOCK_CPUS": "became SPLIT_PTE_PTLOCKS",
    "CONFIG_VFIO_CONTAINER": "no choice in 6.1",
    "CONFIG_VFIO_GROUP": "no choice in 6.1",
    "CONFIG_VFIO_MDEV": "mediated devices, of which there is none",
    "CONFIG_X86_CET": "says what could be turned on; X86_KERNEL_IBT is off",
}


def values(path):
    """{symbol: value} of a .config; what is not set is not in it."""
    return dict(line.split("=", 1) for line in path.read_text().splitlines() if line.startswith("CONFIG_"))


def defined(tree):
    """The symbols that a tree's Kconfig files define."""
    symbols = set()
    for file in tree.rglob("Kconfig*"):
        if file.is_file():
            text = file.read_text(errors="replace")
            symbols.update("CONFIG_" + name for name in re.findall(r"^\s*(?:menu)?config (\w+)", text, re.M))
    return symbols


def differences(one, two):
    """Yield (symbol, its value in one, in two, verdict, reason)."""
    have, want = values(one.out / ".config"), values(two.out / ".config")
    known = [defined(kernel.tree) for kernel in (one, two)]
    for symbol in sorted(set(have) | set(want)):
        pair = tuple({"0": "n"}.get(value, value) for value in (have.get(symbol, "n"), want.get(symbol, "n")))
        if pair[0] == pair[1]:
            continue
        where = [kernel.name for kernel, symbols in zip((one, two), known) if symbol in symbols]
        only = f"only {where[0]} has it" if len(where) == 1 else ""
        if not MATTERS.match(symbol):
            yield symbol, *pair, "harmless", only
        elif symbol in ALLOWED:
            yield symbol, *pair, "allowed", "; ".join(filter(None, [only, ALLOWED[symbol]]))
        else:
            yield symbol, *pair, "REFUSED", only


def compare(kernels):
    """Print how each kernel's configuration differs from the first one's; what matters is a Failure."""
    first, refused = kernels[0], []
    for other in kernels[1:]:
        found = list(differences(first, other))
        say(f"\nconfiguration, {first.name} and {other.name}: {len(found)} symbols differ")
        for symbol, one, two, verdict, reason in found:
            if verdict != "harmless":
                say(f"  {verdict:8} {symbol}: {one}, {two}" + (f" ({reason})" if reason else ""))
        harmless = [f"{symbol[7:]}={one}/{two}" for symbol, one, two, verdict, _ in found if verdict == "harmless"]
        if harmless:
            say("  harmless " + " ".join(harmless))
        refused += [f"{symbol}: {first.name} {one}, {other.name} {two}" for symbol, one, two, verdict, _ in found
                    if verdict == "REFUSED"]
    if refused:
        raise Failure("the kernels are not configured alike in what moves the figures:\n  " + "\n  ".join(refused))
