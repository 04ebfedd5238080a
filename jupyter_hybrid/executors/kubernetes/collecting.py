"""Results out of a job's pod, before it ends: a tar that is unpacked while it comes."""

from __future__ import annotations

import asyncio
import os
import queue
import shutil
import tarfile
from pathlib import Path, PurePosixPath
from typing import Any

from ...errors import PlaceError, ResultError
from ...paths import JobPaths
from .api import Api
from .delivery import QUIET, finished
from .manifest import BASE, Inside

#: Pieces that wait to be unpacked; then the pod waits.
AHEAD = 64
#: The exit record, as long as the pod that made it waits to be released.
ARRIVED = ".exit.arrived.json"
#: Where the code of a delivered job is in its pod.
HANDOUT = "jupyter_hybrid/runner/handout.py"


class _Arriving:
    """A file that is read in one thread while another fills it."""

    def __init__(self) -> None:
        self._queue: queue.Queue[bytes | None] = queue.Queue(AHEAD)
        self._rest = b""
        self._ended = False

    def put(self, piece: bytes | None) -> None:
        """More of it; None is its end."""
        self._queue.put(piece)

    def put_nowait(self, piece: bytes) -> bool:
        """More of it, if there is room."""
        try:
            self._queue.put_nowait(piece)
        except queue.Full:
            return False
        return True

    def read(self, size: int) -> bytes:
        """So many bytes, or fewer at the end."""
        parts, have = [self._rest], len(self._rest)
        while have < size and not self._ended:
            piece = self._queue.get()
            if piece is None:
                self._ended = True
            else:
                parts.append(piece)
                have += len(piece)
        data = b"".join(parts)
        self._rest = data[size:]
        return data[:size]


async def collect(api: Api, pod: str, inside: Inside, here: Path) -> None:
    """Bring what the job made into its directory here, and last its exit record (``ARRIVED``).

    Raises ``PlaceError`` where the stream broke: nothing of it counts then, and the next attempt
    begins anew; and ``ResultError`` where it cannot be written here.
    """
    arriving = _Arriving()
    unpacking = asyncio.create_task(asyncio.to_thread(unpack, arriving, here))

    async def take(piece: bytes) -> None:
        if unpacking.done():
            return
        if not arriving.put_nowait(piece):
            await asyncio.to_thread(arriving.put, piece)

    try:
        command = [inside.python, f"{inside.code}/{HANDOUT}", inside.directory]
        async with api.execute(pod, command) as socket:
            await finished(socket, take, quiet=QUIET)
    finally:
        await asyncio.to_thread(arriving.put, None)
        await asyncio.wait([unpacking])
        # (the first complaint counts)
        broken = unpacking.exception()
    if broken is not None:
        raise broken


async def release(api: Api, pod: str, inside: Inside) -> None:
    """Let the pod end."""
    command = [inside.python, "-c", f"open('{BASE}/released', 'w').close()"]
    async with api.execute(pod, command) as socket:
        await finished(socket, quiet=QUIET)


def unpack(arriving: Any, here: Path) -> None:
    """Give what arrives, a tar to be read, its place in the job's directory here.

    Raises ``PlaceError`` where it is not whole: nothing of it counts then; and ``ResultError``
    where it cannot be written.
    """
    scratch = here / f".arriving.{os.getpid()}"
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        _unpack(arriving, scratch)
        _settle(scratch, here)
    except OSError as error:
        raise ResultError(
            f"the job's results cannot be written to {here}: {error.strerror or error}; "
            "make room there, and fetch them again"
        ) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _unpack(arriving: Any, scratch: Path) -> None:
    try:
        with tarfile.open(fileobj=arriving, mode="r|", bufsize=1 << 20) as tar:
            for member in tar:
                _extract(tar, member, scratch)
    except tarfile.TarError as error:
        raise PlaceError(f"the job's results arrived broken: {error}", transient=True) from error
    finally:
        # what comes behind the end of an archive is of no interest, but must not stand in the way
        while arriving.read(1 << 20):
            pass


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo, scratch: Path) -> None:
    """A regular file or a directory, inside; what a job calls its files is not to be trusted."""
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts:
        return
    target = scratch / path
    if member.isdir():
        target.mkdir(parents=True, exist_ok=True)
    elif member.isreg():
        source = tar.extractfile(member)
        assert source is not None
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as file:
            shutil.copyfileobj(source, file, 1 << 20)
        target.chmod(member.mode & 0o777 | 0o600)
        os.utime(target, (member.mtime, member.mtime))


def _settle(scratch: Path, here: Path) -> None:
    """Give everything its place; the exit record last."""
    exit_name = JobPaths(here).exit.name
    if not (scratch / exit_name).exists():
        raise PlaceError("the job's results arrived without their end", transient=True)
    for path in scratch.iterdir():
        target = here / path.name
        if path.name == exit_name or (path.name == "events.jsonl" and _is_longer(target, path)):
            continue
        if target.is_dir():
            shutil.rmtree(target)
        path.replace(target)
    (scratch / exit_name).replace(here / ARRIVED)


def _is_longer(target: Path, path: Path) -> bool:
    return target.exists() and target.stat().st_size > path.stat().st_size
