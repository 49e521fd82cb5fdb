# SPDX-License-Identifier: GPL-2.0-only
"""Let apt-get read other archives or architectures without changing the packages or the sources of this machine."""


def options(folder):
    """Return the options with which apt-get keeps its state in the folder, and create what it needs there."""
    for name in ("state/lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    return ["-o", f"Dir::State={folder / 'state'}", "-o", f"Dir::Cache={folder / 'cache'}",
            "-o", "APT::Sandbox::User=root"]


def foreign(folder, arch):
    """Return the options with which apt-get downloads packages of an architecture, as if none was installed."""
    status = folder / "status"
    status.parent.mkdir(parents=True, exist_ok=True)
    status.write_text("")
    # Without root, apt-get cannot lock the state of the machine, which it does not use.
    return [*options(folder), "-o", f"APT::Architecture={arch}", "-o", f"APT::Architectures={arch}",
            "-o", f"Dir::State::status={status}", "-o", "Debug::NoLocking=1"]
