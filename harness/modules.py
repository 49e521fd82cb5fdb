# SPDX-License-Identifier: GPL-2.0-only
"""Build the kernel modules of the harness, each from the folder in harness/ that has its name."""
import shutil

from . import kernel
from .paths import BUILD, HARNESS
from .shell import must


def build(name, out):
    """Build the named module for the kernel in the build folder `out`; return the path of the .ko."""
    place = BUILD / f"{name}-{out.name}"
    place.mkdir(exist_ok=True)
    for source in (HARNESS / name).iterdir():
        shutil.copy2(source, place)
    must(f"build the module {name}", kernel.make(out, f"M={place}", "modules"), f"{place.name}.build",
         env=kernel.environment())
    return place / f"{name}.ko"
