"""An OSV database on the disk, and an index of it that a submit opens in milliseconds.

The database is a directory or a zip archive with a JSON file for each vulnerability (the schema of
Open Source Vulnerabilities, ``affected``, ``ranges`` and ``versions``). All of PyPI's are some ten
thousand, which take seconds to read; the index, SQLite, has their texts by package. Its name says
which state of the database it is of, so that nothing is looked up in an old one.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import sqlite3
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from ..errors import ConfigError

#: A package's name in the text of an entry.
_NAME = re.compile(rb'"name"\s*:\s*"([\w.-]+)"')
_SCHEMA = """
CREATE TABLE entry (number INTEGER PRIMARY KEY, text BLOB);
CREATE TABLE about (name TEXT, number INTEGER, PRIMARY KEY (name, number)) WITHOUT ROWID;
"""
_ABOUT = """
SELECT DISTINCT number, text FROM about JOIN entry USING (number) WHERE name = ? ORDER BY number
"""


def about(
    names: frozenset[str], database: str, kept: Path | None
) -> dict[str, list[Mapping[str, Any]]]:
    """The entries about these packages, by package, those with a summary first.

    ``kept`` is the directory of indexes; None, or one that cannot be written: the database is read
    from end to end. Raises ``ConfigError`` for one that cannot be read, or holds what is no entry.
    """
    try:
        state = _state(Path(database))
    except OSError as error:
        raise ConfigError(
            f"the database of the check 'vulnerabilities', {database}, cannot be read: "
            f"{error.strerror}"
        ) from error
    return _about(names, database, state, kept)


def _state(database: Path) -> str:
    """Changes with every change of a file of the database."""
    seen = hashlib.sha256(os.fsencode(database.resolve()))
    files = [(".", database.stat())]
    if database.is_dir():
        with os.scandir(database) as found:
            files = sorted((entry.name, entry.stat()) for entry in found)
    for name, status in files:
        seen.update(f"{name} {status.st_size} {status.st_mtime_ns} {status.st_ino}\0".encode())
    return seen.hexdigest()


@lru_cache(maxsize=8)
def _about(
    names: frozenset[str], database: str, state: str, kept: Path | None
) -> dict[str, list[Mapping[str, Any]]]:
    found: dict[str, list[Mapping[str, Any]]] = {}
    for text in _texts(names, Path(database), state, kept):
        try:
            entry = json.loads(text)
            parts = [affected.get("package") or {} for affected in entry.get("affected") or ()]
        except (ValueError, AttributeError) as error:
            raise ConfigError(
                f"the database of the check 'vulnerabilities', {database}, holds what is no entry "
                f"of OSV's: {text[:80]!r}; fetch it again"
            ) from error
        if entry.get("withdrawn"):
            continue
        its = {canonicalize_name(p["name"]) for p in parts if p.get("ecosystem") == "PyPI"}
        for name in its & names:
            found.setdefault(name, []).append(entry)
    for entries in found.values():
        entries.sort(key=lambda entry: (not entry.get("summary"), str(entry["id"])))
    return found


def _texts(names: frozenset[str], database: Path, state: str, kept: Path | None) -> Iterable[bytes]:
    """The texts of all entries that name one of the packages, and perhaps of others."""
    if kept is not None:
        with contextlib.suppress(OSError, sqlite3.Error):
            return _looked_up(names, _index(database, state, kept))
    return (text for text in _documents(database) if not names.isdisjoint(_named(text)))


def _looked_up(names: frozenset[str], index: Path) -> list[bytes]:
    with contextlib.closing(sqlite3.connect(f"{index.as_uri()}?mode=ro", uri=True)) as connection:
        try:
            rows = dict(row for name in names for row in connection.execute(_ABOUT, (name,)))
        except sqlite3.DatabaseError:
            # damaged: the next one to look makes it anew
            index.unlink(missing_ok=True)
            raise
    return [rows[number] for number in sorted(rows)]


def _index(database: Path, state: str, kept: Path) -> Path:
    """The index of the database as it is now, made where it is not there."""
    whose = hashlib.sha256(os.fsencode(database.resolve())).hexdigest()[:16]
    path = kept.absolute() / f"{whose}-{state[:32]}.sqlite"
    if path.exists():
        return path
    kept.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept, prefix=".new-") as scratch:
        new = Path(scratch, "index")
        _fill(new, database)
        new.rename(path)
    for old in kept.glob(f"{whose}-*.sqlite"):
        if old != path:
            old.unlink(missing_ok=True)
    return path


def _fill(path: Path, database: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        # it is whole before anybody sees it
        connection.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;" + _SCHEMA)
        for number, text in enumerate(_documents(database)):
            connection.execute("INSERT INTO entry VALUES (?, ?)", (number, text))
            rows = [(name, number) for name in _named(text)]
            connection.executemany("INSERT INTO about VALUES (?, ?)", rows)


def _named(text: bytes) -> set[str]:
    return {canonicalize_name(name.decode()) for name in _NAME.findall(text)}


def _documents(database: Path) -> Iterator[bytes]:
    if database.is_dir():
        yield from (path.read_bytes() for path in sorted(database.glob("*.json")))
        return
    try:
        with zipfile.ZipFile(database) as archive:
            yield from (archive.read(n) for n in archive.namelist() if n.endswith(".json"))
    except zipfile.BadZipFile as error:
        raise ConfigError(f"{database} is neither a directory nor a zip archive") from error
