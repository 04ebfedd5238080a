"""Apptainer, and Singularity before it: containers without a daemon, as the user."""

from __future__ import annotations

import json
from pathlib import Path

from ...errors import PlaceError, UsageError
from .base import Command, Container, Engine, ImageOnDisk, Mount

#: Fixed text; its arguments are the file, the program and the source. A lock goes with its holder.
_MAKE = """\
set -eu
mkdir -p "$(dirname "$1")"
exec 9>"$1.lock"
part=$1.part
# (some mount Lustre without locks: there everybody makes their own, and the last one's stays)
flock 9 || part=$1.part.$(uname -n).$$
# (whoever comes to another lock of this name finds the file as well)
if [ -e "$1" ]; then rm -f "$1.lock"; exit 0; fi
trap 'rm -f "$part"' EXIT
rm -f "$part"
"$2" --quiet build --disable-cache "$part" "$3" 9>&-
mv "$part" "$1"
rm -f "$1.lock"
"""


class Apptainer(Engine):
    """``apptainer exec``: the program's processes are the caller's own, seen by all as such.

    What limits memory and cores is the scheduler or the runner: an unprivileged Apptainer has no
    cgroups.
    """

    name = "apptainer"

    def run(self, container: Container) -> Command:
        """``apptainer exec`` of a SIF, a sandbox or a reference, with nothing of the caller's."""
        argv = [self.program, "--quiet", "exec", "--cleanenv", f"--pwd={container.cwd}"]
        if container.gpus:
            argv.append("--nv")
        if not container.network:
            argv += ["--net", "--network=none"]
        for mount in container.mounts:
            argv.append(f"--bind={_bind(mount)}")
        # variables with this prefix get into the container without it, whatever --cleanenv says
        prefix = self._prefix
        env = {f"{prefix}{name}": value for name, value in container.env.items()}
        if container.gpus:
            env[f"{prefix}CUDA_VISIBLE_DEVICES"] = ",".join(container.gpus)
            # (they are nvidia-smi's numbers, and CUDA's own order is another)
            env[f"{prefix}CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"
        argv += [*self.options, container.image, *container.argv]
        return Command(tuple(argv), env)

    @property
    def _prefix(self) -> str:
        return "SINGULARITYENV_" if "singularity" in Path(self.program).name else "APPTAINERENV_"

    def inspect(self, image: str) -> Command | None:
        """None: an image is a file."""
        return None

    def parse_inspect(self, text: str) -> ImageOnDisk:
        """The labels of ``apptainer inspect --json``."""
        try:
            labels = json.loads(text)["data"]["attributes"]["labels"] or {}
            return ImageOnDisk(id="", labels=labels)
        except (ValueError, KeyError, TypeError) as error:
            raise PlaceError(
                f"{self.program} inspect answered what is no image: {text[:200]!r}"
            ) from error

    def make(self, source: str, target: Path) -> Command:
        """Make a SIF of ``docker://…``, ``oci:DIRECTORY`` or a definition; once, and whole.

        Whoever asks for the same one meanwhile, on whichever machine that shares the directory,
        waits for it; where it is already there nothing happens.
        """
        argv = ("/bin/sh", "-c", _MAKE, "make", str(target), self.program, source)
        return Command(argv)

    def remove(self, name: str) -> Command | None:
        """None: it is its processes."""
        return None


def _bind(mount: Mount) -> str:
    for path in (mount.source, mount.target):
        if any(c in str(path) for c in ",:"):
            raise UsageError(
                f"Apptainer cannot bind {str(path)!r}: its paths must not hold ',' or ':'; "
                "name another directory"
            )
    return f"{mount.source}:{mount.target}" + (":ro" if mount.read_only else "")
