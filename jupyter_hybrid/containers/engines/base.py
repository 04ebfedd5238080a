"""What every engine is asked: a container to run, an image to look for, a container to remove."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import ClassVar


@dataclass(frozen=True)
class Mount:
    """A directory or file of the machine that the container sees."""

    source: Path
    target: PurePosixPath
    read_only: bool = False


@dataclass(frozen=True, kw_only=True)
class Container:
    """A container to run: one program in an image, until it ends."""

    #: As the engine knows it: a reference, an image's id, or the path of a SIF.
    image: str
    argv: tuple[str, ...]
    #: Unique on the machine.
    name: str
    cwd: Path
    mounts: tuple[Mount, ...] = ()
    #: All that the program gets, besides what the image sets.
    env: Mapping[str, str] = field(default_factory=dict)
    #: Whose files it writes: user and group id.
    user: tuple[int, int] = (0, 0)
    #: Indexes or UUIDs of GPUs, as nvidia-smi names them.
    gpus: tuple[str, ...] = ()
    cpus: int | None = None
    #: Bytes.
    mem: int | None = None
    #: Bytes of ``/dev/shm``; None: as much as the machine's memory gives.
    shm: int | None = None
    network: bool = True
    read_only: bool = False


@dataclass(frozen=True)
class Command:
    """A program to start, and variables to start it with."""

    argv: tuple[str, ...]
    #: In addition to the caller's own. Values stand here and not in ``argv``, which all can read.
    env: Mapping[str, str] = field(default_factory=dict)
    #: Where it is to be started, where that matters.
    cwd: Path | None = None


@dataclass(frozen=True)
class ImageOnDisk:
    """An image that an engine has."""

    #: Named by its content: what facts about it are kept under.
    id: str
    #: Bytes.
    size: int | None = None
    #: ``name@sha256:…`` in the registries it came from.
    digests: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)


class Engine(ABC):
    """Writes the commands of one container program and reads its answers. Pure."""

    #: As configuration and error messages call it.
    name: ClassVar[str]

    def __init__(self, program: str = "", options: tuple[str, ...] = ()) -> None:
        #: The program's name or path.
        self.program = program or self.name
        #: Added to every ``run``, as the site's configuration has them.
        self.options = options

    @abstractmethod
    def run(self, container: Container) -> Command:
        """Run it in the foreground: the command ends when the container has, with its status.

        Signals that end the command reach the program. Output is the program's own.
        """

    @abstractmethod
    def inspect(self, image: str) -> Command | None:
        """Ask for an image that may be on the disk; None where ``image`` is itself a path."""

    @abstractmethod
    def parse_inspect(self, text: str) -> ImageOnDisk:
        """Read what ``inspect`` printed with exit status 0; raises ``PlaceError``."""

    def load(self, layout: Path, name: str) -> Command | None:
        """Take an image out of an OCI layout; None where images are files.

        Its last word is the image's id.
        """
        return None

    def tag(self, image: str, name: str) -> Command | None:
        """Give an image on the disk a name; None where images are files."""
        return None

    def build(self, directory: Path, name: str) -> Command | None:
        """Make the image of the ``Dockerfile`` in the directory; None where that is not known."""
        return None

    def push(self, name: str, *, plain: bool = False) -> Command | None:
        """Send an image to its registry; None where images are files."""
        return None

    def remove_image(self, name: str) -> Command | None:
        """Remove an image from the disk; None where images are files."""
        return None

    def storage(self) -> Command | None:
        """Print the directory in which the engine keeps images; None where they are files."""
        return None

    @abstractmethod
    def remove(self, name: str) -> Command | None:
        """End the container and remove it; None where its processes are all it is."""
