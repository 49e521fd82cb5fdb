# SPDX-License-Identifier: GPL-2.0-only
"""Let apt-get read other archives or architectures without changing the packages or the sources of this machine."""


def options(folder):
    """Return the options with which apt-get keeps its state in the folder, and create what it needs there."""
    for name in ("state/lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    return ["-o", f"Dir::State={folder / 'state'}", "-o", f"Dir::Cache={folder / 'cache'}",
            "-o", "APT::Sandbox::User=root"]
