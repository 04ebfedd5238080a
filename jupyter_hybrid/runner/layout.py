"""Lay out the work directory from the file manifest and the blobs.

Every file is the job's own. A hard link to its blob would be there at once, but whoever writes into
it writes into the input of every other job: nothing in the kernel can watch ``dd``, HDF5 or other
compiled code. And who is not root could not open it for writing, as they can at home. File systems
that can (btrfs, xfs) let both share their blocks until one is written to; on others the job waits
for a copy, while its kernel boots. Standard library only.
"""

from __future__ import annotations

import errno
import fcntl
import os
import threading
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Callable, Dict, Mapping, Optional, Set, Tuple

from ..errors import BundleError
from ..paths import blob_path, leads_inside
from .emit import remove

#: Linux's ioctl that makes one file share another's blocks: ioctl_ficlone(2).
_FICLONE = 0x40049409
#: Bytes between two looks whether the copy is still wanted.
_CHUNK = 64 << 20

#: What a file was when the kernel began: size, time of change, inode.
Stamp = Tuple[int, int, int]


@dataclass
class Layout:
    """What was laid out so far, by path relative to the work directory."""

    stamps: Dict[str, Stamp] = field(default_factory=dict)
    #: Where each symbolic link leads.
    links: Dict[str, str] = field(default_factory=dict)


class Stopped(Exception):
    """The rest is not wanted any more."""


class _Writer:
    """Creates files below one directory and nowhere else."""

    def __init__(self, work: Path, blobs: Path, stopped: Callable[[], bool]) -> None:
        self._work, self._blobs, self._stopped = work, blobs, stopped
        # beside the work directory: what is half copied there never comes back as a result
        self._scratch = f"{work}.part"
        self._made: Set[str] = {""}
        self._clones = True
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
        """Lay out one file: whole under its name, or not there."""
        if self._stopped():
            raise Stopped
        relative = safe_path(entry["path"])
        self.directory(relative.rpartition("/")[0])
        source = str(blob_path(self._blobs, entry["digest"]))
        target = f"{self._work}/{relative}"
        try:
            read = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise BundleError(
                f"the content of {relative!r} has not arrived (no blob {entry['digest'][:12]}); "
                "submit the job again"
            ) from error
        try:
            self._copy(read, int(entry.get("mode", 0o644)))
        finally:
            os.close(read)
        # what an earlier attempt left there is replaced, never written through
        os.rename(self._scratch, target)  # noqa: PTH104 - plain strings, for ten thousand files
        self.layout.stamps[relative] = stamp(os.stat(target))

    def _copy(self, read: int, mode: int) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        write = os.open(self._scratch, flags, mode & 0o777 | 0o200)
        try:
            if not self._clone(read, write):
                self._copy_bytes(read, write)
        except BaseException:
            os.unlink(self._scratch)
            raise
        finally:
            os.close(write)

    def _clone(self, read: int, write: int) -> bool:
        if self._clones:
            try:
                fcntl.ioctl(write, _FICLONE, read)
            except OSError:
                # not on this file system, nor for the next file
                self._clones = False
        return self._clones

    def _copy_bytes(self, read: int, write: int) -> None:
        left = os.fstat(read).st_size
        while left > 0:
            try:
                # not before Python 3.8 and Linux 4.5; sendfile works on every Linux
                done = os.copy_file_range(read, write, min(left, _CHUNK))
            except AttributeError:
                done = os.sendfile(write, read, None, min(left, _CHUNK))
            except OSError as error:
                if error.errno not in (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
                    raise
                done = _copy_chunk(read, write)
            if done == 0:
                break
            left -= done
            if left and self._stopped():
                raise Stopped

    def all(self, manifest: Mapping[str, Any]) -> None:
        """Lay out everything that the manifest lists."""
        self._work.mkdir(exist_ok=True)
        # an attempt that was killed leaves it
        remove(Path(self._scratch))
        for entry in manifest.get("files", ()):
            self.file(entry)
        for path in manifest.get("directories", ()):
            self.directory(safe_path(path))
        for entry in manifest.get("links", ()):
            self.link(entry)

    def link(self, entry: Mapping[str, Any]) -> None:
        """Lay out one symbolic link that stays inside."""
        relative = safe_path(entry["path"])
        folder, to = PurePosixPath(relative).parent, str(entry["to"])
        if not leads_inside(relative, to):
            raise BundleError(f"the link {relative!r} points outside the work directory, to {to}")
        self.directory("" if str(folder) == "." else str(folder))
        path = self._work / relative
        if path.is_symlink():
            path.unlink()
        path.symlink_to(to)
        self.layout.links[relative] = to


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


def _copy_chunk(read: int, write: int) -> int:
    data = os.read(read, 1 << 20)
    left = data
    while left:
        left = left[os.write(write, left) :]
    return len(data)


class LayingOut:
    """Creates every file, directory and link of the manifest below ``work``, in a thread.

    It begins at once, so that nothing else waits for it.
    """

    def __init__(self, manifest: Mapping[str, Any], work: Path, blobs: Path) -> None:
        self._unwanted = False
        self._error: Optional[Exception] = None
        self._writer = _Writer(work, blobs, lambda: self._unwanted)
        #: Grows; complete when ``wait`` has returned.
        self.layout = self._writer.layout
        self._thread = threading.Thread(target=self._run, args=(manifest,), daemon=True)
        self._thread.start()

    def _run(self, manifest: Mapping[str, Any]) -> None:
        try:
            self._writer.all(manifest)
        # whatever it is belongs to the thread that waits
        except Exception as error:  # noqa: BLE001
            self._error = error

    def wait(self, wanted: Callable[[], bool]) -> None:
        """Return when all is laid out, or is not wanted any more.

        Raises ``BundleError`` for what is not below ``work`` or has not arrived, ``OSError`` for
        disks.
        """
        while self._thread.is_alive():
            # signals are heard meanwhile
            self._thread.join(0.1)
            self._unwanted = not wanted()
        if self._error is not None and not isinstance(self._error, Stopped):
            raise self._error

    def stop(self) -> None:
        """Nothing is laid out any more when this returns."""
        self._unwanted = True
        self._thread.join()
