"""podman on machines like CI's: root without CAP_SYS_RESOURCE, hybrid cgroups, no network.

``tests/services/podman/start`` makes a storage of that kind for people; buildah has the same.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: crun refuses hybrid cgroups, and podman's usual limits cannot be raised there.
CONFIG = """
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1000:1000"]
netns = "host"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""
STORAGE = """
[storage]
driver = "overlay"
graphroot = "{root}"
runroot = "{run}"
"""


def configured(folder: Path) -> dict[str, str]:
    """The environment of a podman that keeps everything in the folder."""
    (folder / "containers.conf").write_text(CONFIG)
    root, run = folder / "root", folder / "run"
    (folder / "storage.conf").write_text(STORAGE.format(root=root, run=run))
    return {
        "CONTAINERS_CONF": str(folder / "containers.conf"),
        "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
    }


@contextmanager
def storage() -> Iterator[tuple[list[str], dict[str, str]]]:
    """podman's first words and the environment it needs; its storage is gone afterwards."""
    # podman takes no path of more than 50 characters for what it keeps while it runs
    folder = Path(tempfile.mkdtemp(prefix="pm-", dir="/tmp"))
    # by its words, or by its environment for what starts it without them
    environment = configured(folder)
    try:
        yield words_for(folder), environment
    finally:
        remove(folder)


def words_for(folder: Path) -> list[str]:
    """The first words of a podman that keeps everything in the folder."""
    places = ["--root", str(folder / "root"), "--runroot", str(folder / "run")]
    return ["podman", *places, "--storage-driver", "overlay"]


def remove(folder: Path) -> None:
    """Remove the folder, and end what runs in it."""
    # what still ends is ended: it would write into what is removed
    removal = [*words_for(folder), "rm", "--all", "--force", "--time=0"]
    environ = {**os.environ, **configured(folder)}
    subprocess.run(removal, env=environ, capture_output=True, check=False)
    # its storage is a mount of its own
    subprocess.run(["umount", "-R", folder / "root/overlay"], capture_output=True, check=False)
    shutil.rmtree(folder)
