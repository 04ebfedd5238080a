"""Images, packages, licences and vulnerabilities against a site's lists. Reads files only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from ..errors import ConfigError
from .advisories import about


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


def vulnerable(
    packages: Mapping[str, str], database: str | None, kept: Path | None = None
) -> Iterator[str]:
    """A sentence for each known vulnerability of a package; raises ``ConfigError``.

    One that several lists know under names of their own is told once. ``kept`` is a directory in
    which an index of the database is kept; without it the database is read from end to end.
    """
    if not database:
        raise ConfigError(
            "the check 'vulnerabilities' needs a 'database': a directory or zip archive of OSV's"
        )
    known = about(frozenset(packages), database, kept)
    for name, version in sorted(packages.items()):
        told: set[str] = set()
        for entry in known.get(name, ()):
            names = {str(entry["id"]), *entry.get("aliases", ())}
            if told.isdisjoint(names) and is_affected(entry, name, version):
                yield _told(entry, name, version)
                told |= names


def _told(entry: Mapping[str, Any], name: str, version: str) -> str:
    about = str(entry.get("summary") or "").strip().rstrip(".")
    other = [alias for alias in entry.get("aliases") or () if alias.startswith("CVE-")]
    known_as = ", ".join([str(entry["id"]), *other[:1]]) + (f": {about}" if about else "")
    # of several lines that are mended, the nearest
    later = sorted(v for v in _fixed(entry, name) if v > Version(version))
    way_out = f"take {later[0]} or newer" if later else "there is no mended version"
    return f"{name} {version} has a known vulnerability ({known_as}): {way_out}"


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


def _fixed(entry: Mapping[str, Any], name: str) -> set[Version]:
    spans = (span for part in _of_package(entry, name) for span in part.get("ranges") or ())
    # (the others are commits)
    events = (e for s in spans if s.get("type") == "ECOSYSTEM" for e in s.get("events") or ())
    return {_at(event) for event in events if "fixed" in event}


def _of_package(entry: Mapping[str, Any], name: str) -> Iterator[Mapping[str, Any]]:
    for affected in entry.get("affected") or ():
        package = affected.get("package") or {}
        if package.get("ecosystem") == "PyPI" and canonicalize_name(package["name"]) == name:
            yield affected
