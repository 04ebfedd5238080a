"""Versions, specifiers and markers, as they hold in an image."""

from __future__ import annotations

import re
from collections.abc import Iterator

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from .facts import ImageFacts
from .probe import canonical


def public(version: str) -> str:
    """The version without its local label: ``2.3.0`` for ``2.3.0+cpu``, a build for one machine."""
    return version.partition("+")[0]


def stated_version(version: str) -> str:
    """What the image's version counts as: NVIDIA's ``2.2.0a0+81ea7a4`` is a build of 2.2.0.

    A pre-release with a local label is a vendor's build on the way to that release; read by the
    letter, ``torch>=2.2`` would refuse every one of NGC's.
    """
    try:
        parsed = Version(version)
    except InvalidVersion:
        return version
    return parsed.base_version if parsed.is_prerelease and parsed.local else version


def holds(specifier: str, version: str) -> bool:
    """True where the image's version is one that the specifier allows."""
    try:
        allowed = SpecifierSet(specifier)
        return any(
            allowed.contains(candidate, prereleases=True)
            for candidate in (version, stated_version(version))
        )
    except (InvalidSpecifier, InvalidVersion):
        return not specifier


def marker_environment(facts: ImageFacts) -> dict[str, str]:
    """The variables of PEP 508's markers, as they are in the image."""
    return {
        "python_version": "{}.{}".format(*facts.minor),
        "python_full_version": facts.python or "",
        "implementation_name": facts.implementation,
        "platform_python_implementation": "CPython",
        "platform_machine": facts.machine,
        "platform_system": "Linux",
        "sys_platform": "linux",
        "os_name": "posix",
        "extra": "",
    }


def parse_constraints(text: str) -> Iterator[tuple[str, SpecifierSet]]:
    """Canonical names and what is allowed of each, in the text of a constraints file."""
    for line in text.splitlines():
        try:
            found = Requirement(re.sub(r"(^|\s)#.*", "", line).strip())
        except InvalidRequirement:
            continue
        if not found.url:
            yield canonical(found.name), found.specifier


def differs(here: str, there: str) -> bool:
    """True where the versions differ in more than a last number."""
    try:
        mine, theirs = Version(here), Version(stated_version(there))
    except InvalidVersion:
        return here != there
    return (mine.epoch, mine.release[:2]) != (theirs.epoch, theirs.release[:2])
