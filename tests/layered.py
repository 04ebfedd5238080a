"""This machine's root as a base image, with layers on top: what a container sees, by chroot."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

#: Fixed text; the layers, the mount point and the command are its arguments.
_INSIDE = """
set -e
mount -t tmpfs tmpfs "$1"; cd "$1"; shift
mkdir root
lower=
while [ "$1" != -- ]; do
  mkdir "layer$#"; tar -xf "$1" -C "layer$#"; lower="$PWD/layer$#:$lower"; shift
done
shift
mount -t overlay overlay -o "lowerdir=$lower/" root
mount -t proc proc root/proc
mount --bind /dev root/dev
mount -t tmpfs tmpfs root/tmp
exec chroot root "$@"
"""


def run_on(
    layers: Sequence[Path], command: Sequence[str], mount: Path, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command in this machine's root with the layers on top, read-only but for ``/tmp``."""
    mount.mkdir(exist_ok=True)
    argv = ["unshare", "--mount", "--propagation", "private", "sh", "-c", _INSIDE, "inside"]
    argv += [str(mount), *map(str, layers), "--", *command]
    environ = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/tmp",
        "TMPDIR": "/tmp",
        **(env or {}),
    }
    return subprocess.run(argv, env=environ, capture_output=True, text=True, check=False)
