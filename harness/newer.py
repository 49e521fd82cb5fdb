# SPDX-License-Identifier: GPL-2.0-only
"""Run kselftests of newer kernels, unmodified.

The tests of vfio are those of the newest Linux 7 in Debian's backports. They drive the igb NIC of QEMU 10 in five
modes: with VFIO_TYPE1_IOMMU and VFIO_TYPE1v2_IOMMU, each on type1 and on an iommufd as the container, and with
/dev/iommu and device nodes. The source is downloaded with apt, but not installed, so that the machine's packages stay
those of Debian 12.
"""
import re
import shutil

from . import debian_root, guest, kernel, packages, private_apt, qemu10, selftest
from .paths import BUILD, HARNESS
from .results import Results
from .shell import Failure, must, output

FOLDER = BUILD / "newer"
APT = FOLDER / "apt"
SUITE = f"{qemu10.RELEASE}-backports"
# The tests include headers of drivers for DMA engines and for the NIC.
PARTS = ["Makefile", "arch/x86", "drivers/dma", "drivers/net/ethernet/intel/igb", "include", "scripts", "tools", "usr"]
SELFTESTS = "tools/testing/selftests"
NIC = "0000:00:06.0"

# {pattern of the name of a test that fails: the reason, which Documentation/userspace-api/iommufd.rst gives}
DIFFERENT = {
    r"vfio_type1(v2)?_iommu\.overflow$": "type1 of Linux 6.1 returns EINVAL where newer kernels return EOVERFLOW",
    r"iommufd_compat_type1(v2)?\.overflow$": "an iommufd used as a container returns the errnos of type1",
    r"mmio_test\.iommufd_compat_type1(v2)?\.map_": "an iommufd used as a container maps device registers",
}


def apt():
    """Return the options with which apt-get uses only the archive of SUITE, and keeps its state in APT."""
    state = private_apt.options(APT)
    (APT / "sources.list").write_text(f"deb {debian_root.mirror()} {SUITE} main\n")
    return [*state, "-o", f"Dir::Etc::sourcelist={APT / 'sources.list'}", "-o", "Dir::Etc::sourceparts=-"]


def source():
    """Download and unpack the needed parts of the newest Linux 7 source; return its folder."""
    done = FOLDER / "linux"
    if done.exists():
        return done
    options = apt()
    must(f"read the list of packages of {SUITE}", ["apt-get", *options, "update"], "newer-update.log")
    names = [name for name in output("apt-cache", *options, "pkgnames", "linux-source-7").split()
             if re.fullmatch(r"linux-source-7\.\d+", name)]
    if not names:
        raise Failure(f"{SUITE} has no linux-source-7")
    name = max(names, key=lambda name: int(name.split(".")[1]))
    must(f"download {name}", ["apt-get", *options, "download", name], "newer-download.log", cwd=FOLDER)
    package = next(FOLDER.glob(f"{name}_*.deb"))
    unpacked = FOLDER / "package"
    must("unpack the package", ["dpkg-deb", "-x", package, unpacked], "newer-package.log")
    unpack(unpacked / f"usr/src/{name}.tar.xz", PARTS, done)
    shutil.rmtree(unpacked)
    package.unlink()
    return done


def unpack(tarball, parts, done):
    """Unpack the named parts of a kernel source to the folder `done`, which exists only if they are complete."""
    fresh, name = done.with_name("unpacked"), tarball.name.removesuffix(".tar.xz")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    must(f"unpack {tarball.name}", ["tar", "-C", fresh, "-xf", tarball, *(f"{name}/{part}" for part in parts)],
         f"{done.parent.name}-unpack.log")
    (fresh / name).rename(done)
    fresh.rmdir()


def build(tree, name, defines=()):
    """Build tools/testing/selftests/NAME of a source tree, in a folder next to the tree; return this folder."""
    folder = tree.parent
    programs, headers = folder / name, folder / "headers"
    must(f"install the headers of {tree}", ["make", "-C", tree, "headers_install", f"INSTALL_HDR_PATH={headers}"],
         f"{folder.name}-headers.log")
    programs.mkdir(exist_ok=True)
    must(f"build the kselftests in {name} of {tree}",
         ["make", "-C", tree / SELFTESTS / name, f"OUTPUT={programs}",
          f"KHDR_INCLUDES={' '.join([f'-isystem {headers}/include', *defines])}"], f"{folder.name}-build.log")
    return programs


def differing(seen, reasons):
    """Return the results `seen`, but count failed cases that match a pattern in `reasons` as passed.

    `reasons` is {pattern: reason}. A pattern that no failed case matches is a failure.
    """
    results, occurred = Results(passed=list(seen.passed), skipped=list(seen.skipped)), set()
    for case in seen.failed:
        pattern = next((pattern for pattern in reasons if re.search(pattern, case)), None)
        if pattern:
            occurred.add(pattern)
            results.passed.append(f"{case} differs: {reasons[pattern]}")
        else:
            results.fail(case)
    for pattern, reason in reasons.items():
        results.check(f"a test shows that {reason}", pattern in occurred)
    return results


def vfio():
    """Run the tests of vfio under our release kernel; return the results."""
    packages.need([*packages.KERNEL, *packages.DEBOOTSTRAP, *packages.NEWER])
    programs = build(source(), "vfio")
    names = sorted(path.name for path in programs.iterdir() if path.is_file() and path.name.endswith("_test"))
    script = (f". {HARNESS}/guest/tests.sh\nexport VFIO_SELFTESTS_BDF={NIC} TEST_SECONDS=600\n"
              f"echo 64 >/proc/sys/vm/nr_hugepages\nulimit -l unlimited\n"
              f"bash {source()}/{SELFTESTS}/vfio/scripts/setup.sh {NIC} || exit\n"
              + "".join(f"run_test {name} {programs} {name}\n" for name in names))
    machine = guest.Guest("newer-vfio", kernel.bzimage(kernel.build("release")), devices=[f"igb,addr={NIC[8:]}"],
                          args="vfio_pci.enable_sriov=1", qemu=qemu10.installed(), memory="3G", timeout=1800)
    outcome = guest.boot(machine, script)
    results = differing(selftest.judge(outcome.lines, complete=False), DIFFERENT)
    results.add(outcome.failures(allowed=["dma-fault"]))
    return results
