"""Programs that run containers on a machine: their command lines, and what they answer.

Nothing is run here. An engine says which command does it, and reads what that prints; who asks runs
it where the container shall be, on this machine or at the other end of a transport.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable

from ...errors import ConfigError
from .apptainer import Apptainer
from .base import Command, Container, Engine, ImageOnDisk, Mount
from .docker import Docker, Podman

__all__ = [
    "Apptainer",
    "Command",
    "Container",
    "Docker",
    "Engine",
    "ImageOnDisk",
    "Mount",
    "Podman",
    "engine_named",
    "first_engine",
]

#: By the name that a target's configuration has; first come, first taken where it names none.
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


def first_engine(which: Callable[[str], str | None] = shutil.which) -> Engine | None:
    """The first engine whose program is on the PATH; None where there is none."""
    return next((make() for name, make in ENGINES.items() if which(name)), None)
