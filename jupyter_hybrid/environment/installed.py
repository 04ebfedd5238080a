"""The distributions that are installed here, and which of them has a module.

``importlib.metadata.packages_distributions`` answers the second question in a tenth of a second,
for top-level names only; this one is quicker, knows parts of namespace packages apart
(``google.cloud.storage``), and reads what was installed from where (PEP 610).
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .probe import canonical, scan

EDITABLE, DIRECTORY, ARCHIVE, GIT = "editable", "directory", "archive", "git"

_NAME = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")
_EXTRA = re.compile(r"\bextra\s*==")


@dataclass(frozen=True)
class Origin:
    """Where a distribution came from that is not from an index (PEP 610)."""

    #: ``editable``, ``directory``, ``archive`` or ``git`` (any version control).
    kind: str
    #: Without credentials.
    url: str
    commit: str = ""


@dataclass(frozen=True)
class Installed:
    """A distribution that is installed here."""

    #: As it calls itself, and as PEP 503 compares it.
    title: str
    name: str
    version: str
    requires: tuple[str, ...]
    requires_python: str
    extras: tuple[str, ...]
    #: Top-level modules.
    modules: tuple[str, ...]
    #: Its ``.dist-info`` directory (or ``.egg-info``).
    info: Path

    @cached_property
    def origin(self) -> Origin | None:
        """Where it came from, unless from an index."""
        try:
            record = json.loads((self.info / "direct_url.json").read_bytes())
            return _origin(record)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    @cached_property
    def record(self) -> str:
        """The text of its RECORD; empty where it has none."""
        try:
            return (self.info / "RECORD").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""

    def has(self, module: str) -> bool:
        """True where the dotted module is one of its files or directories."""
        path = re.escape(module.replace(".", "/"))
        return re.search(rf'^"?{path}(/|\.(py|[\w-]*\.?so|pyd)\b)', self.record, re.M) is not None


def _origin(record: Mapping[str, Any]) -> Origin:
    parts = urlsplit(record["url"])
    url = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    if "vcs_info" in record:
        return Origin(GIT, url, str(record["vcs_info"].get("commit_id") or ""))
    if "dir_info" in record:
        return Origin(EDITABLE if record["dir_info"].get("editable") else DIRECTORY, url)
    return Origin(ARCHIVE, url)


class Installation:
    """All distributions that a kernel of this environment can import from."""

    def __init__(self, distributions: Iterable[Installed]) -> None:
        self._by_name: dict[str, Installed] = {}
        for found in distributions:
            # the first on the path is the one that is imported
            self._by_name.setdefault(found.name, found)
        self._owners: dict[str, list[Installed]] = {}
        for found in self._by_name.values():
            for module in found.modules:
                self._owners.setdefault(module, []).append(found)

    def __iter__(self) -> Iterator[Installed]:
        return iter(self._by_name.values())

    def get(self, name: str) -> Installed | None:
        """The distribution of that name, however it is written."""
        return self._by_name.get(canonical(name))

    def owners(self, module: str) -> Sequence[Installed]:
        """The distributions that have the dotted module: several for a namespace package."""
        parts = module.split(".")
        found = self._owners.get(parts[0], [])
        for depth in range(len(parts), 1, -1):
            if len(found) < 2:
                break
            closer = [owner for owner in found if owner.has(".".join(parts[:depth]))]
            if closer:
                return closer
        return found

    def requirements(self, of: Installed) -> Iterator[str]:
        """Names of what it needs here without extras, installed or not."""
        for line in of.requires:
            named, _, marker = line.partition(";")
            name = _NAME.match(named)
            if name is None or (marker and (_EXTRA.search(marker) or not _holds(marker))):
                continue
            yield canonical(name[1])

    def closure(self, names: Iterable[str]) -> dict[str, str]:
        """Versions, by name, of these distributions and of all that they need here."""
        found: dict[str, str] = {}
        pending = list(names)
        while pending:
            name = canonical(pending.pop())
            distribution = self._by_name.get(name)
            if distribution is None or name in found:
                continue
            found[name] = distribution.version
            pending += self.requirements(distribution)
        return found


@lru_cache(maxsize=512)
def _holds(marker: str) -> bool:
    from packaging.markers import InvalidMarker, Marker, UndefinedEnvironmentName

    try:
        return Marker(marker).evaluate({"extra": ""})
    except (InvalidMarker, UndefinedEnvironmentName):
        return True


def installation(paths: Sequence[str] | None = None) -> Installation:
    """What is installed in the directories of ``sys.path``, looked at anew after each change."""
    stamps = []
    for path in sys.path if paths is None else paths:
        try:
            stamps.append((path, Path(path or ".").stat().st_mtime_ns))
        except OSError:
            continue
    return _scanned(tuple(stamps))


@lru_cache(maxsize=4)
def _scanned(stamps: tuple[tuple[str, int], ...]) -> Installation:
    return Installation(_installed(data) for path, _ in stamps for data in scan(path))


def _installed(data: Mapping[str, Any]) -> Installed:
    return Installed(
        title=data["name"],
        name=canonical(data["name"]),
        version=data["version"],
        requires=tuple(data["requires"]),
        requires_python=data.get("requires_python", ""),
        extras=tuple(data["extras"]),
        modules=tuple(data["modules"]),
        info=Path(data["info"]),
    )
