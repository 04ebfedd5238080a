"""Layers from files: the same files make the same tar, whoever makes it and when.

Entries are sorted, belong to user 0, and are of one fixed time.
"""

from __future__ import annotations

import hashlib
import io
import os
import queue
import stat
import tarfile
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any, BinaryIO

from ..errors import ImageError
from ..files import replacing
from .layers import GZIP, TAR, ZSTD, Layer
from .tar_headers import DIRECTORY, FILE, LINK, header

#: Bytes that are handed to the compressor at once, and how many such buffers there are.
_BLOCK, _BUFFERS = 1 << 20, 8


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
            for entry in _with_parents(entries):
                _add(pipe, entry)
            # POSIX (pax, "ustar Interchange Format"): two blocks of zeros, filled up to a record
            pipe.write(bytes(tarfile.RECORDSIZE - pipe.position % tarfile.RECORDSIZE))
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
    """All files and links below a directory here, as entries below ``below`` (empty: the root)."""
    with os.scandir(root) as found:
        inside = sorted(found, key=lambda entry: entry.name)
    for entry in inside:
        name = f"{below}/{entry.name}" if below else entry.name
        if entry.is_symlink():
            yield Entry(name, link=str(Path(entry.path).readlink()))
        elif entry.is_dir():
            yield from tree_entries(Path(entry.path), name)
        else:
            yield Entry(name, Path(entry.path), bool(entry.stat().st_mode & 0o100))


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


def _add(pipe: _Pipe, entry: Entry) -> None:
    mode = 0o755 if entry.executable or entry.source is None else 0o644
    if entry.link:
        pipe.write(header(LINK, entry.name, 0o777, link=entry.link))
    elif entry.source is None:
        pipe.write(header(DIRECTORY, entry.name, mode))
    elif isinstance(entry.source, bytes):
        pipe.write(header(FILE, entry.name, mode, size=len(entry.source)) + entry.source)
    else:
        # (a pipe would not let go of whoever opens it)
        descriptor = os.open(entry.source, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise ImageError(f"{entry.source} is neither a file nor a link")
            pipe.write(header(FILE, entry.name, mode, size=status.st_size))
            if pipe.fill(descriptor, status.st_size) != status.st_size:
                raise ImageError(f"{entry.source} became shorter while it was read; try again")
        finally:
            os.close(descriptor)
    pipe.write(bytes(-pipe.position % tarfile.BLOCKSIZE))


class _Pipe:
    """What is written to it is hashed here, and compressed and hashed in another thread.

    The same few buffers go round: new ones for half a gigabyte take longer than reading it, and a
    small layer wants one of them.
    """

    def __init__(self, file: BinaryIO, media_type: str) -> None:
        self.inner, self.whole = hashlib.sha256(), hashlib.sha256()
        #: Bytes of the tar so far.
        self.position = 0
        self._file, self._compressor = file, compressor(media_type)
        self._free: queue.Queue[memoryview] = queue.Queue()
        self._full: queue.Queue[memoryview | None] = queue.Queue()
        self._buffers = 0
        self._buffer, self._used = self._empty(), 0
        self._failed: OSError | None = None
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def write(self, data: bytes) -> None:
        """Take the bytes."""
        rest = memoryview(data)
        while rest:
            count = min(len(rest), _BLOCK - self._used)
            self._buffer[self._used : self._used + count] = rest[:count]
            rest = rest[count:]
            self._took(count)

    def fill(self, descriptor: int, size: int) -> int:
        """Take so many bytes of the open file; returns how many there were."""
        left = size
        while left:
            room = self._buffer[self._used : min(_BLOCK, self._used + left)]
            count = os.readv(descriptor, [room])
            if not count:
                break
            left -= count
            self._took(count)
        return size - left

    def _took(self, count: int) -> None:
        self._used += count
        self.position += count
        if self._used == _BLOCK:
            self._hand_over()

    def _hand_over(self) -> None:
        block = self._buffer[: self._used]
        self.inner.update(block)
        self._full.put(block)
        self._buffer, self._used = self._empty(), 0

    def _empty(self) -> memoryview:
        if self._free.empty() and self._buffers < _BUFFERS:
            self._buffers += 1
            return memoryview(bytearray(_BLOCK))
        return self._free.get()

    def close(self) -> None:
        """All has been written when this returns; raises ``OSError`` where it could not be."""
        self._hand_over()
        self._full.put(None)
        self._thread.join()
        if self._failed is not None:
            raise self._failed

    def _work(self) -> None:
        while (block := self._full.get()) is not None:
            self._keep(partial(self._compressor.compress, block))
            self._free.put(memoryview(block.obj))
        self._keep(self._compressor.flush)

    def _keep(self, compress: Callable[[], bytes]) -> None:
        if self._failed is not None:
            return
        try:
            data = compress()
            if data:
                self.whole.update(data)
                self._file.write(data)
        except OSError as error:
            # a full disk; the other thread must not wait for a queue that nobody empties
            self._failed = error


class _Plain:
    """Compresses nothing."""

    def compress(self, data: memoryview) -> bytes:
        return bytes(data)

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
    """The tar in a stream that is compressed by gzip, zstd or not at all; its first bytes tell."""
    raw: Any = _Raw(stream)
    buffered = io.BufferedReader(raw, _BLOCK)
    head = buffered.peek(4)[:4]
    if head[:2] == b"\x1f\x8b":
        from isal import igzip

        return igzip.open(buffered, "rb")  # type: ignore[no-any-return,no-untyped-call]
    if head == b"\x28\xb5\x2f\xfd":
        import zstandard

        return zstandard.ZstdDecompressor().stream_reader(buffered, read_across_frames=True)
    return buffered


class _Raw(io.RawIOBase):
    """Any stream that can be read, as one of which the first bytes can be looked at."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer as far as one read goes."""
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)
