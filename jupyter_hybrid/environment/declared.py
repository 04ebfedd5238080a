"""What a requirements.txt, environment.yml or pyproject.toml beside a notebook asks for."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from .conda import parse_conda
from .probe import canonical

#: In this order; the first that says something wins, as in repo2docker.
FILES = ("requirements.txt", "environment.yml", "environment.yaml", "pyproject.toml")
_OPTIONS = {
    "--index-url": "UV_DEFAULT_INDEX",
    "-i": "UV_DEFAULT_INDEX",
    "--extra-index-url": "UV_INDEX",
    "--find-links": "UV_FIND_LINKS",
    "-f": "UV_FIND_LINKS",
}


@dataclass(frozen=True)
class Requirement:
    """One requirement (PEP 508), in parts."""

    #: Canonical.
    name: str
    extras: tuple[str, ...] = ()
    specifier: str = ""
    marker: str = ""
    url: str = ""


@dataclass(frozen=True)
class Declared:
    """What a file asks for."""

    path: Path
    requirements: tuple[Requirement, ...] = ()
    constraints: tuple[str, ...] = ()
    #: Where packages come from besides, as uv's variables.
    sources: Mapping[str, str] = field(default_factory=dict)
    #: What is asked of Python itself, ``>=3.10``.
    python: str = ""
    notes: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The file's name."""
        return self.path.name


def declared_beside(directory: Path) -> Declared | None:
    """What the first such file in the directory asks for; raises ``ConfigError`` naming its line.

    None where there is no such file, or it says nothing of packages (a ``pyproject.toml`` that
    only configures tools).
    """
    found = [directory / name for name in FILES if (directory / name).is_file()]
    for path in found:
        declared = read_declared(path)
        if declared is not None:
            return declared
    return None


def read_declared(path: Path) -> Declared | None:
    """What the file asks for; None where it says nothing of packages."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read ({error}); mend or remove it") from error
    if path.suffix == ".toml":
        return _pyproject(path, text)
    if path.suffix in (".yml", ".yaml"):
        return _conda(path, text)
    lines = _Lines()
    lines.read(path, text)
    return Declared(path, **lines.result())


def parse_line(line: str) -> Requirement | None:
    """The requirement in a line of PEP 508; None where it is none."""
    from packaging.requirements import InvalidRequirement
    from packaging.requirements import Requirement as Parsed

    try:
        found = Parsed(line)
    except InvalidRequirement:
        return None
    return Requirement(
        canonical(found.name),
        tuple(sorted(found.extras)),
        str(found.specifier),
        str(found.marker or ""),
        found.url or "",
    )


class _Lines:
    """A requirements file and those that it includes (pip's format)."""

    def __init__(self) -> None:
        self._requirements: list[Requirement] = []
        self._constraints: list[str] = []
        self._sources: dict[str, str] = {}
        self._notes: list[str] = []
        self._seen: set[Path] = set()

    def result(self) -> dict[str, Any]:
        return {
            "requirements": tuple(self._requirements),
            "constraints": tuple(self._constraints),
            "sources": self._sources,
            "notes": tuple(self._notes),
        }

    def read(self, path: Path, text: str) -> None:
        self._seen.add(path)
        for number, line in _logical(text):
            option = re.match(r"(--?[a-z][a-z-]*)[ =]*(.*)", line)
            if option is not None:
                self._option(path, number, option[1], option[2].strip())
            else:
                self.take(path, number, re.sub(r"\s+--[a-z].*", "", line))

    def take(self, path: Path, number: int, line: str) -> None:
        found = parse_line(line)
        if found is None and re.match(r"(git|https?|file|\.{0,2}/)", line):
            raise ConfigError(
                f"{path}, line {number}: {line!r} has no name; write 'NAME @ ADDRESS' (PEP 508)"
            )
        if found is None:
            raise ConfigError(f"{path}, line {number}: {line!r} is not a requirement (PEP 508)")
        self._requirements.append(found)

    def _option(self, path: Path, number: int, name: str, value: str) -> None:
        if name in ("-r", "--requirement", "-c", "--constraint"):
            other = path.parent / value
            if other in self._seen:
                return
            try:
                text = other.read_text(encoding="utf-8-sig")
            except (OSError, UnicodeDecodeError) as error:
                raise ConfigError(f"{path}, line {number}: {other}: {error}") from error
            if name in ("-r", "--requirement"):
                self.read(other, text)
            else:
                self._constraints += [line for _, line in _logical(text)]
        elif name in _OPTIONS:
            key, separator = _OPTIONS[name], "," if "find" in name or name == "-f" else " "
            if key == "UV_FIND_LINKS" and "://" not in value:
                # relative to the file, as pip has it
                value = str((path.parent / value).absolute())
            old = self._sources.get(key)
            self._sources[key] = f"{old}{separator}{value}" if old else value
        elif name in ("-e", "--editable"):
            self._notes.append(
                f"{path.name}, line {number}: what is installed in place travels as files, "
                "where the notebook imports it"
            )
        else:
            self._notes.append(f"{path.name}, line {number}: {name} is not heeded")


def _logical(text: str) -> Iterator[tuple[int, str]]:
    """Lines without comments, continued ones joined, with the number of the first."""
    start, held = 0, ""
    for number, line in enumerate(text.splitlines(), start=1):
        start = start or number
        if line.rstrip().endswith("\\"):
            held += line.rstrip()[:-1] + " "
            continue
        whole = re.sub(r"(^|\s)#.*$", "", held + line).strip()
        if whole:
            yield start, whole
        start, held = 0, ""


def _pyproject(path: Path, text: str) -> Declared | None:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not TOML: {error}") from error
    project = data.get("project")
    if not isinstance(project, dict) or not isinstance(project.get("dependencies"), list):
        return None
    lines = _Lines()
    for number, line in enumerate(project["dependencies"], start=1):
        if parse_line(str(line)) is None:
            raise ConfigError(
                f"{path}, project.dependencies, item {number}: {line!r} is not a requirement"
            )
        lines.take(path, number, str(line))
    python = str(project.get("requires-python") or "")
    return Declared(path, python=python, **lines.result())


def _conda(path: Path, text: str) -> Declared | None:
    found = parse_conda(path.name, text)
    if found is None:
        return None
    lines = _Lines()
    lines.read(path, "\n".join(found.lines))
    result = lines.result()
    notes = (*found.notes, *result.pop("notes"))
    return Declared(path, python=found.python, notes=notes, **result)
