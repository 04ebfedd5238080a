"""Which content a file had when it was last read, so that unchanged files are not read again.

A cache and nothing more: one SQLite file beside the blobs, used by several processes at once,
that may be deleted at any time and whose failures are never anybody's problem but its own.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from .blobs import StoredFile

if TYPE_CHECKING:
    import sqlite3

log = logging.getLogger(__name__)

#: Nanoseconds within which a second write may leave a file's times as they are (FAT counts in 2 s).
RACY_NS = 2_000_000_000
#: SQLite allows 999 variables per statement in its older builds.
_BATCH = 900
#: Bytes after which the cache starts anew; about a million files.
_MAX_SIZE = 256 << 20

# no WAL: home directories may be on a network
_SCHEMA = """
CREATE TABLE IF NOT EXISTS files (
    path BLOB PRIMARY KEY, size INTEGER, mtime_ns INTEGER, ctime_ns INTEGER, inode INTEGER,
    digest BLOB, read_at_ns INTEGER
) WITHOUT ROWID
"""


class Stat(NamedTuple):
    """What changes when a file's content does."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int


class Known(NamedTuple):
    """A content that a file had."""

    digest: str
    #: False where the file may have been written again since, without a trace in its times.
    sure: bool


class StatCache:
    """The cache in this directory."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / ".stat-cache.sqlite"

    def lookup(self, files: Mapping[str, Stat]) -> dict[str, Known]:
        """Contents of the files (by path) that are as they were when they were read."""
        found: dict[str, Known] = {}

        def select(connection: sqlite3.Connection) -> None:
            for row in _rows(connection, list(files)):
                path = os.fsdecode(row[0])
                stat = files[path]
                if _columns(stat) == row[1:5]:
                    changed = max(stat.mtime_ns, stat.ctime_ns)
                    found[path] = Known(row[5].hex(), changed < row[6] - RACY_NS)

        if files and self.path.exists():
            self._use(select)
        return found

    def remember(self, files: Iterable[tuple[str, StoredFile]], read_at: float) -> None:
        """Keep the files' contents; ``read_at`` is when (``time.time()``) the first read began."""
        now = int(min(read_at, time.time()) * 1e9)
        rows = [
            (os.fsencode(path), *_columns(file), bytes.fromhex(file.digest), now)
            for path, file in files
        ]

        def insert(connection: sqlite3.Connection) -> None:
            with connection:
                connection.execute(_SCHEMA)
                connection.executemany(
                    "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?)", rows
                )

        if rows:
            self._use(insert)

    def _use(self, work: Callable[[sqlite3.Connection], None]) -> None:
        """Work on the cache, or do nothing where it cannot be used. A broken file is removed."""
        import sqlite3

        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self.path.exists() and self.path.stat().st_size > _MAX_SIZE:
                self.path.unlink()
            with closing(sqlite3.connect(self.path, timeout=1.0)) as connection:
                self.path.chmod(0o600)
                # lost with the power at worst, and then files are read once more
                connection.execute("PRAGMA synchronous = OFF")
                work(connection)
        except (OSError, sqlite3.OperationalError) as error:
            log.debug("%s is not used: %s", self.path, error)  # busy, full, read-only
        except sqlite3.DatabaseError as error:
            log.debug("%s is broken and starts anew: %s", self.path, error)
            self.path.unlink(missing_ok=True)


def _columns(file: Stat | StoredFile) -> tuple[int, int, int, int]:
    # SQLite's integers are signed, inodes of some file systems use all 64 bits
    return file.size, file.mtime_ns, file.ctime_ns, file.inode & (1 << 63) - 1


def _rows(connection: sqlite3.Connection, paths: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    for start in range(0, len(paths), _BATCH):
        batch = [os.fsencode(path) for path in paths[start : start + _BATCH]]
        marks = ",".join("?" * len(batch))
        query = f"SELECT * FROM files WHERE path IN ({marks})"
        yield from connection.execute(query, batch)
