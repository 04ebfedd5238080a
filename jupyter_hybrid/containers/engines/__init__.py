"""Programs that run containers on a machine: their command lines, and what they answer.

Nothing is run here. An engine says which command does it, and reads what that prints; who asks runs
it where the container shall be, on this machine or at the other end of a transport.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from ...errors import ConfigError
from .apptainer import Apptainer
from .base import Command, Container, Engine, ImageOnDisk, Mount
from .buildah import Buildah
from .docker import Docker, Podman

__all__ = [
    "Apptainer",
    "Buildah",
    "Command",
    "Container",
    "Docker",
    "Engine",
    "ImageOnDisk",
    "Mount",
    "Podman",
    "builders_here",
    "engine_named",
    "engines_here",
]

#: By the name that a target's configuration has.
ENGINES: dict[str, Callable[[], Engine]] = {
    "docker": Docker,
    "podman": Podman,
    "apptainer": Apptainer,
    "singularity": lambda: Apptainer("singularity"),
}


def engine_named(name: str) -> Engine:
    """The engine of this name; raises ``ConfigError``."""
    if name not in ENGINES:
        known = ", ".join([*ENGINES, "none"])
        raise ConfigError(f"there is no container engine {name!r}; choose one of: {known}")
    return ENGINES[name]()


def engines_here(which: Callable[[str], str | None] = shutil.which) -> list[Engine]:
    """Engines whose programs are on the PATH; a daemon that they need may not run all the same."""
    names = ("docker", "podman", "apptainer", "singularity")
    return [ENGINES[name]() for name in names if which(name)]


def builders_here(which: Callable[[str], str | None] = shutil.which) -> list[Engine]:
    """Those that make images out of instructions; Buildah is one that runs none."""
    found = [engine for engine in engines_here(which) if engine.build(Path(), "")]
    return [*found, Buildah()] if which(Buildah.name) else found
