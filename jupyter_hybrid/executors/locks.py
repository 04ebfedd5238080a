"""Who works on a job's directory here: one process at a time, and a dead one holds nothing."""

from __future__ import annotations

import asyncio
import fcntl
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import IO

from ..errors import PlaceError

#: Seconds after which another process that submits the same job is complained of.
PATIENCE = 30.0
#: Seconds between two signs of life of a process that brings results, and without one after which
#: it is complained of. (NFS may show a sign a minute late.)
ALIVE, STILL = 5.0, 120.0
_SUBMIT = "submit.lock"
_FETCH = "fetch.lock"


def unwritable(directory: Path, error: OSError) -> PlaceError:
    """The error's words, and what to do."""
    return PlaceError(
        f"{directory} cannot be written: {error.strerror or error}; make room on its disk, or name "
        "another directory with JUPYTER_HYBRID_DIR"
    )


def made(directory: Path) -> None:
    """Have the directory, for its owner alone. Raises ``PlaceError``."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(directory, error) from error


@asynccontextmanager
async def locked(directory: Path) -> AsyncIterator[None]:
    """Of several submitters of one job, one at a time."""
    with _opened(directory / _SUBMIT) as file:
        deadline = time.monotonic() + PATIENCE
        while not _try_lock(file):
            if time.monotonic() > deadline:
                raise PlaceError(
                    f"another process has been submitting the job in {directory} for 30 "
                    "seconds; end it, or try again"
                )
            await asyncio.sleep(0.01)
        yield


@contextmanager
def one_at_a_time(path: Path) -> Iterator[None]:
    """For what takes a moment; who stands still in the midst of it keeps nobody for ever."""
    with _opened(path) as file:
        deadline = time.monotonic() + PATIENCE
        while not _try_lock(file) and time.monotonic() < deadline:
            time.sleep(0.01)
        yield


def is_locked(directory: Path) -> bool:
    """Whether a submit of the job in the directory is under way."""
    try:
        with (directory / _SUBMIT).open("r+") as file:
            return not _try_lock(file)
    except OSError:
        return False


@asynccontextmanager
async def fetching(directory: Path) -> AsyncIterator[None]:
    """Of several who bring a job's results here, one at a time, however long that takes.

    Raises ``PlaceError`` where another one stands still in the midst of it (Ctrl-Z, a debugger).
    """
    with _opened(directory / _FETCH) as file:
        await _fetchers_end(file, directory)
        signs = asyncio.create_task(_give_signs(file))
        try:
            yield
        finally:
            signs.cancel()
            await asyncio.wait([signs])


async def _fetchers_end(file: IO[str], directory: Path) -> None:
    seen, since = -1, time.monotonic()
    while not _try_lock(file):
        sign = os.fstat(file.fileno()).st_mtime_ns
        if sign != seen:
            seen, since = sign, time.monotonic()
        elif time.monotonic() - since > STILL:
            raise PlaceError(
                f"another process is bringing the results of the job in {directory}, and has stood "
                "still for two minutes; end it, or let it go on"
            )
        await asyncio.sleep(0.05)


async def _give_signs(file: IO[str]) -> None:
    while True:
        os.utime(file.fileno())
        await asyncio.sleep(ALIVE)


def _opened(path: Path) -> IO[str]:
    try:
        # (not written anew: whoever waits for it must not look like a sign of who has it)
        return path.open("a")
    except OSError as error:
        raise unwritable(path.parent, error) from error


def _try_lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
