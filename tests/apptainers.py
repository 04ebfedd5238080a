"""Apptainer on a Debian whose C library is too old for it: inside the root of the HPC cluster.

What is below ``/tmp`` has the same path there, and processes have the pids that they have here.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

#: pivot_root and not chroot: in a chroot the kernel refuses the user namespaces of Apptainer.
_INSIDE = """\
set -eu
root=$1; here=$2; shift 2
mount --bind "$root" "$root"
cd "$root"
for name in proc sys dev tmp; do mount --rbind "/$name" "$name"; done
mount -t tmpfs tmpfs run
mount -t tmpfs -o mode=1777 tmpfs var/tmp
pivot_root . mnt
cd "$here" 2>/dev/null || cd /
umount -l /mnt
if [ -n "${STAND_IN_LIBRARIES:-}" ]; then
  # what a driver's installer does, seen from here alone: what ldconfig knows, --nv looks in
  /usr/sbin/ldconfig -i -C "$STAND_IN_LIBRARIES.cache" "$STAND_IN_LIBRARIES" 2>/dev/null
  mount --bind "$STAND_IN_LIBRARIES.cache" /etc/ld.so.cache
fi
# (the PATH leads to this very program as well)
exec /usr/bin/apptainer "$@"
"""
#: As root it asks for capabilities that the root of such machines does not have.
OPTIONS = ("--no-privs",)


#: What stands for the driver's library: the real one would say how many GPUs there are as well.
NVML = """
int nvmlInit_v2(void) { return 0; }
int nvmlDeviceGetCount_v2(unsigned *count) { *count = 2; return 0; }
"""


def write_driver(directory: Path) -> dict[str, str]:
    """A stand-in for an installed driver's libraries; returns the variable that names it."""
    directory.mkdir()
    command = ["gcc", "-shared", "-x", "c", "-", "-o", str(directory / "libnvidia-ml.so.1")]
    command += ["-Wl,-soname,libnvidia-ml.so.1"]
    subprocess.run(command, input=NVML, text=True, check=True)
    return {"STAND_IN_LIBRARIES": str(directory)}


def write_program(directory: Path, root: Path) -> None:
    """Put a program ``apptainer`` into the directory."""
    directory.mkdir()
    (directory / "inside.sh").write_text(_INSIDE)
    program = directory / "apptainer"
    program.write_text(
        "#!/bin/sh\nexec unshare --mount --propagation private "
        f'/bin/sh {directory}/inside.sh {root} "$PWD" "$@"\n'
    )
    program.chmod(0o755)
