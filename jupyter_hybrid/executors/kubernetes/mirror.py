"""A job's events here: what its pod prints, at the offsets that it has in the job's own file.

Several processes may follow one job: they write the same bytes to the same places. Which events
there are is told by their numbers, so that nothing comes twice and what is missing is seen.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ...paths import JobPaths
from ...spec import ExitRecord

#: What a job can print goes wrong in these ways; none of them is about the place.
NO_RECORD = (ValueError, TypeError, KeyError, OverflowError, RecursionError)


class Mirror:
    """``events.jsonl`` in the job's directory here, as far as it is whole."""

    def __init__(self, directory: Path) -> None:
        self.path = JobPaths(directory).events
        #: Number of the last event.
        self.seq = 0
        #: Bytes up to its end.
        self.size = 0
        #: What the pod said last of all: the exit record (None: there was none).
        self.ended = False
        self.record: ExitRecord | None = None
        #: Whether its results are in the site's object store, and why not.
        self.stored = False
        self.complaint = ""
        self._read()

    def _read(self) -> None:
        try:
            file = self.path.open("rb")
        except FileNotFoundError:
            return
        with file:
            for line in file:
                record = _parse(line)
                if record is None or not line.endswith(b"\n"):
                    return
                self._advance(record, len(line))

    def _advance(self, record: dict[str, Any], length: int) -> None:
        # a runner that was started again may repeat numbers: the file is as it is
        self.seq = max(self.seq, record["seq"])
        self.size += length

    def missing(self, line: bytes) -> bool:
        """Whether there is something between what is here and this line."""
        record = _parse(line)
        return record is not None and record["seq"] > self.seq + 1

    def take(self, line: bytes) -> bool:
        """Keep a line that is new; whether it was. The pod's last line ends the mirror."""
        record = _parse(line)
        if record is None:
            self._last_word(line)
            return False
        if record["seq"] <= self.seq:
            return False
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            os.pwrite(descriptor, line, self.size)
        finally:
            os.close(descriptor)
        self._advance(record, len(line))
        return True

    def take_all(self, lines: bytes) -> None:
        """Keep whole lines of the job's file that begin where this one ends."""
        end = lines.rfind(b"\n") + 1
        for line in lines[:end].splitlines(keepends=True):
            record = _parse(line)
            if record is not None and record["seq"] <= self.seq:
                record = None
            if record is not None:
                self.take(line)

    def _last_word(self, line: bytes) -> None:
        try:
            said = json.loads(line)
            if said.get("kind") != "exit":
                return
            record = said.get("record")
            self.record = ExitRecord.from_json(record) if record else None
            self.stored = bool(said.get("stored"))
            self.complaint = str(said.get("complaint") or "")
        except (*NO_RECORD, AttributeError):
            return
        self.ended = True


def events_of(printed: bytes, rank: int | None = None) -> bytes:
    """Events among what a pod printed: its first process's, or those of another rank in it."""
    lines = printed.splitlines(keepends=True)
    if rank is None:
        return b"".join(line for line in lines if _parse(line) is not None)
    found = []
    for line in lines:
        try:
            said = json.loads(line)
            if said["of"] == rank:
                found.append(str(said["line"]).encode("utf-8", "surrogateescape") + b"\n")
        except NO_RECORD:
            continue
    return b"".join(found)


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
        record["seq"] = int(record["seq"])
    except NO_RECORD:
        return None
    return record if isinstance(record, dict) else None
