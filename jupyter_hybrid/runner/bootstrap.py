"""Prepare a Python kernel for a job; runs inside it, and leaves no name in the user's namespace.

Read and executed by path, in kernels whose environment knows nothing of this package: standard
library only, Python 3.8. ``SETTINGS`` is in the globals: paths, flush_interval, device, inodes,
and journal (a descriptor and the bytes of a ring), if there is one.
"""

from __future__ import annotations

import importlib
import mmap
import os
import stat
import struct
import sys
import threading
from typing import Any, Mapping, Optional

#: Flags of os.open that may change a file.
WRITING = os.O_WRONLY | os.O_RDWR
#: Audit events that may change the file their first argument names.
CHANGING = ("os.chmod", "os.utime", "os.truncate", "sqlite3.connect")


class Guard:
    """Gives a hard-linked input file a content of its own before the first write.

    The link's other name is a blob that later jobs will use.
    """

    def __init__(self, device: int, inodes: Mapping[int, int]) -> None:
        self._device = device
        #: Mode of the private copy, by inode.
        self._modes = dict(inodes)

    def __call__(self, event: str, args: Any) -> None:
        """The audit hook: called for every event, so the common ones must leave at once."""
        if event == "open":
            path, mode, flags = args
            if isinstance(mode, str):
                if "r" in mode and "+" not in mode:
                    return
            elif not (isinstance(flags, int) and flags & WRITING):
                return
            truncates = isinstance(flags, int) and bool(flags & os.O_TRUNC)
        elif event in CHANGING:
            path, truncates = args[0], False
        else:
            return
        if isinstance(path, (str, bytes)):
            self._separate(os.fsdecode(path), truncates)

    def _separate(self, path: str, truncates: bool) -> None:
        if path.startswith("file:"):
            path = path[5:].partition("?")[0]
        try:
            status = os.stat(path)
        except (OSError, ValueError):
            return
        if status.st_nlink < 2 or status.st_dev != self._device or not stat.S_ISREG(status.st_mode):
            return
        mode = self._modes.get(status.st_ino)
        if mode is not None:
            _replace_by_copy(os.path.realpath(path), mode | 0o200, truncates)


def _replace_by_copy(path: str, mode: int, empty: bool) -> None:
    scratch = f"{path}.{os.getpid()}.part"
    # the scratch file has one link, so that opening it does not come back here
    write = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode & 0o777)
    try:
        read = os.open(path, os.O_RDONLY)
        try:
            left = 0 if empty else os.fstat(read).st_size
            while left > 0:
                done = os.sendfile(write, read, None, min(left, 1 << 30))
                if not done:
                    break
                left -= done
        finally:
            os.close(read)
            os.close(write)
        os.replace(scratch, path)
    except BaseException:
        os.unlink(scratch)
        raise


def quicken_streams(interval: float) -> None:
    """What the user prints leaves the kernel after ``interval`` seconds instead of 0.2."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "flush_interval"):
            stream.flush_interval = interval


class LastWords:
    """Keeps the end of what is printed in the runner's memory (``journal.py``).

    ipykernel's streams write to their ``echo`` all that is written to them, before it leaves.
    """

    def __init__(self, memory: Any, area: int, ring: int, echo: Any) -> None:
        self._memory, self._area, self._ring, self._echo = memory, area, ring, echo
        self._numbers = struct.Struct("2Q")
        self._lock, self._pid = threading.RLock(), os.getpid()

    def write(self, text: str) -> None:
        """Called by the stream, in the thread that prints."""
        if os.getpid() != self._pid:
            # a forked child may find the lock taken by a thread that it does not have
            self._lock, self._pid = threading.RLock(), os.getpid()
        with self._lock:
            self._keep(text.encode("utf-8", "surrogatepass"), len(text))
        if self._echo is not None:
            self._echo.write(text)

    def _keep(self, data: bytes, length: int) -> None:
        memory, ring, start = self._memory, self._ring, self._area + 24
        size, before = self._numbers.unpack_from(memory, self._area)
        end = size + len(data)
        data = data[-ring:]
        begin = (end - len(data)) % ring
        first = data[: ring - begin]
        memory[start + begin : start + begin + len(first)] = first
        memory[start : start + len(data) - len(first)] = data[len(first) :]
        self._numbers.pack_into(memory, self._area, end, before + length)

    def flush(self) -> None:
        """Called by the stream when it sends."""
        if self._echo is not None:
            self._echo.flush()


def keep_last_words(descriptor: int, ring: int) -> None:
    """What the user prints outlives the kernel."""
    area = 24 + ring
    memory = mmap.mmap(descriptor, 2 * area)
    # no child of the kernel is to have it
    os.close(descriptor)
    for number, stream in enumerate((sys.stdout, sys.stderr)):
        if hasattr(stream, "echo"):
            stream.echo = LastWords(memory, number * area, ring, stream.echo)


def keep_all_messages() -> None:
    """A burst of outputs is queued; by default ZeroMQ drops what is beyond a thousand."""
    shell: Optional[Any] = sys.modules["IPython"].get_ipython()
    thread: Any = getattr(getattr(shell, "kernel", None), "iopub_thread", None)
    socket = getattr(thread, "socket", None)
    if socket is None:
        return

    def unlimited() -> None:
        socket.sndhwm = 0

    # the socket belongs to its thread
    thread.schedule(unlimited)


def install(settings: Mapping[str, Any]) -> None:
    """Do all of it."""
    # appended, never in front: the environment's own packages win
    sys.path.extend(path for path in settings["paths"] if path not in sys.path)
    quicken_streams(settings["flush_interval"])
    if settings["journal"]:
        keep_last_words(*settings["journal"])
    keep_all_messages()
    importlib.invalidate_caches()
    if settings["inodes"]:
        sys.addaudithook(Guard(settings["device"], {int(k): v for k, v in settings["inodes"]}))


if "SETTINGS" in globals():
    install(globals()["SETTINGS"])
