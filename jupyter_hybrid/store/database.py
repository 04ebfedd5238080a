"""One SQLite file that several processes use at once, on any file system.

No write-ahead log: it needs shared memory, which network home directories do not have.
Every use opens the file anew (0.2 ms), so threads, forks and a file deleted meanwhile are no case.
"""

from __future__ import annotations

import fcntl
import logging
import os
import sqlite3
import time
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TypeVar

from ..errors import StoreError
from .queries import VERSION, migrations, queries

log = logging.getLogger(__name__)
T = TypeVar("T")

#: Seconds to wait for other processes that are writing.
BUSY_TIMEOUT = 30.0
#: SQLite's words for a file that is not, or no longer, a database.
_BROKEN = ("file is not a database", "malformed", "file is encrypted", "could not decode to utf-8")


class Mended(StoreError):
    """The store was damaged and has been made again: whoever asks again is answered."""


class Database:
    """The store's file. ``restore`` fills a new or a broken one with what is known otherwise."""

    def __init__(self, path: Path, restore: Callable[[sqlite3.Connection], None]) -> None:
        self.path = path
        self._restore = restore

    def read(self, ask: Callable[[sqlite3.Connection], T]) -> T:
        """What the connection answers; a damaged store is made again first. Raises ``StoreError``.

        ``ask`` raises ``sqlite3.DatabaseError`` by ``damaged`` for a record that nobody can read.
        """
        try:
            with self.reading() as connection:
                return ask(connection)
        except Mended:
            with self.reading() as connection:
                return ask(connection)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection for queries; raises ``StoreError``."""
        with self._explained(), closing(self._open()) as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A connection in a transaction, committed where the block ends without an error."""
        with self._explained(), closing(self._open()) as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def _open(self) -> sqlite3.Connection:
        try:
            return self._connect()
        except sqlite3.DatabaseError as error:
            if not _is_broken(error):
                raise
            self._set_aside(error)
            return self._connect()

    def _set_aside(self, error: sqlite3.DatabaseError) -> None:
        """Move a damaged store away, once, whoever else has seen the damage; nothing is deleted."""
        with self.path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if self._is_sound():
                return
            aside = self.path.with_name(f"{self.path.name}.broken-{time.time_ns()}")
            self.path.rename(aside)
            # the journal of the damaged file must not be played back into the new one
            journal = self.path.with_name(f"{self.path.name}-journal")
            if journal.exists():
                journal.rename(aside.with_name(f"{aside.name}-journal"))
            self._connect().close()
        log.warning(
            "the store %s is damaged (%s); it was moved to %s and made again from the jobs' "
            "own records", self.path, error, aside,
        )  # fmt: skip

    def _is_sound(self) -> bool:
        try:
            with closing(self._connect()) as connection:
                sound = connection.execute("PRAGMA quick_check(1)").fetchone() == ("ok",)
                return sound and connection.execute(queries()["bad_record"]).fetchone() is None
        except sqlite3.DatabaseError as error:
            return not _is_broken(error)

    def _connect(self) -> sqlite3.Connection:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self.path.exists():
            # the mode must be right from the file's first moment. (Never touched again by hand: to
            # close a file drops the locks that this process, that is SQLite, has on it.)
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
        connection = sqlite3.connect(self.path, timeout=BUSY_TIMEOUT, isolation_level=None)
        try:
            # SQLite's own lower() knows the letters from A to Z
            connection.create_function("folded", 1, folded, deterministic=True)
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version != VERSION:
                self._migrate(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _migrate(self, connection: sqlite3.Connection) -> None:
        connection.execute("BEGIN IMMEDIATE")
        # another process may have done it while we waited for the lock
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > VERSION:
            raise StoreError(
                f"the store {self.path} has version {version}, we know {VERSION}; "
                "upgrade jupyter-hybrid, or name another directory with JUPYTER_HYBRID_DIR"
            )
        for statements in migrations()[version:]:
            for statement in statements:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {VERSION}")
        if version == 0:
            self._restore(connection)
        connection.execute("COMMIT")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """The one place where SQLite's errors become ours."""
        try:
            yield
        except sqlite3.IntegrityError:
            raise
        except sqlite3.DatabaseError as error:
            if not _is_broken(error):
                raise StoreError(f"the store {self.path}: {_advice(str(error))}") from error
            self._set_aside(error)
            raise Mended(
                f"the store {self.path} was damaged ({error}) and has been made again; try again"
            ) from error
        except sqlite3.Error as error:
            raise StoreError(f"the store {self.path}: {_advice(str(error))}") from error
        except OSError as error:
            reason = error.strerror or str(error)
            raise StoreError(
                f"the store {self.path} cannot be opened: {_advice(reason)}"
            ) from error


def folded(text: str) -> str:
    """The text without case and width, by which names are looked for."""
    return unicodedata.normalize("NFKC", text).casefold()


def damaged(what: str) -> sqlite3.DatabaseError:
    """The error to raise for content that SQLite takes for sound."""
    return sqlite3.DatabaseError(f"{what} is malformed")


def _is_broken(error: sqlite3.DatabaseError) -> bool:
    return any(word in str(error).lower() for word in _BROKEN)


def _advice(reason: str) -> str:
    lower = reason.lower()
    if "full" in lower or "no space" in lower:
        return f"{reason}; make room on its disk, or name another with JUPYTER_HYBRID_DIR"
    if "readonly" in lower or "read-only" in lower or "permission" in lower:
        return f"{reason}; name a directory of yours with JUPYTER_HYBRID_DIR"
    if "locked" in lower:
        return f"{reason} by another process for {BUSY_TIMEOUT:.0f} seconds; try again"
    return f"{reason}; 'jupyter hybrid doctor' tells more"
