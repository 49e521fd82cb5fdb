# SPDX-License-Identifier: GPL-2.0-only
"""Configurations of the kernels that make deb packs: the choices of CONFIG=, TYPE1= and LSMOD=."""
import gzip
import os
import platform
from dataclasses import dataclass
from pathlib import Path

from . import debian_config, kernel
from .shell import Failure

# {CONFIG=: fragments in harness/config}
FRAGMENTS = {
    "debian": ["packaged", "signed"],
    "local": ["packaged", "signed"],
    "small": ["common", "x86", "release", "packaged", "debian-guest"],
}
# {TYPE1=: fragment in harness/config}
TYPE1 = {"engine": "engine", "present": "standalone"}
LOADED = Path("/proc/modules")


@dataclass(frozen=True)
class Choice:
    """A kernel that make deb packs."""
    config: str = "debian"      # one of FRAGMENTS
    type1: str = "engine"       # one of TYPE1

    def suffix(self):
        """Return the suffix of the kernel's release, after the version of Linux. It differs for each choice."""
        return "-".join(["-iopt", *[self.config] * (self.config != "debian"), *[self.type1] * (self.type1 != "engine")])


def chosen(variable, choices):
    """Return the value of the variable, by default the first of the choices; raise Failure for any other value."""
    value = os.environ.get(variable) or next(iter(choices))
    if value not in choices:
        raise Failure(f"{variable}={value}: choose from {', '.join(choices)}")
    return value


def given():
    """Return the Choice that CONFIG= and TYPE1= name; raise Failure if one of them, or LSMOD=, is wrong."""
    choice = Choice(chosen("CONFIG", FRAGMENTS), chosen("TYPE1", TYPE1))
    if choice.config == "local":
        loaded()
    elif os.environ.get("LSMOD"):
        raise Failure("LSMOD= has no effect without CONFIG=local")
    return choice


def loaded():
    """Return the names of the modules that this machine has loaded, or those in the file LSMOD=, an output of lsmod."""
    source = Path(os.environ.get("LSMOD") or LOADED).expanduser()
    try:
        lines = source.read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    found = {line.split()[0] for line in lines if line.strip() and not line.startswith("Module ")}
    if not found:
        raise Failure(f"CONFIG=local: {source} lists no loaded module. On the machine that is to boot the kernel, run "
                      "`lsmod >FILE`, and give that file as LSMOD=FILE.")
    return found


def running(folder):
    """Copy the configuration of the running kernel into the folder; return its path, or None if it is not readable."""
    path = folder / "running.config"
    boot, proc = Path(f"/boot/config-{platform.release()}"), Path("/proc/config.gz")
    for source, unpack in (boot, bytes), (proc, gzip.decompress):
        if source.is_file() and os.access(source, os.R_OK):
            path.write_bytes(unpack(source.read_bytes()))
            return path
    return None


def modules(folder):
    """Return a file with the modules of loaded(), and those that it had in earlier runs.

    Otherwise, a module that is not loaded at the moment would change the configuration, and with it the build.
    """
    path = folder / "modules"
    earlier = path.read_text().split() if path.exists() else []
    path.write_text("".join(f"{name}\n" for name in sorted({*earlier, *loaded()})))
    return path


def start(config, folder):
    """Return the Start of a configuration; files that it needs are written into the folder."""
    if config == "small":
        return kernel.Start()
    if config == "debian":
        return kernel.Start("olddefconfig", debian_config.of(debian_config.architecture()))
    ours = None if os.environ.get("LSMOD") else running(folder)
    return kernel.Start("localmodconfig", ours or debian_config.of(debian_config.architecture()), modules(folder))


def ensure(choice, out, tree):
    """Configure the chosen kernel in the folder `out`, unless it is configured already."""
    out.mkdir(parents=True, exist_ok=True)
    version = out / "version.config"
    version.write_text(f'CONFIG_LOCALVERSION="{choice.suffix()}"\n')
    files = [*kernel.fragments(*FRAGMENTS[choice.config], TYPE1[choice.type1]), version]
    kernel.ensure_config(out, files, tree, start=start(choice.config, out))
