# SPDX-License-Identifier: GPL-2.0-only
"""Compare the configurations of the measured kernels, so that no difference distorts the figures.

A symbol that affects performance or memory must have the same value in all kernels. If that is impossible, for
example because the symbol exists in one version only, it must be listed in ALLOWED with the reason why it does no harm.
"""
import re

from ..shell import Failure, say

# Symbols that may affect how many instructions or how much memory a mapping takes.
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

# {symbol that matters and may differ: reason}
ALLOWED = {
    "CONFIG_IOPT": "the engine, which is measured",
    "CONFIG_IOMMUFD": "the front end that is measured",
    "CONFIG_IOMMUFD_VFIO": "lets an iommufd replace the container, which is not measured",
    "CONFIG_VFIO_DEVICE_CDEV": "the interface that is measured",
    "CONFIG_VFIO_TYPE1_IOCTL": "the ioctls of type1, which are a part of it in 6.1",
    "CONFIG_BASE_FULL": "became BASE_SMALL, with the opposite meaning",
    "CONFIG_DMA_OPS": "became DMA_OPS_HELPERS",
    "CONFIG_DMA_OPS_HELPERS": "was DMA_OPS",
    "CONFIG_DMA_NEED_SYNC": "affects the DMA API only",
    "CONFIG_FUNCTION_ALIGNMENT": "alignment of functions, which costs no instruction",
    "CONFIG_FUNCTION_ALIGNMENT_4B": "alignment of functions, which costs no instruction",
    "CONFIG_FUNCTION_ALIGNMENT_16B": "alignment of functions, which costs no instruction",
    "CONFIG_FUNCTION_PADDING_BYTES": "has an effect with CALL_PADDING only, which is off",
    "CONFIG_FUNCTION_PADDING_CFI": "has an effect with CALL_PADDING only, which is off",
    "CONFIG_CC_HAS_ASM_GOTO_OUTPUT": "the compiler is the same; 6.12 works around a bug of its asm goto",
    "CONFIG_CC_HAS_ASM_GOTO_TIED_OUTPUT": "the compiler is the same; 6.12 works around a bug of its asm goto",
    "CONFIG_GCC_ASM_GOTO_OUTPUT_BROKEN": "the compiler is the same; 6.12 works around a bug of its asm goto",
    "CONFIG_GCC_ASM_GOTO_OUTPUT_WORKAROUND": "the compiler is the same; 6.12 works around a bug of its asm goto",
    "CONFIG_HAVE_HARDENED_USERCOPY_ALLOCATOR": "only makes an option available",
    "CONFIG_INTEL_IOMMU_PERF_EVENTS": "performance counters, which are not used",
    "CONFIG_IOMMUFD_DRIVER": "dirty tracking in IOMMU drivers, which is not used",
    "CONFIG_IOMMU_IOPF": "pulled in by the Intel IOMMU driver",
    "CONFIG_IOMMU_MM_DATA": "pulled in by the Intel IOMMU driver",
    "CONFIG_IOMMU_SVA": "pulled in by the Intel IOMMU driver",
    "CONFIG_MMU_NOTIFIER": "pulled in by the Intel IOMMU driver; no notifier is registered",
    "CONFIG_LSM": "the order of security modules; none is enabled",
    "CONFIG_MEMCG_KMEM": "became part of MEMCG",
    "CONFIG_SLAB_OBJ_EXT": "was part of MEMCG_KMEM",
    "CONFIG_PER_VMA_LOCK": "always enabled in 6.12",
    "CONFIG_SPLIT_PTE_PTLOCKS": "was SPLIT_PTLOCK_CPUS",
    "CONFIG_SPLIT_PMD_PTLOCKS": "was SPLIT_PTLOCK_CPUS",
    "CONFIG_SPLIT_PTLOCK_CPUS": "became SPLIT_PTE_PTLOCKS",
    "CONFIG_VFIO_CONTAINER": "always enabled in 6.1",
    "CONFIG_VFIO_GROUP": "always enabled in 6.1",
    "CONFIG_VFIO_MDEV": "mediated devices; none is loaded",
    "CONFIG_X86_CET": "only makes options available; X86_KERNEL_IBT is off",
}


def values(path):
    """Return {symbol: value} of a .config, without the symbols that are not set."""
    return dict(line.split("=", 1) for line in path.read_text().splitlines() if line.startswith("CONFIG_"))


def defined(tree):
    """Return the symbols that the Kconfig files of a tree define."""
    symbols = set()
    for file in tree.rglob("Kconfig*"):
        if file.is_file():
            text = file.read_text(errors="replace")
            symbols.update("CONFIG_" + name for name in re.findall(r"^\s*(?:menu)?config (\w+)", text, re.M))
    return symbols


def differences(one, two):
    """Yield (symbol, first value, second value, verdict, reason) for each symbol that differs."""
    have, want = values(one.out / ".config"), values(two.out / ".config")
    known = [defined(kernel.tree) for kernel in (one, two)]
    for symbol in sorted(set(have) | set(want)):
        pair = tuple({"0": "n"}.get(value, value) for value in (have.get(symbol, "n"), want.get(symbol, "n")))
        if pair[0] == pair[1]:
            continue
        where = [kernel.name for kernel, symbols in zip((one, two), known) if symbol in symbols]
        only = f"only in {where[0]}" if len(where) == 1 else ""
        if not MATTERS.match(symbol):
            yield symbol, *pair, "harmless", only
        elif symbol in ALLOWED:
            yield symbol, *pair, "allowed", "; ".join(filter(None, [only, ALLOWED[symbol]]))
        else:
            yield symbol, *pair, "REFUSED", only


def compare(kernels):
    """Print how the configurations differ from the first one; raise Failure if a difference affects the figures."""
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
        raise Failure("symbols that affect the figures differ between the kernels:\n  " + "\n  ".join(refused))
