"""The files of a directory of variables: manifest, buffers and signature. Python 3.8."""

from __future__ import annotations

import hashlib
import hmac
import json
import mmap
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence

from ..errors import ResultError

STREAM, BUFFERS, MANIFEST, SIGNATURE = "variables.pkl", "buffers", "variables.json", "signature"

_PIECE = 1 << 20
#: Bytes that are hashed as one, and how many threads hash at the most.
_BLOCK, _THREADS = 4 << 20, 4


def write_manifest(directory: Path, manifest: Mapping[str, Any]) -> None:
    """Write the manifest, by rename: a directory that has one is complete."""
    temporary = directory / (MANIFEST + ".new")
    temporary.write_text(json.dumps(manifest))
    temporary.replace(directory / MANIFEST)


def write_buffers(
    directory: Path, views: Sequence[memoryview], *, digests: bool
) -> List[Dict[str, Any]]:
    """Write each buffer to a file; returns their sizes and, if wanted, digests."""
    (directory / BUFFERS).mkdir(exist_ok=True)
    return [
        {
            "size": view.nbytes,
            "digest": _write_buffer(view, directory / BUFFERS / f"{number}.bin", digests),
        }
        for number, view in enumerate(views)
    ]


def _write_buffer(view: memoryview, path: Path, digests: bool) -> Optional[str]:
    """Write straight from memory; blocks are hashed while others are written."""
    with path.open("wb", buffering=0) as file:

        def put(offset: int) -> bytes:
            block = view[offset : offset + _BLOCK]
            digest = hashlib.sha256(block).digest() if digests else b""
            while block:
                done = os.pwrite(file.fileno(), block, offset)
                block, offset = block[done:], offset + done
            return digest

        blocks = _each_block(put, view.nbytes)
    return _joined(blocks) if digests else None


def buffer_digest(view: memoryview) -> str:
    """The digest of a buffer in memory, as the manifest has it: of the digests of its blocks."""

    def digest(offset: int) -> bytes:
        return hashlib.sha256(view[offset : offset + _BLOCK]).digest()

    return _joined(_each_block(digest, view.nbytes))


def _file_digest(file: Any, size: int) -> str:
    """The digest of a buffer's file, read past its mapping: a mapped page counts as memory."""
    rooms = threading.local()

    def digest(offset: int) -> bytes:
        if not hasattr(rooms, "room"):
            rooms.room = memoryview(bytearray(min(_BLOCK, size)))
        count = os.preadv(file.fileno(), [rooms.room], offset)
        return hashlib.sha256(rooms.room[:count]).digest()

    return _joined(_each_block(digest, size))


def _each_block(work: Callable[[int], bytes], size: int) -> List[bytes]:
    """The work's results for every block's offset; several blocks are worked on at once."""
    offsets = range(0, size, _BLOCK)
    threads = min(len(offsets), os.cpu_count() or 1, _THREADS)
    if threads < 2:
        return [work(offset) for offset in offsets]
    with ThreadPoolExecutor(threads, "jupyter-hybrid-values") as pool:
        return list(pool.map(work, offsets))


def _joined(blocks: Sequence[bytes]) -> str:
    return hashlib.sha256(b"".join(blocks)).hexdigest()


def read_manifest(directory: Path) -> Dict[str, Any]:
    """The manifest of a directory written by ``dump``; raises ``ResultError``."""
    return parse_manifest(directory, manifest_bytes(directory))


def manifest_bytes(directory: Path) -> bytes:
    """The manifest as written; raises ``ResultError``."""
    try:
        return (directory / MANIFEST).read_bytes()
    except OSError as error:
        raise ResultError(f"there are no variables in {directory}: {error.strerror}") from error


def parse_manifest(directory: Path, content: bytes) -> Dict[str, Any]:
    """The manifest as an object; raises ``ResultError``."""
    try:
        manifest = json.loads(content)
        manifest["names"], manifest["buffers"], manifest["refused"]
    except (ValueError, KeyError, TypeError) as error:
        raise ResultError(f"the variables in {directory} are incomplete: {error}") from error
    return dict(manifest)


def sign(directory: Path, key: bytes) -> None:
    """Vouch for the directory as it is now, by a keyed digest over stream and manifest."""
    with (directory / STREAM).open("rb") as stream:
        signature = _signature(manifest_bytes(directory), stream, key)
    (directory / SIGNATURE).write_text(signature)


def _signature(manifest: bytes, stream: Any, key: bytes) -> str:
    digest = hmac.new(key, hashlib.sha256(manifest).digest(), "sha256")
    for piece in _pieces(stream):
        digest.update(piece)
    return digest.hexdigest()


def _pieces(stream: Any) -> Iterator[bytes]:
    while True:
        piece = stream.read(_PIECE)
        if not piece:
            return
        yield piece


def verify(directory: Path, manifest: bytes, stream: Any, key: bytes) -> None:
    """Raise ``ResultError`` unless the signature was made with this key; rewinds the stream."""
    try:
        stated = (directory / SIGNATURE).read_text().strip()
    except (OSError, ValueError):
        stated = ""
    expected = _signature(manifest, stream, key)
    if not hmac.compare_digest(expected.encode(), stated.encode("utf-8", "replace")):
        raise ResultError(
            f"the variables in {directory} are not vouched for by the job's key, so none was "
            "read: they are incomplete, or something other than the job's runner wrote them"
        )
    stream.seek(0)


def map_buffers(
    directory: Path, records: Sequence[Mapping[str, Any]], *, check: bool, here: bool = False
) -> List[Any]:
    """Map each buffer privately, so that it is writable without a read and a copy.

    Where they are checked, those without a digest are refused unless they were written ``here``.
    """
    buffers = []
    for number, record in enumerate(records):
        path = directory / BUFFERS / f"{number}.bin"
        try:
            with path.open("rb") as file:
                mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
                sound = len(mapped) == record["size"]
                if check and not (here and record["digest"] is None):
                    sound = sound and _file_digest(file, len(mapped)) == record["digest"]
        except (OSError, ValueError) as error:
            raise ResultError(f"{path} cannot be read: {error}") from error
        if not sound:
            raise ResultError(f"{path} is not what the job wrote, so no variable was read")
        buffers.append(mapped)
    return buffers
