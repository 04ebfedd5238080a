"""The files of a directory of variables: manifest, buffers and signature. Python 3.8."""

from __future__ import annotations

import hashlib
import hmac
import json
import mmap
import threading
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Sequence

from ..errors import ResultError

STREAM, BUFFERS, MANIFEST, SIGNATURE = "variables.pkl", "buffers", "variables.json", "signature"

_PIECE = 1 << 20


def write_manifest(directory: Path, manifest: Mapping[str, Any]) -> None:
    """Write the manifest, by rename: a directory that has one is complete."""
    temporary = directory / (MANIFEST + ".new")
    temporary.write_text(json.dumps(manifest))
    temporary.replace(directory / MANIFEST)


def write_buffers(directory: Path, views: Sequence[memoryview]) -> List[Dict[str, Any]]:
    """Write each buffer to a file; returns their sizes and digests."""
    (directory / BUFFERS).mkdir(exist_ok=True)
    return [
        {"size": view.nbytes, "sha256": _write_buffer(view, directory / BUFFERS / f"{number}.bin")}
        for number, view in enumerate(views)
    ]


def _write_buffer(view: memoryview, path: Path) -> str:
    """Write straight from memory; the digest is computed by a thread beside it."""
    digest = hashlib.sha256()
    thread = threading.Thread(target=digest.update, args=(view,))
    thread.start()
    try:
        with path.open("wb", buffering=0) as file:
            done = 0
            while done < view.nbytes:
                done += file.write(view[done:])
    finally:
        thread.join()
    return digest.hexdigest()


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


def map_buffers(directory: Path, records: Sequence[Mapping[str, Any]], *, check: bool) -> List[Any]:
    """Map each buffer privately, so that it is writable without a read and a copy."""
    buffers = []
    for number, record in enumerate(records):
        path = directory / BUFFERS / f"{number}.bin"
        try:
            with path.open("rb") as file:
                mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        except (OSError, ValueError) as error:
            raise ResultError(f"{path} cannot be read: {error}") from error
        sound = len(mapped) == record["size"]
        if not sound or (check and hashlib.sha256(mapped).hexdigest() != record["sha256"]):
            raise ResultError(f"{path} is not what the job wrote, so no variable was read")
        buffers.append(mapped)
    return buffers
