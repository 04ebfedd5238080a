"""Write and compare whole files."""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL


@contextmanager
def replacing(path: Path, mode: int = 0o666) -> Iterator[BinaryIO]:
    """A binary file that takes ``path``'s place by rename once the block ends without an error.

    Readers see the old file or the new one, never a part. ``mode`` is subject to the umask. What a
    writer that was killed left behind is gone after the next one.
    """
    descriptor, temporary = _temporary(path, mode)
    # a second descriptor keeps the lock until the rename, when the first one is long closed
    lock = os.dup(descriptor)
    try:
        with open(descriptor, "wb") as file:
            yield file
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    finally:
        os.close(lock)


def _temporary(path: Path, mode: int) -> tuple[int, Path]:
    """A new file beside the path, locked if it has a name that others would choose as well."""
    # short names: the final one may already be as long as the file system allows
    steady = path.with_name(f".{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:12]}.part")
    descriptor = _locked(steady, mode)
    if descriptor is not None:
        return descriptor, steady
    alone = path.with_name(f".{secrets.token_hex(6)}.part")
    return os.open(alone, _NEW, mode), alone


def _locked(path: Path, mode: int) -> int | None:
    """A new file of this name, locked; None where a living writer has it, or nothing can lock."""
    _remove_abandoned(path)
    try:
        descriptor = os.open(path, _NEW, mode)
    except FileExistsError:
        return None
    try:
        if _is_ours(descriptor, path):
            return descriptor
    except OSError:
        # without locks nobody takes it for abandoned; nor may anybody after us
        path.unlink(missing_ok=True)
    os.close(descriptor)
    return None


def _remove_abandoned(path: Path) -> None:
    """Remove the file if no living writer holds it."""
    try:
        descriptor = os.open(path, os.O_WRONLY)
    except OSError:
        return
    try:
        if _is_ours(descriptor, path):
            path.unlink()
    except OSError:
        # nothing locks here, or the directory is not ours to change
        pass
    finally:
        os.close(descriptor)


def _is_ours(descriptor: int, path: Path) -> bool:
    """Lock the open file; False where another has, or where the path is another file by now."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except (BlockingIOError, FileNotFoundError):
        return False


def file_digest(path: Path) -> str:
    """The sha256 of the file's content, as 64 hex digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
