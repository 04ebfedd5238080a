"""Files of this machine: written whole, explained where they cannot be."""

import errno
import hashlib
import os
import shutil
import socket
import time
from typing import Any

from .wire import CHUNK

#: Seconds in which a thing is marked once as wanted.
DAY = 86400.0


def content(path: str) -> bytes:
    """All that is in the file."""
    with open(path, "rb") as file:
        return file.read()


def hashed(path: str, size: int = -1) -> Any:
    """The sha256, as far as it goes, of the first ``size`` bytes of a file or of all."""
    found = hashlib.sha256()
    with open(path, "rb", buffering=0) as file:
        while size:
            block = file.read(CHUNK if size < 0 else min(CHUNK, size))
            if not block:
                break
            found.update(block)
            size -= len(block) if size > 0 else 0
    return found


def scratch_name(path: str) -> str:
    """A name beside the file that no other process uses, however long the file's own name is."""
    folder, name = os.path.split(path)
    own = f"{socket.gethostname()}.{os.getpid()}"
    return os.path.join(folder, f".{name[:128]}.{own}")


def write(path: str, data: bytes, mode: int) -> None:
    """Write by rename, so that a reader sees all or nothing."""
    scratch = scratch_name(path)
    os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        write_all(descriptor, data, 0)
    finally:
        os.close(descriptor)
    os.rename(scratch, path)


def write_all(descriptor: int, data: bytes, offset: int) -> None:
    """Write all of it at that offset."""
    view = memoryview(data)
    while view:
        done = os.pwrite(descriptor, view, offset)
        view, offset = view[done:], offset + done


def link(source: str, target: str, mode: int) -> None:
    """Give a file a second name; a copy where it is to be written or links cannot be made."""
    try:
        os.unlink(target)
    except FileNotFoundError:
        pass
    if mode == 0o444:
        try:
            os.link(source, target)
            return
        except OSError:
            pass
    shutil.copyfile(source, target)
    os.chmod(target, mode)


def mark(path: str) -> bool:
    """Whether it is there; it has been wanted today."""
    try:
        if time.time() - os.stat(path).st_mtime > DAY:
            os.utime(path)
        return True
    except FileNotFoundError:
        return False
    except OSError:
        # somebody else's file, which others may use all the same
        return os.path.exists(path)


def look(folder: str) -> None:
    """See what other machines have just made in the directory, or removed.

    NFS believes for up to a minute that a file is not there, unless its directory is opened.
    """
    try:
        os.close(os.open(folder, os.O_RDONLY | os.O_DIRECTORY))
    except OSError:
        pass


def words(path: str, error: OSError) -> str:
    """What keeps us from the file, in a sentence."""
    where, host = error.filename or path, socket.gethostname()
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        what = "the disk is full" if error.errno == errno.ENOSPC else "the disk quota is used up"
        return f"{what} at {where} on {host}; make room there, or name another directory"
    return f"{where} on {host}: {error.strerror or error}"


def born(pid: int) -> str:
    """When the process was started, in ticks since the boot; empty where there is none."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""
