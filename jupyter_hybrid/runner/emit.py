"""Append events to ``events.jsonl``, whatever happens to the disk.

Standard library only.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional

from ..events import Event, Kind, parse_events
from ..paths import JobPaths

#: Larger outputs are written to a blob of their own; the event names it.
INLINE_UP_TO = 64_000
#: Bytes kept aside for a full disk, by file: for the exit record, and for the last events.
RESERVES = {".reserve-exit": 64 * 1024, ".reserve": 512 * 1024}
#: Stream text waits this long for more of the same, in seconds.
STREAM_DELAY = 0.02
#: Stream text of this many characters waits no longer.
STREAM_SIZE = 1_000_000

FULL = (errno.ENOSPC, errno.EDQUOT)


class DiskFull(Exception):
    """The job directory's disk is full; the reserve has been given up for the last words."""


class Emitter:
    """Numbers events and appends each with a single write."""

    def __init__(self, paths: JobPaths) -> None:
        self._paths = paths
        self._file = os.open(paths.events, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        self._seq = last_seq(paths.events)
        #: True from the first write that failed for lack of space.
        self.full = False
        #: True once nobody but the exit record matters: a full disk is then passed over.
        self.ending = False
        #: True where there is not even room for an exit record.
        self.no_room = False
        self._keep_reserves()

    def _keep_reserves(self) -> None:
        try:
            for name, size in RESERVES.items():
                descriptor = os.open(self._paths.directory / name, os.O_WRONLY | os.O_CREAT, 0o600)
                try:
                    os.posix_fallocate(descriptor, 0, size)
                finally:
                    os.close(descriptor)
        except OSError as error:
            self.full = error.errno in FULL
            # a job that could not say how it ended must not begin
            if self.full and name == ".reserve-exit":
                self.no_room = True
                remove_reserves(self._paths.directory)

    def give_up_reserve(self) -> None:
        """Free the space that was kept aside for the last events."""
        remove(self._paths.directory / ".reserve")

    def emit(self, kind: str, **data: Any) -> None:
        """Append one event; raises ``DiskFull`` where it did not fit without the reserve."""
        self._seq += 1
        line = Event(self._seq, time.time(), kind, data).to_line()
        left = self._write(line)
        if left:
            self._on_full()
            # what fits, so that the next event begins a line of its own
            self._write(left)
            if not self.ending:
                raise DiskFull

    def _write(self, line: bytes) -> bytes:
        """Append the line and return what did not fit."""
        try:
            while line:
                line = line[os.write(self._file, line) :]
        except OSError as error:
            if error.errno not in FULL:
                raise
        return line

    def _on_full(self) -> None:
        self.full = True
        self.give_up_reserve()

    def emit_output(self, cell_id: str, output: Dict[str, Any]) -> None:
        """Append an output event; a large output goes to a blob."""
        self._emit_content(Kind.OUTPUT, output, {"output": output}, cell_id=cell_id)

    def emit_update(self, cell_id: str, display_id: str, content: Dict[str, Any]) -> None:
        """Append an update of a shown output: ``content`` has data and metadata."""
        self._emit_content(Kind.UPDATE, content, content, cell_id=cell_id, display_id=display_id)

    def _emit_content(
        self, kind: str, content: Dict[str, Any], inline: Dict[str, Any], **names: str
    ) -> None:
        if self.full and self.ending:
            # what space there is belongs to the last events and the exit record
            return
        size = rough_size(content)
        if size > INLINE_UP_TO:
            text = json.dumps(content, ensure_ascii=True, separators=(",", ":")).encode("ascii")
            digest = self._write_blob(text)
            if digest is not None:
                self.emit(kind, blob=digest, size=len(text), **names)
                return
        self.emit(kind, **inline, **names)

    def _write_blob(self, data: bytes) -> Optional[str]:
        digest = hashlib.sha256(data).hexdigest()
        path = self._paths.event_blobs / digest
        scratch = path.with_name(f".{digest}")
        try:
            self._paths.event_blobs.mkdir(exist_ok=True)
            scratch.write_bytes(data)
            scratch.replace(path)
        except OSError as error:
            if error.errno not in FULL:
                raise
            remove(scratch)
            self._on_full()
            if not self.ending:
                raise DiskFull from error
            return None
        return digest

    def close(self) -> None:
        """End the file; it is complete on the disk afterwards."""
        try:
            os.fsync(self._file)
        except OSError as error:
            # pipes and some network file systems cannot
            if error.errno not in (*FULL, errno.EINVAL, errno.EROFS, errno.EIO):
                raise
        os.close(self._file)


def remove_reserves(directory: Path) -> None:
    """All space that was kept aside is free."""
    for name in RESERVES:
        remove(directory / name)


def remove(path: Path) -> None:
    """The file is not there, whether it was or not."""
    try:
        path.unlink()
    except FileNotFoundError:
        pass


def rough_size(value: Any) -> int:
    """About how many bytes the JSON value takes, never more than a small factor off."""
    if isinstance(value, str):
        return len(value) + 2
    if isinstance(value, dict):
        return sum(len(key) + 4 + rough_size(item) for key, item in value.items()) + 2
    if isinstance(value, (list, tuple)):
        return sum(rough_size(item) + 1 for item in value) + 2
    return 8


def last_seq(path: Path) -> int:
    """The number of the last event in the file; 0 for a new one. Ends a half-written last line."""
    size = path.stat().st_size
    if size == 0:
        return 0
    data = path.read_bytes()
    if not data.endswith(b"\n"):
        with path.open("ab") as file:
            file.write(b"\n")
        data += b"\n"
    events, _ = parse_events(data)
    return events[-1].seq if events else 0


class StreamBuffer:
    """Turns a flood of stream messages into few events, none of them later than 20 ms."""

    def __init__(self, emitter: Emitter, call_later: Callable[[float, Callable[[], None]], Any]):
        self._emitter, self._call_later = emitter, call_later
        self._parts: List[str] = []
        self._size = 0
        self._cell_id = self._name = ""
        self._last = 0.0
        self._timer: Any = None

    def add(self, cell_id: str, name: str, text: str) -> None:
        """A cell printed this."""
        if (cell_id, name) != (self._cell_id, self._name):
            self.flush()
            self._cell_id, self._name = cell_id, name
        self._parts.append(text)
        self._size += len(text)
        wait = self._last + STREAM_DELAY - time.monotonic()
        if wait <= 0 or self._size >= STREAM_SIZE:
            self.flush()
        elif self._timer is None:
            self._timer = self._call_later(wait, self.flush)

    def flush(self) -> None:
        """Whatever was printed is in the file."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._parts:
            text = "".join(self._parts)
            self._parts, self._size = [], 0
            output = {"output_type": "stream", "name": self._name, "text": text}
            self._emitter.emit_output(self._cell_id, output)
            self._last = time.monotonic()
