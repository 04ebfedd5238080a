"""Images, packages, licences and vulnerabilities against a site's lists. Reads files only.

Vulnerabilities are those of an OSV database: a directory or a zip archive with a JSON file for
each (the schema of Open Source Vulnerabilities, ``affected``, ``ranges`` and ``versions``).
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from ..errors import ConfigError


def image_sentences(image: str, allow: Sequence[str] | None) -> Iterator[str]:
    """A sentence where the image's reference matches none of the patterns."""
    if image and allow is not None and not any(fnmatchcase(image, p) for p in allow):
        yield f"the image {image} is not allowed here; allowed are: {', '.join(allow) or 'none'}"


def forbidden(packages: Mapping[str, str], forbid: Iterable[str]) -> Iterator[str]:
    """A sentence for each package that one of the requirements names; raises ``ConfigError``."""
    for line in forbid:
        try:
            rule = Requirement(line)
        except InvalidRequirement as error:
            raise ConfigError(f"the check 'packages' forbids {line!r}: {error}") from error
        version = packages.get(canonicalize_name(rule.name))
        if version is not None and rule.specifier.contains(version, prereleases=True):
            yield f"the package {rule.name} {version} is not allowed here ({line}): leave it out"


def licensed(licences: Mapping[str, str], forbid: Iterable[str]) -> Iterator[str]:
    """A sentence for each package whose licence matches one of the patterns."""
    patterns = [pattern.lower() for pattern in forbid]
    for name, licence in sorted(licences.items()):
        if any(fnmatchcase(licence.lower(), pattern) for pattern in patterns):
            yield f"the licence of {name}, {licence}, is not allowed here: leave the package out"


def vulnerable(packages: Mapping[str, str], database: str | None) -> Iterator[str]:
    """A sentence for each known vulnerability of a package; raises ``ConfigError``."""
    if not database:
        raise ConfigError(
            "the check 'vulnerabilities' needs a 'database': a directory or zip archive of OSV's"
        )
    known = _database(database, _stamp(database))
    for name, version in sorted(packages.items()):
        for entry in known.get(name, ()):
            if is_affected(entry, name, version):
                fixed = sorted(_fixed(entry, name))
                way_out = f"take {fixed[-1]} or newer" if fixed else "there is no mended version"
                about = str(entry.get("summary") or "").strip().rstrip(".")
                known_as = f"{entry['id']}: {about}" if about else str(entry["id"])
                yield f"{name} {version} has a known vulnerability ({known_as}): {way_out}"


def is_affected(entry: Mapping[str, Any], name: str, version: str) -> bool:
    """True where the OSV entry says that this version of the package is affected."""
    try:
        mine = Version(version)
    except InvalidVersion:
        return False
    for affected in _of_package(entry, name):
        if version in (affected.get("versions") or ()):
            return True
        for span in affected.get("ranges") or ():
            if span.get("type") == "ECOSYSTEM" and _within(mine, span.get("events") or ()):
                return True
    return False


def _within(version: Version, events: Iterable[Mapping[str, str]]) -> bool:
    """OSV's own evaluation: events in the order of their versions, the last one that counts."""
    affected = False
    for event in sorted(events, key=_at):
        if "introduced" in event and version >= _at(event):
            affected = True
        ends = "fixed" in event and version >= _at(event)
        if ends or ("last_affected" in event and version > _at(event)):
            affected = False
    return affected


def _at(event: Mapping[str, str]) -> Version:
    (text,) = list(event.values())[:1]
    try:
        return Version("0.dev0" if text == "0" else text)
    except InvalidVersion:
        return Version("0.dev0")


def _fixed(entry: Mapping[str, Any], name: str) -> set[str]:
    spans = (span for part in _of_package(entry, name) for span in part.get("ranges") or ())
    return {e["fixed"] for s in spans for e in s.get("events") or () if "fixed" in e}


def _of_package(entry: Mapping[str, Any], name: str) -> Iterator[Mapping[str, Any]]:
    for affected in entry.get("affected") or ():
        package = affected.get("package") or {}
        if package.get("ecosystem") == "PyPI" and canonicalize_name(package["name"]) == name:
            yield affected


def _stamp(database: str) -> int:
    try:
        return Path(database).stat().st_mtime_ns
    except OSError as error:
        raise ConfigError(
            f"the database of the check 'vulnerabilities', {database}, cannot be read: "
            f"{error.strerror}"
        ) from error


@lru_cache(maxsize=2)
def _database(database: str, _mtime: int) -> dict[str, list[Mapping[str, Any]]]:
    found: dict[str, list[Mapping[str, Any]]] = {}
    for text in _documents(Path(database)):
        entry = json.loads(text)
        if entry.get("withdrawn"):
            continue
        parts = (affected.get("package") or {} for affected in entry.get("affected") or ())
        names = {canonicalize_name(p["name"]) for p in parts if p.get("ecosystem") == "PyPI"}
        for name in names:
            found.setdefault(name, []).append(entry)
    return found


def _documents(database: Path) -> Iterator[bytes]:
    if database.is_dir():
        yield from (path.read_bytes() for path in sorted(database.glob("*.json")))
        return
    try:
        with zipfile.ZipFile(database) as archive:
            yield from (archive.read(n) for n in archive.namelist() if n.endswith(".json"))
    except zipfile.BadZipFile as error:
        raise ConfigError(f"{database} is neither a directory nor a zip archive") from error
