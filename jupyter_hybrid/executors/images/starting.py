"""A job as a container: what runs in it, what it sees. Pure, and the same for every engine.

Paths are those of the machine where the container runs. A job's directory and the blobs have the
same paths inside as outside, so that whatever the runner notes is true on both sides.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ...containers.engines import Container, Mount
from ...containers.layer_store import PackageLayer
from ...spec import Resources
from .settings import ImageSettings

#: The program of the job, by way of NVIDIA's entry point where the image has it: that prints its
#: banner into the log and sets what the image's libraries want. No other entry point is run.
START = """\
if [ -x /opt/nvidia/nvidia_entrypoint.sh ]; then exec /opt/nvidia/nvidia_entrypoint.sh "$@"; fi
exec "$@"
"""
#: Bytes that a container gets beyond the job's limit: the runner, which watches that limit and can
#: say what happened, is to be faster than the kernel's own killer.
ROOM = 256 << 20
#: Variables by which programs find proxies, in both spellings.
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "ALL_PROXY", "NO_PROXY")


#: Apptainer brings the user's home along: what is installed there would hide the image's packages.
IN_EVERY_IMAGE = {"PYTHONNOUSERSITE": "1"}


@dataclass(frozen=True)
class Layered:
    """A layer of packages that lies unpacked in a directory of the machine."""

    layer: PackageLayer
    #: The layer's root: what is ``/opt/…`` in an image is ``opt/…`` below it.
    unpacked: Path

    def mounts(self) -> Iterator[Mount]:
        """Its packages, and the file by which the image's Python finds them."""
        for path in filter(None, (self.layer.directory, self.layer.pth)):
            yield Mount(self.unpacked / path.lstrip("/"), PurePosixPath(path), read_only=True)


@dataclass(frozen=True)
class Interior:
    """An image with layers, as the engine of the machine knows it."""

    #: A reference, an image's id, or the path of a SIF.
    image: str
    #: The image's interpreter.
    python: str
    runner: Layered
    packages: Layered | None = None
    #: The modules that it starts with, in files (``runner.kept``).
    start: Mount | None = None

    @property
    def layers(self) -> tuple[Layered, ...]:
        """What is put on top of the image."""
        return (self.runner, self.packages) if self.packages else (self.runner,)


@dataclass(frozen=True)
class Start:
    """One start of one job."""

    #: Unique on the machine.
    name: str
    directory: Path
    blobs: Path
    resources: Resources
    #: Indexes of the GPUs that it gets.
    gpus: tuple[str, ...] = ()
    #: Whose files it writes: user and group id, and the user's name.
    user: tuple[int, int] = (0, 0)
    user_name: str = ""
    #: Variables of the job's own.
    env: Mapping[str, str] | None = None


def runner_words(python: str, runner: PackageLayer, start: Start) -> list[str]:
    """The program that executes the job in the image."""
    words = [python, runner.directory, str(start.directory), "--blobs", str(start.blobs)]
    if start.resources.time is not None:
        words += ["--time", str(start.resources.time)]
    if start.resources.mem is not None:
        words += ["--mem", str(start.resources.mem)]
    return words


def container(interior: Interior, start: Start, settings: ImageSettings) -> Container:
    """The container that executes the job."""
    words = runner_words(interior.python, interior.runner.layer, start)
    mounts = [mount for layered in interior.layers for mount in layered.mounts()]
    mounts += [interior.start] if interior.start else []
    mounts += [_same(start.directory), _same(start.blobs, read_only=True), *settings.mounts]
    mem = start.resources.mem
    named = {"USER": start.user_name, "LOGNAME": start.user_name} if start.user_name else {}
    named |= IN_EVERY_IMAGE
    return Container(
        image=interior.image,
        argv=("/bin/sh", "-c", START, "sh", *words),
        name=start.name,
        cwd=start.directory,
        mounts=tuple(mounts),
        env={**named, **settings.env, **(start.env or {})},
        user=start.user,
        gpus=start.gpus,
        cpus=start.resources.cpus,
        mem=None if mem is None else mem + ROOM,
        network=settings.network,
        read_only=settings.read_only,
    )


def proxies(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that name proxies, as they are there."""
    names = (*PROXIES, *map(str.lower, PROXIES))
    return {name: environment[name] for name in names if environment.get(name)}


def _same(path: Path, *, read_only: bool = False) -> Mount:
    return Mount(path, PurePosixPath(path), read_only)
