"""A lock: the packages of a layer, each with its version and its files' hashes. Pure."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ..environment.facts import ImageFacts
from ..environment.probe import canonical
from ..errors import ImageError

#: Changes with what a layer of the same lock looks like.
FORMAT = 2

#: What uv knows as ``--python-platform``; it counts as the newest of these that glibc reaches.
_MANYLINUX = (17, 28, *range(31, 41))
_PINNED = re.compile(r"([A-Za-z0-9][\w.-]*)(?:\[[^]]*\])?\s*==\s*(\S+)")
_DIRECT = re.compile(r"([A-Za-z0-9][\w.-]*)(?:\[[^]]*\])?\s*@\s*(\S+)")


@dataclass(frozen=True)
class Locked:
    """One package of a lock."""

    #: Canonical.
    name: str
    version: str = ""
    #: ``sha256:…`` of each of its files that may be taken.
    hashes: tuple[str, ...] = ()
    #: Where it comes from, unless from an index.
    url: str = ""

    @property
    def line(self) -> str:
        """The line of a requirements file."""
        named = f"{self.name} @ {self.url}" if self.url else f"{self.name}=={self.version}"
        return " ".join((named, *(f"--hash={value}" for value in self.hashes)))


@dataclass(frozen=True)
class Lock:
    """All packages of a layer, and for which Python and platform."""

    python: str
    platform: str
    packages: tuple[Locked, ...] = ()
    #: Packages of the lock that have no wheels, and are built here.
    built: tuple[str, ...] = ()
    #: What else decides the layer's content: where it is to lie, whose interpreter it names.
    place: str = ""

    @property
    def digest(self) -> str:
        """64 hex digits that change with everything that the layer holds."""
        data: dict[str, Any] = {**asdict(self), "format": FORMAT}
        for package in data["packages"]:
            if package["hashes"]:
                # a wheel made here lies where it was made, and is the same one everywhere
                package["url"] = bool(package["url"])
        return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()

    @property
    def text(self) -> str:
        """The lock as a requirements file."""
        return "".join(f"{package.line}\n" for package in self.packages)

    def to_json(self) -> dict[str, Any]:
        """A JSON object; ``from_json`` reads it back."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Lock:
        """Read ``to_json``'s object."""
        values = dict(data)
        packages = [{**p, "hashes": tuple(p["hashes"])} for p in values.pop("packages")]
        values["built"] = tuple(values["built"])
        return cls(**values, packages=tuple(Locked(**p) for p in packages))


def parse_lock(text: str, leave_out: Iterable[str] = ()) -> tuple[Locked, ...]:
    """The packages in what ``uv pip compile --generate-hashes`` writes, by name."""
    left = set(leave_out)
    joined = re.sub(r"\\\n", " ", text)
    found = []
    for line in joined.splitlines():
        named = re.sub(r"(^|\s)#.*", "", line).strip()
        pinned, direct = _PINNED.match(named), _DIRECT.match(named)
        match = pinned or direct
        if match is None or canonical(match[1]) in left:
            continue
        hashes = tuple(sorted(re.findall(r"--hash=(\S+)", named)))
        if pinned:
            found.append(Locked(canonical(pinned[1]), pinned[2], hashes))
        elif direct:
            found.append(Locked(canonical(direct[1]), "", hashes, direct[2]))
    return tuple(sorted(found, key=lambda package: package.name))


def uv_platform(facts: ImageFacts) -> str:
    """What uv calls the image's platform; raises ``ImageError`` where it knows none."""
    machine = {"arm64": "aarch64", "amd64": "x86_64"}.get(facts.machine, facts.machine)
    name, version = facts.libc
    if machine not in ("x86_64", "aarch64") or name not in ("glibc", "musl"):
        libc = " ".join(part for part in facts.libc if part) or "an unknown C library"
        raise ImageError(
            f"the image is for {facts.machine or 'an unknown machine'} with {libc}: packages can "
            "be added to images for x86_64 or aarch64 with glibc or musl; choose one, or one "
            "that has all packages"
        )
    if name == "musl":
        return f"{machine}-unknown-linux-musl"
    found = re.match(r"2\.(\d+)", version)
    minor = int(found[1]) if found else 17
    if minor < _MANYLINUX[0]:
        raise ImageError(f"the image's glibc is {version}; wheels need 2.17: choose a newer image")
    return f"{machine}-manylinux_2_{max(m for m in _MANYLINUX if m <= minor)}"


def platform_words(facts: ImageFacts) -> str:
    """The image's platform as one says it: ``Python 3.10 on x86_64 with glibc 2.35``."""
    return "Python {}.{} on {} with {}".format(*facts.minor, facts.machine, " ".join(facts.libc))
