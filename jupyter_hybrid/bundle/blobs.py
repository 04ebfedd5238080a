"""File contents by their sha256: ``ab/abcdef…``, read-only, whole or not there.

Any number of processes may write at once. A blob gets its name by rename, after its content has
been hashed and is on the disk: a crash leaves a file in ``.incoming`` and never a wrong blob.
"""

# descriptors and plain strings, for a hundred thousand files pass through here
# ruff: noqa: PTH103, PTH104, PTH120

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from ..errors import BundleError
from ..paths import blob_path
from . import explain_os_errors

_CHUNK = 1 << 20
#: Linux's ioctl that makes one file share another's blocks (btrfs, xfs): ioctl_ficlone(2).
_FICLONE = 0x40049409
#: Seconds after which a file in ``.incoming`` cannot belong to a writer that lives.
_ABANDONED = 86400.0


class StoredFile(NamedTuple):
    """A file's content by name, and what the file looked like when it was read."""

    digest: str
    size: int
    mode: int
    mtime_ns: int
    ctime_ns: int
    inode: int


class BlobStore:
    """The blobs below one directory, which is made when the first one is put."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._base = os.fspath(directory)

    def path(self, digest: str) -> Path:
        """Where the blob is or would be."""
        return blob_path(self.directory, digest)

    def has(self, digest: str, size: int | None = None) -> bool:
        """True where the blob is there and, if a size is given, has it."""
        try:
            found = os.stat(f"{self._base}/{digest[:2]}/{digest}")
        except OSError:
            return False
        return size is None or found.st_size == size

    def put_file(self, path: str | Path, likely: str | None = None) -> str:
        """Keep the file's content; returns its digest. As ``store_file``."""
        return self.store_file(path, likely).digest

    def store_file(self, path: str | Path, likely: str | None = None) -> StoredFile:
        """Keep the content of a regular file, in one pass over it; says what the file was like.

        With ``likely``, the digest it had before, nothing is copied where it still has it.
        Raises ``BundleError`` by name where the file is gone, unreadable, not a regular file, or
        changes while it is read.
        """
        name = os.fspath(path)
        source = _open(name)
        try:
            before = os.fstat(source)
            if not stat.S_ISREG(before.st_mode):
                raise BundleError(f"{name!r} is not a file any more; submit again without it")
            digest = self._unchanged(source, name, before.st_size, likely)
            if digest is None:
                digest = self._copy(source, name, before.st_size)
            after = os.fstat(source)
        finally:
            os.close(source)
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            raise _changed(name)
        mode = stat.S_IMODE(after.st_mode)
        return StoredFile(
            digest, after.st_size, mode, after.st_mtime_ns, after.st_ctime_ns, after.st_ino
        )

    def verify(self, digest: str) -> bool:
        """True where the blob is there and its content is what its name says. Reads all of it."""
        try:
            source = os.open(self.path(digest), os.O_RDONLY)
        except OSError:
            return False
        try:
            return _hash(source, digest, _CHUNK) == digest
        except BundleError:
            return False
        finally:
            os.close(source)

    def digests(self) -> Iterator[str]:
        """The names of all blobs."""
        for blob in self.directory.glob("[0-9a-f][0-9a-f]/*"):
            yield blob.name

    def sweep(self) -> int:
        """Remove what writers that died have left; returns how many files that were."""
        removed = 0
        for leftover in self.directory.glob(".incoming/*"):
            try:
                if time.time() - leftover.stat().st_mtime > _ABANDONED:
                    leftover.unlink()
                    removed += 1
            except FileNotFoundError:
                continue  # its writer has finished after all
        return removed

    def _unchanged(self, source: int, name: str, size: int, likely: str | None) -> str | None:
        if likely is None or not self.has(likely, size):
            return None
        digest = _hash(source, name, size)
        os.lseek(source, 0, os.SEEK_SET)
        return digest if digest == likely else None

    def _copy(self, source: int, name: str, size: int) -> str:
        with self._incoming(size) as (descriptor, temporary):
            if _clone(source, descriptor):
                digest, copied = _hash(descriptor, name, size), os.fstat(descriptor).st_size
            else:
                digest, copied = _copy_and_hash(source, descriptor, name, size)
            if copied != size:
                raise _changed(name)
            self._settle(descriptor, temporary, digest, size)
        return digest

    @contextmanager
    def _incoming(self, size: int) -> Iterator[tuple[int, str]]:
        """A new file under a name that no reader looks at; it is gone or renamed afterwards."""
        temporary = f"{self._base}/.incoming/{os.urandom(16).hex()}"
        with explain_os_errors(self.directory, size):
            try:
                descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            except FileNotFoundError:
                self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
                os.makedirs(os.path.dirname(temporary), exist_ok=True)
                descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                yield descriptor, temporary
            finally:
                os.close(descriptor)
                try:
                    os.unlink(temporary)
                except FileNotFoundError:
                    pass  # it has its name

    def _settle(self, descriptor: int, temporary: str, digest: str, size: int) -> None:
        if self.has(digest, size):
            return
        os.fchmod(descriptor, 0o444)
        # a name must not reach the disk before the content does (delayed allocation)
        os.fsync(descriptor)
        final = f"{self._base}/{digest[:2]}/{digest}"
        try:
            os.rename(temporary, final)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(final), exist_ok=True)
            os.rename(temporary, final)


def _open(name: str) -> int:
    try:
        # not blocking: what was a file at the plan may be a pipe by now
        return os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise BundleError(f"{name!r} has vanished since the plan was made; submit again") from error
    except OSError as error:
        raise BundleError(
            f"{name!r} cannot be read: {error.strerror}; "
            "make it readable, or name it in .hybridignore"
        ) from error


def _changed(name: str) -> BundleError:
    return BundleError(
        f"{name!r} changes while it is read; submit again when nothing writes to it, "
        "or name it in .hybridignore"
    )


def _clone(source: int, target: int) -> bool:
    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError:
        return False
    return True


def _read(source: int, buffer: memoryview, name: str) -> int:
    try:
        return os.readv(source, [buffer])
    except OSError as error:
        raise BundleError(f"{name!r} cannot be read: {error.strerror}") from error


def _buffer(size: int) -> memoryview:
    """Room for all of a small file, and to see that it has grown."""
    return memoryview(bytearray(min(_CHUNK, size + 1)))


def _hash(source: int, name: str, size: int) -> str:
    digest, buffer = hashlib.sha256(), _buffer(size)
    while count := _read(source, buffer, name):
        digest.update(buffer[:count])
    return digest.hexdigest()


def _copy_and_hash(source: int, target: int, name: str, size: int) -> tuple[str, int]:
    digest, buffer, copied = hashlib.sha256(), _buffer(size), 0
    while count := _read(source, buffer, name):
        digest.update(buffer[:count])
        _write(target, buffer[:count])
        copied += count
    return digest.hexdigest(), copied


def _write(target: int, data: memoryview) -> None:
    while data:
        data = data[os.write(target, data) :]
