# SPDX-License-Identifier: GPL-2.0-only
"""Install the packages of make deb CONFIG=small in a Debian 12, boot it, and use its devices as an ordinary user.

The kernels with either implementation of type1 are installed side by side, and both are booted. The sample and the
selftests are compiled with the headers of linux-libc-dev.
"""
import shutil

from . import deb, debian_disk, guest, ktap, machine, run, selftest
from .deb_config import TYPE1, Choice
from .paths import BUILD, HARNESS, LINUX
from .results import Results

FOLDER = BUILD / "deb-test"
# {TYPE1=: a module that vfio_iommu_type1 depends on}
DEPENDS = {"engine": "iopt", "present": "vfio"}
TYPE1_PROGRAMS = ["vfio/vfio_group", "vfio/vfio_type1"]
# Programs that an ordinary user can run, as they neither change the drivers of devices nor need capabilities. Those
# that count pinned pages often are left out: for an ordinary user, each count takes three seconds.
PROGRAMS = ["iommufd/uapi_layout", "iommufd/command_format", "iommufd/ioctl_errno", "iommufd/device_info",
            "iommufd/iova_ranges", "iommufd/ioas_allow", "iommufd/ioas_dma", "iommufd/names_proposal",
            "iommufd/object_bugs", "vfio/vfio_cdev", *TYPE1_PROGRAMS]
LOCKED = 256 << 20      # bytes of RLIMIT_MEMLOCK; some programs need more than the default of 8 MiB
COPY = "/opt/harness"   # in the guest: an ordinary user may be unable to read the folder of the repository


def script(choice, programs, sample):
    """Return the script of a guest: the checks of guest/debian.sh, then the sample and programs as a user."""
    return "\n".join([
        f"export RELEASE={deb.release(choice)} DEPENDS={DEPENDS[choice.type1]} USER={debian_disk.USER}",
        "export TEST_SECONDS=900",
        f". {HARNESS}/guest/debian.sh", f". {HARNESS}/guest/tests.sh",
        f"mkdir {COPY}",
        f"cp -r {sample} {LINUX}/samples/iommufd/run.sh {COPY}",
        *(f"cp -r {selftest.folder(machine.PC)}/{name}-installed {COPY}/{name}" for name in selftest.COLLECTIONS),
        f'RUN_AS="prlimit --memlock={LOCKED} runuser -u $USER --"',
        f"run_sample {COPY}/run.sh {COPY}/{sample.name}",
        *(f"run_test {name} {COPY}/{name.split('/')[0]} {name.split('/')[1]}" for name in programs),
        "unload", ""])


def judge(outcome):
    """Return the results of the checks, which are outside of all programs, and those of the programs."""
    results, inside, outside = selftest.judge(outcome.lines, False), False, []
    for line in outcome.lines:
        inside = bool(guest.BEGIN.match(line)) or inside and not guest.END.match(line)
        if not inside:
            outside.append(line)
    results.add(ktap.parse(outside))
    # The sample and programs let the IOMMU block DMA on purpose.
    results.add(outcome.failures(allowed=["dma-fault"]))
    return results


def boot(choice, root, disk, programs, sample):
    release = deb.release(choice)
    machine = guest.Guest(f"deb-{choice.type1}", root / f"boot/vmlinuz-{release}", root / f"boot/initrd.img-{release}",
                          disk, devices=guest.EDU, timeout=3600)
    return judge(guest.boot(machine, script(choice, programs, sample)))


def removed(root):
    """Purge the packages of the kernels; return the paths that they leave in the root."""
    debian_disk.chroot("purge the kernels", root, ["apt-get", "purge", "-y", "linux-*-iopt*"], "debian-purge.log")
    return sorted(str(path.relative_to(root)) for place in ("boot", "lib/modules") for path in (root / place).glob("*")
                  if "iopt" in path.name)


def forget():
    """Remove the sample and the selftests."""
    for folder in run.folder(machine.PC), selftest.folder(machine.PC):
        shutil.rmtree(folder, ignore_errors=True)


def tested():
    """Build the packages, install them, and run all checks; return the results."""
    choices, results = [Choice("small", type1) for type1 in TYPE1], Results()
    # linux-libc-dev is the same package for all choices.
    debs = {path: choice for choice in choices for path in deb.build(choice)}
    root, disk = debian_disk.make(FOLDER, list(debs))
    include = root / "usr/include"
    # make does not notice that programs were built with other headers.
    forget()
    sample = run.build_sample(machine.PC, include)
    selftest.build_programs(machine.PC, include, include / "x86_64-linux-gnu")
    for choice in choices:
        programs = PROGRAMS if choice.type1 == "engine" else TYPE1_PROGRAMS
        results.add(boot(choice, root, disk, programs, sample), f"TYPE1={choice.type1}: ")
    forget()
    left = removed(root)
    results.check("purging the packages leaves no kernel, initramfs or module", not left, left)
    return results
