"""Lay out the work directory from the file manifest and the blobs.

Standard library only.
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Dict, Mapping, Set, Tuple

from ..errors import BundleError
from ..paths import blob_path

#: Files of more bytes are linked to their blob instead of copied, where they may be, and so are
#: smaller ones once those before them have come to so many bytes together: a copy is safe from
#: programs that write where they should not, and ten thousand of them take seconds.
COPY_UP_TO, COPY_TOGETHER = 1_000_000, 64_000_000

#: What a file was when the kernel began: size, time of change, inode.
Stamp = Tuple[int, int, int]


@dataclass
class Layout:
    """What was laid out, by path relative to the work directory."""

    stamps: Dict[str, Stamp] = field(default_factory=dict)
    #: Hard-linked files with the mode that a private copy of each gets, and its digest.
    linked: Dict[str, Tuple[int, str]] = field(default_factory=dict)
    links: Set[str] = field(default_factory=set)


class _Writer:
    """Creates files below one directory and nowhere else."""

    def __init__(self, work: Path, blobs: Path, may_link: bool) -> None:
        self._work, self._blobs, self._may_link = work, blobs, may_link
        self._made: Set[str] = {""}
        self._copied = 0
        self.layout = Layout()

    def directory(self, relative: str) -> None:
        """Make the directory and its parents; none of them may be a link."""
        if relative in self._made:
            return
        self.directory(relative.rpartition("/")[0])
        path = self._work / relative
        if path.is_symlink():
            raise BundleError(f"{relative!r} cannot be laid out: a part of it is a symbolic link")
        path.mkdir(exist_ok=True)
        self._made.add(relative)

    def file(self, entry: Mapping[str, Any]) -> None:
        """Lay out one file, by copy or by hard link."""
        relative = safe_path(entry["path"])
        self.directory(relative.rpartition("/")[0])
        source = str(blob_path(self._blobs, entry["digest"]))
        target, mode = f"{self._work}/{relative}", int(entry.get("mode", 0o644))
        try:
            linked = self._link(source, target, int(entry["size"]), mode)
            if not linked:
                _copy(source, target, mode)
                self._copied += int(entry["size"])
        except FileNotFoundError as error:
            if os.path.exists(source):  # noqa: PTH110 - one of ten thousand files, in a hot loop
                raise
            raise BundleError(
                f"the content of {relative!r} has not arrived (no blob {entry['digest'][:12]}); "
                "submit the job again"
            ) from error
        if linked:
            self.layout.linked[relative] = (mode, entry["digest"])
        self.layout.stamps[relative] = stamp(os.stat(target))

    def _link(self, source: str, target: str, size: int, mode: int) -> bool:
        small = size <= COPY_UP_TO and self._copied + size <= COPY_TOGETHER
        if not self._may_link or small or mode & 0o111 or target.endswith(".py"):
            return False
        try:
            os.link(source, target)
        except FileExistsError:
            # left by an earlier attempt
            os.unlink(target)
            return self._link(source, target, size, mode)
        except OSError as error:
            if error.errno in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP):
                return False
            raise
        return True

    def link(self, entry: Mapping[str, Any]) -> None:
        """Lay out one symbolic link that stays inside."""
        relative = safe_path(entry["path"])
        folder = PurePosixPath(relative).parent
        depth = 0
        to = PurePosixPath(str(entry["to"]))
        for part in (folder / to).parts:
            depth += -1 if part == ".." else 1
            if depth < 0:
                break
        if to.is_absolute() or depth < 0:
            raise BundleError(f"the link {relative!r} points outside the work directory, to {to}")
        self.directory("" if str(folder) == "." else str(folder))
        path = self._work / relative
        if path.is_symlink():
            path.unlink()
        path.symlink_to(str(to))
        self.layout.links.add(relative)


def stamp(status: os.stat_result) -> Stamp:
    """What tells a changed file from an unchanged one."""
    return status.st_size, status.st_mtime_ns, status.st_ino


def safe_path(path: Any) -> str:
    """The relative path, if it stays below the directory; otherwise raises ``BundleError``."""
    if isinstance(path, str) and path and "\0" not in path and not path.startswith("/"):
        parts = path.split("/")
        if all(part not in ("", ".", "..") for part in parts):
            return path
    raise BundleError(f"{path!r} is not a path below the work directory; it is not laid out")


def _copy(source: str, target: str, mode: int) -> None:
    read = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        try:
            write = os.open(target, flags, mode & 0o777 | 0o200)
        except FileExistsError:
            # left by an earlier attempt; never written through, it may be a link to a blob
            os.unlink(target)
            write = os.open(target, flags, mode & 0o777 | 0o200)
        try:
            _copy_bytes(read, write)
        finally:
            os.close(write)
    finally:
        os.close(read)


def _copy_bytes(read: int, write: int) -> None:
    left = os.fstat(read).st_size
    while left > 0:
        try:
            # not before Python 3.8 and Linux 4.5; sendfile works on every Linux
            done = os.copy_file_range(read, write, left)
        except AttributeError:
            done = os.sendfile(write, read, None, left)
        except OSError as error:
            if error.errno not in (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
                raise
            done = _copy_chunk(read, write)
        if done == 0:
            break
        left -= done


def _copy_chunk(read: int, write: int) -> int:
    data = os.read(read, 1 << 20)
    left = data
    while left:
        left = left[os.write(write, left) :]
    return len(data)


def lay_out(manifest: Mapping[str, Any], work: Path, blobs: Path, may_link: bool = True) -> Layout:
    """Create every file, directory and link of the manifest below ``work``.

    Raises ``BundleError`` for what is not below it or has not arrived, ``OSError`` for disks.
    """
    work.mkdir(exist_ok=True)
    writer = _Writer(work, blobs, may_link)
    for entry in manifest.get("files", ()):
        writer.file(entry)
    for path in manifest.get("directories", ()):
        writer.directory(safe_path(path))
    for entry in manifest.get("links", ()):
        writer.link(entry)
    return writer.layout
