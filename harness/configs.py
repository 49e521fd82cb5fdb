# SPDX-License-Identifier: GPL-2.0-only
"""make configs: build the series for other architectures and in random configurations, without any warning.

The named configurations are for i386 with and without PAE, for arm64, and for x86-64 without IOMMU support. Those of
DEBIAN are the configurations of Debian's kernels, of which only a part is built (see debian_objects.py). The random
ones, SEEDS of them, are for x86-64. They vary the symbols that varied() returns, and those that Kconfig makes visible
as a result; all others are as in BASE. kbuild's randconfig chooses the values.

Each other configuration is linked with its modules, so that a symbol which is missing or not exported is an error.
"""
import functools
import re

from . import arm64, debian_objects, kernel, only, packages, series
from .base import git
from .paths import BUILD, LINUX, LOG
from .results import Results, report
from .shell import ERROR, Failure, logged, must

SEEDS = 50

# {name: (fragments in harness/config, variables of kbuild)}
NAMED = {
    "i386": (["i386", "portable"], ["ARCH=i386"]),
    "i386-pae": (["i386", "i386-pae", "portable"], ["ARCH=i386"]),
    "arm64": (["arm64", "portable"], arm64.VARIABLES),
    "no-iommu": (["vfio-alone"], []),
}
# {name: Debian's architecture}
DEBIAN = {f"debian-{arch}": arch for arch in debian_objects.ARCHITECTURES}
RANDOM = ["ARCH=x86_64"]        # ARCH=x86, the default, lets randconfig choose 32 bits
# The configuration that the random ones are derived from. The symbols that VARIED adds are not in our changes, but
# affect headers that our code includes.
BASE = ["portable", "random"]
VARIED = {"CONFIG_SMP", "CONFIG_NUMA", "CONFIG_DEBUG_VM", "CONFIG_LOCKDEP", "CONFIG_PROVE_LOCKING", "CONFIG_FTRACE",
          "CONFIG_DEBUG_FS", "CONFIG_MEMCG", "CONFIG_HUGETLBFS", "CONFIG_TRANSPARENT_HUGEPAGE", "CONFIG_KUNIT",
          "CONFIG_IA32_EMULATION", "CONFIG_PREEMPT_VOLUNTARY", "CONFIG_KALLSYMS", "CONFIG_PROC_FS"}
# Kconfig files: all symbols that they define are varied.
KCONFIG = ["drivers/iommu/Kconfig", "drivers/iommu/*/Kconfig", "drivers/vfio/Kconfig", "drivers/vfio/*/Kconfig"]
SYMBOL = re.compile(r"\bCONFIG_\w+")


def random_names():
    return [f"seed-{seed}" for seed in range(1, SEEDS + 1)]


@functools.cache
def varied():
    """Return the symbols with random values: VARIED, those of KCONFIG, and those that the series names in code."""
    named = {f"CONFIG_{symbol}" for glob in KCONFIG for path in LINUX.glob(glob)
             for symbol in re.findall(r"^\s*(?:menu)?config (\w+)$", path.read_text(), re.M)}
    added = "\n".join(line for line in git("diff", "-U0", "base", "--", "*.c", "*.h").splitlines() if line[:1] == "+")
    return VARIED | named | set(SYMBOL.findall(added))


@functools.cache
def fixed(out):
    """Configure BASE in out/base; return a file with the values of the symbols that are not varied."""
    kernel.configure(out / "base", kernel.fragments(*BASE), variables=RANDOM)
    kept = [line for line in (out / "base/.config").read_text().splitlines()
            if (match := SYMBOL.search(line)) and match.group() not in varied()]
    path = out / "fixed.config"
    path.write_text("\n".join(kept) + "\n")
    return path


def configured(name, out):
    """Configure the named configuration in the folder; return the variables of kbuild and the log."""
    out.mkdir(parents=True, exist_ok=True)
    if name in NAMED:
        fragments, variables = NAMED[name]
        kernel.configure(out, kernel.fragments(*fragments), variables=variables)
        return variables, LOG / f"{out.name}.config"
    env = dict(kernel.environment(), KCONFIG_ALLCONFIG=str(fixed(BUILD / "configs")),
               KCONFIG_SEED=name.removeprefix("seed-"))
    return RANDOM, must(f"configure {name}", kernel.make(out, *RANDOM, "randconfig"), f"{out.name}.config", env=env)


def built(name, title):
    """Configure and build; return a list of errors and warnings."""
    if name in DEBIAN:
        return debian_objects.built(DEBIAN[name], BUILD / "configs" / name)
    # All random configurations use one folder: kbuild compiles again what a configuration changes.
    out = BUILD / "configs" / (name if name in NAMED else "random")
    variables, log = configured(name, out)
    wrong = [line for line in log.read_text(errors="replace").splitlines() if "warning: unmet" in line.lower()]
    status, log = logged(f"build {title}", kernel.make(out, *variables, "all"), f"configs-{name}.build",
                         env=kernel.environment())
    lines = log.read_text(errors="replace").splitlines()
    wrong += [line for line in lines if ERROR.search(line) or re.search(r"\bwarning:", line, re.I)][:8]
    if status and not wrong:
        wrong = lines[-4:]
    if wrong:
        kept = log.with_suffix(".dotconfig")
        kept.write_bytes((out / ".config").read_bytes())
        wrong += [f"see {log} and {kept}"]
    return wrong


def chosen(wanted):
    return only.select(wanted, [*NAMED, *DEBIAN, *random_names()], "configuration",
                       [*NAMED, *DEBIAN, f"and seed-1 to seed-{SEEDS}"])


def check_variables():
    chosen(only.given())


def configs(wanted=""):
    packages.need([*packages.KERNEL, *packages.CROSS, *packages.DEB])
    series.apply()
    results, names = Results(), chosen(wanted)
    for number, name in enumerate(names, 1):
        try:
            wrong = built(name, f"{number}/{len(names)} {name}")
        except Failure as failure:
            wrong = [str(failure)]
        results.check(f"{name} builds without a warning", not wrong, wrong)
    return results


def main():
    return report(configs(only.given()))
