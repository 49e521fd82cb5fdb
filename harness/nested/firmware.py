# SPDX-License-Identifier: GPL-2.0-only
"""Build a disk image and a network boot program for the nested machine."""
import random

from ..shell import must

SECTOR = 512
LOAD = 0x7c00                   # address of the program
MAILBOX = 0x600                 # see boot.S
FIRST, SECOND = 0x20000, 0x30000        # buffers of the boot sector
SECTORS = 64
LENGTH = SECTORS * SECTOR
SOURCE, TARGET = 8, 4096        # sectors of the disk that the boot sector reads and writes
DISK_SIZE = 16 << 20
NETWORK_SIZE = 128 << 10
PASSED, FAILED = 0x10, 0x11     # values that the program writes to isa-debug-exit
SYMBOLS = {"FIRST": FIRST, "SECOND": SECOND, "SECTORS": SECTORS, "SOURCE": SOURCE, "TARGET": TARGET,
           "PASSED": PASSED, "FAILED": FAILED}


def status(value):
    """Return the exit status of QEMU after the machine wrote a value to isa-debug-exit."""
    return value << 1 | 1


def data(length):
    """Return bytes without a pattern, which are the same in each call."""
    return random.Random(length).randbytes(length)


def assemble(source, folder, disk):
    """Assemble the program as a boot sector or as the first 512 bytes of a network boot program; return its bytes."""
    name = folder / ("sector" if disk else "network")
    symbols = [f"--defsym={symbol}={value}" for symbol, value in {**SYMBOLS, "DISK": int(disk)}.items()]
    must(f"assemble {source.name}", ["as", "--32", *symbols, "-o", f"{name}.o", source], f"nested-{name.name}.as")
    must(f"link {name.name}", ["ld", "-m", "elf_i386", "--oformat=binary", "-e", "0", f"-Ttext={LOAD:#x}",
                               "-o", name, f"{name}.o"], f"nested-{name.name}.ld")
    return name.read_bytes()


def write_disk(path, sector):
    """Write the disk image: the boot sector, and data at SOURCE."""
    image = bytearray(DISK_SIZE)
    image[:len(sector)] = sector
    image[SOURCE * SECTOR:SOURCE * SECTOR + LENGTH] = data(LENGTH)
    path.write_bytes(image)


def written(path):
    """Return whether the boot sector has written to TARGET of the disk image what is at SOURCE."""
    image = path.read_bytes()
    return image[TARGET * SECTOR:TARGET * SECTOR + LENGTH] == data(LENGTH)


def write_network(path, start):
    """Write the network boot program, which is filled up with data."""
    path.write_bytes(start + data(NETWORK_SIZE))
