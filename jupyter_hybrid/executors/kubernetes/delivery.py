"""What a job needs in its pod, as one tar: our code, its directory, and its files by content."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import tarfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any

from ... import runner, values
from ...blocking import within
from ...bundle import Bundle
from ...errors import PlaceError
from ...paths import JobPaths, blob_path
from .api import Api
from .manifest import BASE

#: What of this package travels (``CONTRIBUTING.md``, "Rooms"): modules, and whole packages.
MODULES = ("__init__.py", "_version.py", "errors.py", "events.py", "paths.py", "spec.py")
PACKAGES = (runner, values)
#: Bytes of a tar that fits into a Secret (1 MiB with all its fields, in base 64).
SMALL = 700_000
#: Bytes of one message to the pod.
CHUNK = 1 << 16
#: Seconds after which a command that says nothing is given up.
QUIET = 30.0
#: What is sent on channel 0 is the command's standard input (remotecommand, v4.channel.k8s.io).
_STDIN, _STDOUT, _STDERR, _STATUS = 0, 1, 2, 3


@cache
def code() -> tuple[tuple[str, bytes], ...]:
    """The files of ours that run in the pod: name below the code directory, and content."""
    package = Path(runner.__file__).parent.parent
    found = [package / name for name in MODULES]
    for part in PACKAGES:
        found += sorted(Path(str(part.__file__)).parent.rglob("*.py"))
    return tuple(
        (f"jupyter_hybrid/{p.relative_to(package).as_posix()}", p.read_bytes()) for p in found
    )


def receiver() -> str:
    """The program that waits in the pod."""
    return Path(__file__).with_name("receive.py").read_text(encoding="utf-8")


def write_code(directory: Path) -> None:
    """Lay out our code below the directory."""
    for name, content in code():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def size(directory: Path, bundle: Bundle, there: Sequence[str]) -> int:
    """Bytes that travel, about, before compression."""
    inputs = JobPaths(directory).inputs
    laid = sum(path.stat().st_size for path in inputs.rglob("*")) if inputs.is_dir() else 0
    files = 0 if "blobs" in there else sum(entry.size for entry in bundle.files)
    return laid + len(bundle.notebook) + files


@dataclass(frozen=True)
class Parcel:
    """What is packed for one job."""

    directory: Path
    blobs: Path
    bundle: Bundle
    #: What is in the pod already: ``code``, ``blobs``.
    there: Sequence[str] = ()


def small(parcel: Parcel) -> bytes | None:
    """The tar compressed, where it fits into a Secret."""
    if size(parcel.directory, parcel.bundle, parcel.there) > 4 * SMALL:
        return None
    from isal import igzip

    stream = io.BytesIO()
    pack(stream, parcel)
    packed: bytes = igzip.compress(stream.getbuffer(), compresslevel=1)
    return packed if len(packed) <= SMALL else None


def pack(stream: IO[bytes], parcel: Parcel) -> None:
    """Write the tar: ``code``, ``job`` and ``blobs``."""
    paths = JobPaths(parcel.directory)
    with tarfile.open(fileobj=stream, mode="w|", bufsize=1 << 20) as tar:
        for name, content in code() if "code" not in parcel.there else ():
            _add(tar, f"code/{name}", content)
        for path in (paths.key, paths.files, paths.notebook, paths.spec):
            tar.add(path, f"job/{path.name}", filter=_anonymous)
        if paths.inputs.is_dir():
            tar.add(paths.inputs, "job/inputs", filter=_anonymous)
        _add(tar, "blobs/.ours", b"")
        files = parcel.bundle.files if "blobs" not in parcel.there else ()
        for digest in sorted({entry.digest for entry in files}):
            path = blob_path(parcel.blobs, digest)
            tar.add(path, f"blobs/{digest[:2]}/{digest}", filter=_anonymous)


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(content), 0o644
    tar.addfile(info, io.BytesIO(content))


def _anonymous(info: tarfile.TarInfo) -> tarfile.TarInfo:
    # whoever the pod runs as owns what it unpacks
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    info.mode |= 0o600 if info.isfile() else 0o700
    return info


def packed(parcel: Parcel) -> Iterator[bytes]:
    """The tar in pieces, as it is written: it is never whole in memory or on the disk."""
    read, write = os.pipe()

    def work() -> None:
        with contextlib.suppress(BrokenPipeError), os.fdopen(write, "wb") as stream:
            pack(stream, parcel)

    thread = threading.Thread(target=work, name="jupyter-hybrid-pack", daemon=True)
    with os.fdopen(read, "rb") as stream:
        thread.start()
        while piece := stream.read(1 << 20):
            yield piece
    thread.join()


async def deliver(api: Api, pod: str, python: str, pieces: Iterator[bytes]) -> None:
    """Send a tar into the pod, where it is unpacked whole or not at all. Raises ``PlaceError``."""
    command = [python, "-c", receiver(), "take", BASE]
    async with api.execute(pod, command, stdin=True) as socket:

        async def send() -> None:
            while piece := await asyncio.to_thread(next, pieces, b""):
                for start in range(0, len(piece), CHUNK):
                    await socket.send_bytes(bytes([_STDIN]) + piece[start : start + CHUNK])

        sending = asyncio.create_task(send())
        try:
            await finished(socket)
        finally:
            sending.cancel()
            await asyncio.wait([sending])


async def finished(socket: Any, take: Any = None, *, quiet: float | None = None) -> None:
    """Wait for a command's end; ``take`` gets its output.

    Raises ``PlaceError`` if it failed, or said nothing for ``quiet`` seconds: of a container that
    ends in this very moment, nodes may answer nothing at all.
    """
    complaints = b""
    while True:
        try:
            message = await within(quiet, anext(socket))
        except StopAsyncIteration:
            break
        except asyncio.TimeoutError:
            raise PlaceError(
                f"a command in the job's pod said nothing for {quiet:g} s", transient=True
            ) from None
        data = message.data.encode() if isinstance(message.data, str) else message.data
        if not data:
            continue
        channel, content = data[0], data[1:]
        if channel == _STDOUT and take is not None and content:
            await take(content)
        elif channel == _STDERR:
            complaints = (complaints + content)[-2000:]
        elif channel == _STATUS:
            status = json.loads(content)
            if status.get("status") == "Success":
                return
            said = complaints.decode("utf-8", "replace").strip().splitlines()
            words = said[-1] if said else status.get("message")
            raise PlaceError(f"a command in the job's pod failed: {words}", transient=True)
    raise PlaceError("the connection to the job's pod broke", transient=True)
