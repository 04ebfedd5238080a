"""What several processes want at once is made once: the first makes it, the others wait for it."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

from ..errors import StoreError

#: Seconds between two looks at whether the other one is done.
_LOOK_EVERY = 0.02


@contextlib.asynccontextmanager
async def once(directory: Path, key: str) -> AsyncIterator[None]:
    """Hold the lock named ``key`` of this directory; whoever comes later waits for the block's end.

    It works between tasks, threads and processes of one user. The lock goes with its process,
    however that ends; look inside the block whether the thing was made meanwhile.
    """
    name = hashlib.sha256(key.encode()).hexdigest()[:32] + ".lock"
    while True:
        descriptor = _open(directory, name)
        try:
            while not _take(descriptor):
                await asyncio.sleep(_LOOK_EVERY)
            if not _is_current(descriptor, directory / name):
                continue  # whoever had it removed the file: a newcomer would lock another one
            try:
                yield
            finally:
                (directory / name).unlink(missing_ok=True)
            return
        finally:
            os.close(descriptor)


def _open(directory: Path, name: str) -> int:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(directory / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreError(
            f"{directory / name} cannot be made ({error.strerror}); "
            "make its directory writable, or set c.Hybrid.directory"
        ) from error


def _take(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_current(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False
