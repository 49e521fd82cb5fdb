# SPDX-License-Identifier: GPL-2.0-only
"""Compile what the series affects in the configurations of Debian's own kernels, for amd64 and arm64.

A whole build of such a configuration takes hours. This one compiles the folders of FOLDERS, in which nearly all changes
are, and elsewhere the objects of sources that the series changes, or that include a header which it changes. modpost
checks the modules in FOLDERS. It does not know the symbols of the rest of the kernel, so unresolved() checks that each
symbol which they use is exported somewhere in the tree.
"""
import functools
import os
import re

from . import arm64, debian_config, kernel, series
from .base import git
from .paths import HARNESS, LINUX
from .shell import Failure, logged, must, output

# {Debian's architecture: (ARCH, CC, more variables of kbuild)}
ARCHITECTURES = {
    "amd64": ("x86", "ccache gcc", []),
    "arm64": ("arm64", f"ccache {arm64.COMPILER}", ["CROSS_COMPILE=aarch64-linux-gnu-"]),
}
FOLDERS = ["drivers/iommu", "drivers/vfio"]
FRAGMENTS = ["packaged", "signed"]              # those of make deb CONFIG=debian
INCLUDE = r"^[[:space:]]*#[[:space:]]*include"
# Nearly all files of the kernel include this header, which needs one struct of a changed header.
UNIVERSAL = ["include/linux/cred.h"]
# Messages of modpost about the missing rest of the kernel
UNDEFINED = re.compile(r"modpost: .* undefined!$|vmlinux.o is missing|suppressed \d+ unresolved symbol warnings")
EXPORT = r"EXPORT_[A-Z_]*SYMBOL[A-Z_]*\("
# Symbols that modpost defines, and those that the kernel exports with names composed by macros
IMPLICIT = re.compile(r"__this_module$|__x86_indirect_thunk_|__SCT__|_dev_[a-z]+$|bpf_trace_run\d+$|param_ops_|"
                      r"pci_user_(read|write)_config_")


def variables(arch):
    name, compiler, more = ARCHITECTURES[arch]
    return [f"ARCH={name}", f"CC={compiler}", *more]


def folders(arch):
    """Return FOLDERS and the folder of KVM, which also compiles virt/kvm."""
    return [*FOLDERS, f"arch/{ARCHITECTURES[arch][0]}/kvm"]


def changed(*patterns):
    """Return the paths that the series changes or adds, and that match one of git's patterns."""
    return git("diff", "--name-only", "--diff-filter=d", "base", "HEAD", "--", *patterns).split()


@functools.cache
def includes():
    """Return {base name of a header: [(path of a file, the text with which it includes such a header)]}."""
    found = {}
    for line in git("grep", "-E", INCLUDE, "--", "*.[ch]").splitlines():
        path, _, text = line.partition(":")
        if match := re.search(r'[<"]([^>"]+)[>"]', text):
            found.setdefault(os.path.basename(match[1]), []).append((path, match[0]))
    return found


def including(header):
    """Return the files that include the header: in the whole tree, or in its driver if it is not in include/."""
    every = includes().get(os.path.basename(header), [])
    if header.startswith("include/"):
        short = re.sub(r"^include/(uapi/)?", "", header)
        return [path for path, text in every if text in (f"<{short}>", f"<uapi/{short}>")]
    driver = re.sub(r"/include\b.*", "", os.path.dirname(header))
    return [path for path, _ in every if path.startswith(f"{driver}/")]


@functools.cache
def sources():
    """Return the C files of the kernel that the series changes, or that include a header which it changes or adds.

    They may include it through other headers, but not through UNIVERSAL.
    """
    files, todo = set(changed("*.c")), changed("*.h")
    while todo:
        found = {path for path in including(todo.pop()) if path not in files and path not in UNIVERSAL}
        files |= found
        todo += [path for path in found if path.endswith(".h")]
    return sorted(path for path in files if path.endswith(".c")
                  and not path.startswith(("tools/", "samples/", *(f"{folder}/" for folder in FOLDERS))))


def listed(arch, out, folder):
    """Return the objects of a folder of the tree in the configuration of the build folder `out`.

    Return an empty list for a Makefile that works only if the one of the folder above includes it.
    """
    if not any((LINUX / folder / name).exists() for name in ("Kbuild", "Makefile")):
        return []
    name, compiler, _ = ARCHITECTURES[arch]
    try:
        return output("make", "-s", "-I", LINUX, "-f", HARNESS / "objects.mk", f"obj={folder}", f"srctree={LINUX}",
                      f"ARCH={name}", f"SRCARCH={name}", f"CC={compiler}", "list", cwd=out,
                      env=kernel.environment()).split()
    except Failure:
        return []


def objects(arch, out):
    """Return the objects of sources() that the configuration has outside of folders()."""
    found, cached = [], functools.cache(lambda folder: listed(arch, out, folder))
    for path in sources():
        elsewhere = path.startswith(("arch/", "virt/")) and not path.startswith(f"arch/{ARCHITECTURES[arch][0]}/")
        if elsewhere or path.startswith(tuple(f"{folder}/" for folder in folders(arch))):
            continue
        wanted = f"{path.removesuffix('.c')}.o"
        # The Makefile of a folder above may name the object.
        if any(wanted in cached(folder) for folder in series.parents(path)):
            found.append(wanted)
    return found


def configure(arch, out):
    """Configure Debian's kernel and prepare its build."""
    start = kernel.Start("olddefconfig", debian_config.of(arch))
    kernel.configure(out, kernel.fragments(*FRAGMENTS), variables=variables(arch), start=start)
    must(f"prepare {out.name}", kernel.make(out, *variables(arch), "modules_prepare"), f"{out.name}.prepare",
         env=kernel.environment())


def warnings(log):
    return [line for line in log.read_text(errors="replace").splitlines()
            if re.search(r"\b(warning|error):|^(WARNING|ERROR)", line, re.I)]


@functools.cache
def exported():
    """Return the symbols that some file of the tree exports to modules."""
    text = git("grep", "-hE", EXPORT, "--", "*.[chS]")
    names = set(re.findall(rf"{EXPORT}\s*(\w+)", text))
    return names | {f"{prefix}{name}" for name in names for prefix in ("__tracepoint_", "__traceiter_")}


def unresolved(arch, out):
    """Return the symbols that the modules of FOLDERS use, but that neither they nor other files export."""
    objects = [module.replace(".ko", ".o") for module in modules(out)]
    prefix = "".join(ARCHITECTURES[arch][2]).partition("=")[2]
    lines = output(f"{prefix}nm", *objects, cwd=out).splitlines()
    used = {line.split()[-1] for line in lines if line.strip().startswith("U ")}
    ours = set(re.findall(r"\b__ksymtab_(\w+)", "\n".join(lines)))
    return [f"no file exports {symbol}" for symbol in sorted(used - ours - exported()) if not IMPLICIT.match(symbol)]


def modules(out):
    """Return the modules of FOLDERS that are compiled, as paths in the build folder."""
    return sorted({line.replace(".o", ".ko") for folder in FOLDERS
                   for line in (out / folder / "modules.order").read_text().split()})


def built(arch, out):
    """Configure and compile in the folder `out`, and run modpost; return a list of warnings and errors."""
    configure(arch, out)
    whole, single = [f"{folder}/" for folder in folders(arch)], objects(arch, out)
    if not single:
        return ["no object outside of these folders includes a header that the series changes"]
    status, log = logged(f"compile {len(single)} objects and {' '.join(whole)} for {arch}",
                         kernel.make(out, *variables(arch), *whole, *single), f"{out.name}.build",
                         env=kernel.environment())
    wrong = warnings(log)
    if status:
        return wrong or log.read_text(errors="replace").splitlines()[-4:]
    status, log = logged(f"modpost for {arch}", kernel.make(out, *variables(arch), *modules(out)),
                         f"{out.name}.modpost", env=dict(kernel.environment(), KBUILD_MODPOST_WARN="1"))
    found = [line for line in warnings(log) if not UNDEFINED.search(line)]
    if status and not found:
        found = log.read_text(errors="replace").splitlines()[-4:]
    return wrong + found + unresolved(arch, out)
