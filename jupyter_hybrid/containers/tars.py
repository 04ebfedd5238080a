"""Layers from files: the same files make the same tar, whoever makes it and when.

Entries are sorted, belong to user 0, and are of one fixed time.
"""

from __future__ import annotations

import hashlib
import io
import os
import queue
import tarfile
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO

from ..errors import ImageError
from ..files import replacing
from .layers import GZIP, TAR, ZSTD, Layer

#: 1980-01-01: the oldest time that zip archives, which people make of installed files, can say.
TIME = 315532800
#: Bytes that are handed to the compressor at once.
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Entry:
    """One entry of a layer: a file, a link or a directory."""

    #: Relative to the image's root, ``/`` between names.
    name: str
    #: A file here, or the content itself; None for a directory or a link.
    source: Path | bytes | None = None
    executable: bool = False
    #: Where a symbolic link points.
    link: str = ""


def write_layer(
    entries: Iterable[Entry], path: Path, *, media_type: str = GZIP, comment: str = ""
) -> Layer:
    """Write the entries, and the directories above them, as a layer; the path has it whole or not.

    Raises ``ImageError`` for names outside the root and for kinds of files that no layer has.
    """
    whole = hashlib.sha256()
    with replacing(path) as file:
        pipe = _Pipe(file, media_type)
        try:
            with tarfile.open(fileobj=pipe, mode="w|", format=tarfile.PAX_FORMAT) as tar:  # type: ignore[call-overload]
                for entry in _with_parents(entries):
                    _add(tar, entry)
        finally:
            pipe.close()
        size = file.tell()
        whole = pipe.whole
    return Layer(
        path=path,
        digest=f"sha256:{whole.hexdigest()}",
        diff_id=f"sha256:{pipe.inner.hexdigest()}",
        size=size,
        media_type=media_type,
        comment=comment,
    )


def tree_entries(root: Path, below: str) -> Iterator[Entry]:
    """All files and links below a directory here, as entries below ``below``."""
    for folder, folders, names in os.walk(root):
        folders.sort()
        inside = Path(folder).relative_to(root).as_posix()
        prefix = below if inside == "." else f"{below}/{inside}"
        links = [name for name in folders if Path(folder, name).is_symlink()]
        for name in sorted((*names, *links)):
            path = Path(folder, name)
            if path.is_symlink():
                yield Entry(f"{prefix}/{name}", link=str(path.readlink()))
            else:
                executable = bool(path.stat().st_mode & 0o100)
                yield Entry(f"{prefix}/{name}", path, executable)


def _with_parents(entries: Iterable[Entry]) -> list[Entry]:
    found: dict[str, Entry] = {}
    for entry in entries:
        parts = entry.name.split("/")
        if not all(parts) or {".", ".."} & set(parts):
            raise ImageError(f"{entry.name!r} is not a path that a layer may have")
        for depth in range(1, len(parts)):
            parent = "/".join(parts[:depth])
            found.setdefault(parent, Entry(parent))
        found[entry.name] = entry
    return [found[name] for name in sorted(found, key=lambda name: name.split("/"))]


def _add(tar: tarfile.TarFile, entry: Entry) -> None:
    info = tarfile.TarInfo(entry.name)
    info.mtime = TIME
    info.mode = 0o755 if entry.executable or entry.source is None else 0o644
    if entry.link:
        info.type, info.linkname, info.mode = tarfile.SYMTYPE, entry.link, 0o777
        tar.addfile(info)
    elif entry.source is None:
        info.type = tarfile.DIRTYPE
        tar.addfile(info)
    elif isinstance(entry.source, bytes):
        info.size = len(entry.source)
        tar.addfile(info, io.BytesIO(entry.source))
    else:
        if not entry.source.is_file():
            raise ImageError(f"{entry.source} is neither a file nor a link, or it is gone")
        with entry.source.open("rb", buffering=0) as file:
            info.size = os.fstat(file.fileno()).st_size
            tar.addfile(info, file)


class _Pipe:
    """What is written to it is hashed here, and compressed and hashed in another thread."""

    def __init__(self, file: BinaryIO, media_type: str) -> None:
        self.inner, self.whole = hashlib.sha256(), hashlib.sha256()
        self._file, self._compressor = file, compressor(media_type)
        self._blocks: queue.Queue[bytes | None] = queue.Queue(maxsize=8)
        self._held = bytearray()
        self._failed: BaseException | None = None
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def write(self, data: bytes) -> int:
        self._held += data
        if len(self._held) >= _BLOCK:
            self._hand_over()
        return len(data)

    def _hand_over(self) -> None:
        block = bytes(self._held)
        self._held.clear()
        self.inner.update(block)
        if self._failed is None:
            self._blocks.put(block)

    def close(self) -> None:
        self._hand_over()
        self._blocks.put(None)
        self._thread.join()
        if self._failed is not None:
            raise self._failed

    def _work(self) -> None:
        while (block := self._blocks.get()) is not None:
            try:
                if self._failed is None:
                    self._keep(self._compressor.compress(block))
            except OSError as error:
                # a full disk; the other thread must not wait for a queue that nobody empties
                self._failed = error
        try:
            if self._failed is None:
                self._keep(self._compressor.flush())
        except OSError as error:
            self._failed = error

    def _keep(self, data: bytes) -> None:
        if data:
            self.whole.update(data)
            self._file.write(data)


class _Plain:
    """Compresses nothing."""

    def compress(self, data: bytes) -> bytes:
        return data

    def flush(self) -> bytes:
        return b""


def compressor(media_type: str) -> Any:
    """What compresses to the media type, with ``compress`` and ``flush``."""
    if media_type == GZIP:
        from isal import isal_zlib

        # a gzip header without a name and a time (RFC 1952)
        return isal_zlib.compressobj(1, wbits=31)
    if media_type == ZSTD:
        import zstandard

        return zstandard.ZstdCompressor(level=3).compressobj()
    if media_type == TAR:
        return _Plain()
    raise ImageError(f"layers of the media type {media_type!r} cannot be made")


def opened(stream: BinaryIO) -> IO[bytes]:
    """The tar in a stream: by gzip, zstd or not compressed, as its first bytes tell."""
    buffered = io.BufferedReader(stream, _BLOCK) if isinstance(stream, io.RawIOBase) else stream
    head = buffered.peek(4)[:4] if isinstance(buffered, io.BufferedReader) else b""
    if head[:2] == b"\x1f\x8b":
        from isal import igzip

        return igzip.open(buffered, "rb")  # type: ignore[no-any-return,no-untyped-call]
    if head == b"\x28\xb5\x2f\xfd":
        import zstandard

        return zstandard.ZstdDecompressor().stream_reader(buffered, read_across_frames=True)
    return buffered
