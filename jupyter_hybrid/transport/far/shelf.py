"""What is kept for later jobs below our directory: images, layers, runners and blobs.

When a thing was wanted last is the time of its file (of a directory, the directory's own).
"""

import fcntl
import os
import shutil
import time
from typing import Dict, Iterator, List, Tuple

from .disk import mark
from .wire import Answer, Header

#: Kinds of things by the folder that they are in.
FOLDERS = ("images", "layers", "runners", "pulls", "blobs")
#: Names beside things: locks and marks go with theirs, what is half-made belongs to who makes it.
_BESIDE = (".lock", ".part", ".compiled")


def size_of(path: str) -> int:
    """Bytes of a file, or of all files below a directory."""
    if not os.path.isdir(path):
        return os.lstat(path).st_size
    found = 0
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                found += os.lstat(os.path.join(folder, name)).st_size
            except OSError:
                continue
    return found


class Shelf:
    """Requests about what is kept."""

    def __init__(self, root: str) -> None:
        self._root = root

    def wanted(self, header: Header, payload: bytes) -> Answer:
        """Which of the paths are there; a job wants them."""
        return {"there": [mark(path) for path in header["paths"]]}, b""

    def prune(self, header: Header, payload: bytes) -> Answer:
        """Remove what nobody wanted since ``before`` (seconds since the epoch, by our clock).

        Says by folder how many bytes went and how many are left. What is in work is left alone.
        """
        freed: Dict[str, int] = {}
        kept: Dict[str, int] = {}
        for folder, path in self._things():
            try:
                size = size_of(path)
                gone = self._wanted_at(path) < header["before"] and self._remove(
                    path, header["before"]
                )
            except OSError:
                continue
            counted = freed if gone else kept
            counted[folder] = counted.get(folder, 0) + size
        return {"freed": freed, "kept": kept, "time": time.time()}, b""

    def _things(self) -> Iterator[Tuple[str, str]]:
        for folder in FOLDERS:
            for path in self._below(os.path.join(self._root, folder), folder == "blobs"):
                if not os.path.basename(path).startswith(".") and not path.endswith(_BESIDE):
                    yield folder, path

    def _below(self, top: str, nested: bool) -> List[str]:
        try:
            names = [os.path.join(top, name) for name in sorted(os.listdir(top))]
        except OSError:
            return []
        if not nested:
            return names
        folders = [name for name in names if not os.path.basename(name).startswith(".")]
        return [path for folder in folders for path in self._below(folder, False)]

    def _wanted_at(self, path: str) -> float:
        times = [os.stat(path).st_mtime]
        if os.path.exists(path + ".compiled"):
            times.append(os.stat(path + ".compiled").st_mtime)
        return max(times)

    def _remove(self, path: str, before: float) -> bool:
        """Whether it is gone; whoever makes such a thing holds the lock beside it."""
        if os.path.basename(os.path.dirname(path)) not in ("images", "layers"):
            return self._take_away(path)
        lock = os.open(path + ".lock", os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if self._wanted_at(path) >= before:
                return False
            gone = self._take_away(path)
            for name in (path + ".compiled", path + ".lock"):
                if os.path.exists(name):
                    os.unlink(name)
            return gone
        except BlockingIOError:
            return False
        finally:
            os.close(lock)

    def _take_away(self, path: str) -> bool:
        if not os.path.isdir(path):
            os.unlink(path)
            return True
        # whole or not there, also where this process ends meanwhile
        aside = os.path.join(os.path.dirname(path), ".old-" + os.path.basename(path))
        shutil.rmtree(aside, ignore_errors=True)
        os.rename(path, aside)
        shutil.rmtree(aside, ignore_errors=True)
        return True
