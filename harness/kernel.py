# SPDX-License-Identifier: GPL-2.0-only
"""Configure and build kernels from build/linux, each in its own folder under build/."""
import fcntl
import functools
import hashlib
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from . import machine, packages, series
from .base import git
from .paths import BUILD, HARNESS, LINUX
from .shell import Failure, must, say

# {name of a kernel: fragments in harness/config that are merged into tinyconfig}
FRAGMENTS = {
    "release": ["common", "x86", "iommufd", "release"],
    "container": ["common", "x86", "iommufd", "release", "container"],
    "slabinfo": ["common", "x86", "iommufd", "release", "slabinfo"],
    "bounded": ["common", "x86", "iommufd", "release", "preempt", "bounded"],
    "debug": ["common", "x86", "iommufd", "debug", "debug-x86", "kasan", "preempt", "kunit", "kunit-x86", "validate"],
    # The debug kernel without KASAN, for static checks only. Compiling with KASAN takes long.
    "lint": ["common", "x86", "iommufd", "debug", "debug-x86", "preempt", "kunit", "kunit-x86", "validate"],
    "kcsan": ["common", "x86", "iommufd", "kcsan", "preempt", "kunit", "kunit-x86"],
    "coverage": ["common", "x86", "iommufd", "coverage", "kunit", "kunit-x86"],
    "arm64-release": ["common", "arm64-virt", "iommufd", "release"],
    "arm64-debug": ["common", "arm64-virt", "iommufd", "debug", "preempt", "kunit", "validate"],
    "arm64-16k": ["common", "arm64-virt", "arm64-16k", "iommufd", "debug", "preempt", "kunit", "validate"],
    "arm64-64k": ["common", "arm64-virt", "arm64-64k", "iommufd", "debug", "preempt", "kunit", "validate"],
}

# Objects that KASAN instruments, if the kernel has it: what the series changes, the code that this calls most, and
# external modules. Without instrumentation, the other objects take a quarter less time to compile, and run faster. A
# folder's Makefile can exclude more objects.
INSTRUMENTED = ["drivers/iommu/%", "drivers/vfio/%", "samples/%", "arch/x86/kvm/vfio", "kernel/%", "lib/%", "mm/%",
                "drivers/base/%", "drivers/pci/%", "/%"]


def jobs():
    """Return the number of processors that this process may use."""
    return len(os.sched_getaffinity(0))


def environment(base=BUILD):
    """Return the environment for kbuild: without variables of the calling make, and with ccache settings.

    base is the folder that contains both the tree and the build folder. ccache also finds objects that were compiled
    below another base, if the paths of the files relative to their base are the same.
    """
    env = {k: v for k, v in os.environ.items()
           if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "KERNEL", "TOPIC", "PLANT", "ONLY",
                        "WIDEN", "IOMMU", "CONFIG", "TYPE1", "LSMOD", "CDPATH")}
    # Prefer Debian's programs: only its python3 finds Python modules installed as Debian packages.
    env["PATH"] = f"/usr/sbin:/usr/bin:/sbin:/bin:{env.get('PATH', '')}"
    env.update(LC_ALL="C", LOCALVERSION="", CCACHE_BASEDIR=str(base), CCACHE_NOHASHDIR="1",
               CCACHE_SLOPPINESS="time_macros", CCACHE_DEPEND="1", CCACHE_INODECACHE="1",
               KBUILD_BUILD_TIMESTAMP="2026-01-01", KBUILD_BUILD_VERSION="1", KBUILD_BUILD_USER="iopt",
               KBUILD_BUILD_HOST="build",
               KASAN_SANITIZE=f"$(if $(filter {' '.join(INSTRUMENTED)},$(obj)/$(basetarget)),,n)")
    return env


def make(out, *goals, tree=LINUX):
    return ["make", "-C", tree, f"O={out}", f"-j{jobs()}", *machine.of(out.name).variables, "HOSTCC=ccache gcc",
            *goals]


def fragments(*names):
    return [HARNESS / "config" / f"{name}.config" for name in names]


def wanted(files):
    """Return {symbol: line} of fragments or of a .config, including `# CONFIG_X is not set` lines."""
    lines = {}
    for fragment in files:
        for line in fragment.read_text().splitlines():
            match = re.match(r"(?:# )?(CONFIG_\w+)(?:=| is not set)", line)
            if match:
                lines[match.group(1)] = line.strip()
    return lines


@dataclass(frozen=True)
class Start:
    """The configuration into which fragments are merged: what a goal of kbuild makes of the file `given`, if any."""
    goal: str = "tinyconfig"
    given: Path = None
    modules: Path = None            # file with the names of loaded modules, for the goal localmodconfig

    def files(self):
        return [path for path in (self.given, self.modules) if path]


def defined(tree):
    """Return the symbols that the Kconfig files of the tree define, with the prefix CONFIG_."""
    return {f"CONFIG_{symbol}" for path in tree.rglob("Kconfig*") if path.is_file()
            for symbol in re.findall(r"^\s*(?:menu)?config (\w+)$", path.read_text(errors="replace"), re.M)}


def configure(out, files, tree=LINUX, strict=True, variables=(), start=Start()):
    """Merge the fragments into out/.config. If `strict` is true, fail if Kconfig drops one of their lines.

    With TOPIC=, symbols that the tree does not define yet may be dropped. Questions of kbuild are answered with the
    default.
    """
    out.mkdir(parents=True, exist_ok=True)
    if start.given:
        shutil.copyfile(start.given, out / ".config")
    must(f"configure {out.name}", ["sh", "-e", "-c", """
        yes "" | "$@" "$START"
        KCONFIG_CONFIG="$OUT/.config" "$TREE/scripts/kconfig/merge_config.sh" -m "$OUT/.config" $FRAGMENTS
        "$@" olddefconfig
        """, "sh", *make(out, *variables, tree=tree)], f"{out.name}.config", cwd=out,
         env=dict(environment(), OUT=str(out), TREE=str(tree), FRAGMENTS=" ".join(map(str, files)), START=start.goal,
                  **({"LSMOD": str(start.modules)} if start.modules else {})))
    have = wanted([out / ".config"])
    lost = [line for symbol, line in wanted(files).items() if have.get(symbol, f"# {symbol} is not set") != line]
    if lost and os.environ.get("TOPIC"):
        symbols = defined(tree)
        lost = [line for line in lost if re.search(r"CONFIG_\w+", line).group() in symbols]
    if lost and strict:
        (out / ".config").unlink()
        raise Failure(f"{out.name}: Kconfig dropped {', '.join(lost)}\n"
                      "Such a symbol is not defined in this tree, lacks a dependency, or is selected by another one.")


def ensure_config(out, files, tree=LINUX, strict=True, identity=None, start=Start()):
    """Call configure() unless out/.config is up to date with `start`, the fragments and the tree's Kconfig files.

    For a tree that is not in git, `identity` is a text that changes with the tree.
    """
    kconfig = [identity] if identity else \
        [line for line in git("ls-tree", "-r", "HEAD", tree=tree).splitlines() if "Kconfig" in line]
    key = hashlib.sha256("\n".join([str(strict), *kconfig]).encode())
    for path in [*start.files(), *files]:
        key.update(path.read_bytes())
    stamp = out / ".config-key"
    if not (stamp.exists() and (out / ".config").exists() and stamp.read_text() == key.hexdigest()):
        stamp.unlink(missing_ok=True)
        configure(out, files, tree, strict, start=start)
        stamp.write_text(key.hexdigest())


@functools.cache
def build(name, *variables):
    """Apply the series and build the named kernel, once per command; return its folder."""
    packages.need([*packages.KERNEL, *machine.of(name).cross])
    series.apply()
    out = BUILD / name
    # Another process of the same command may be building it.
    with open(BUILD / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ensure_config(out, fragments(*FRAGMENTS[name]))
        must(f"build the {name} kernel", make(out, machine.of(name).goal, "modules", *variables), f"{name}.build",
             env=environment())
    return out


def insmod_mdevs(out):
    """Return the lines of a guest's script that load the sample mediated devices."""
    return "".join(f"insmod {module}\n" for module in sorted((out / "samples/vfio-mdev").rglob("*.ko")))


def bzimage(out):
    return out / machine.of(out.name).image


@functools.cache
def headers(out):
    """Install the user-space headers of the tree in out/hdr; return the include folder."""
    must("install the headers", make(out, "headers_install", f"INSTALL_HDR_PATH={out}/hdr"), "headers.log",
         env=environment())
    return out / "hdr/include"


def main():
    say(str(bzimage(build("release"))))
    return 0
