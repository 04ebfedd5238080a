"""Read the events of a job as they are appended, wherever its place is."""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .blocking import aside
from .errors import UsageError
from .events import Event, Kind, parse_events
from .paths import JobPaths

if TYPE_CHECKING:
    from .executors.base import Executor
    from .job import Job

_DIGEST = re.compile(r"[0-9a-f]{64}")
#: Bytes that are parsed where they are read: another thread takes as long to be had.
AT_ONCE = 1 << 15
#: Bytes that are parsed together: while their events are given out, nothing else is done.
PIECE = 1 << 19


class Tail:
    """The events of one job, as far as they were read. Nothing is lost where a read fails.

    ``offset`` is where in the file to begin (at a line's beginning), ``after`` the number of the
    last event that is known already, ``rank`` which process of the job it is that tells them.
    """

    def __init__(
        self, executor: Executor, job: Job, *, after: int = 0, offset: int = 0, rank: int = 0
    ) -> None:
        self._executor, self._paths = executor, JobPaths(Path()).rank(rank)
        #: Made once: it is read many times a second.
        self._name = str(self._paths.events)
        #: As it is known: of an ended job, everything is read.
        self.job = job
        self._seq, self._offset = after, offset
        #: Read, and not yet a whole line; and what is behind that.
        self._rest = self._behind = b""
        self._pending: deque[tuple[Event, int]] = deque()
        #: Where the line of the last event that was given out ends: another tail may begin there.
        self.position = offset
        #: Where it begins.
        self.start = offset
        #: True once the runner said that it is about to end.
        self.ended = False

    async def lines(self) -> AsyncIterator[tuple[Event, int]]:
        """New events as they stand in the file, each with the offset at which its line ends.

        Raises ``PlaceError`` where the place does not answer; the next call goes on from there.
        """
        while True:
            while self._pending:
                self.start = self.position
                event, self.position = self._pending.popleft()
                yield event, self.position
            if not self._behind:
                position = self._offset + len(self._rest)
                self._behind = await self._executor.read(self.job, self._name, position)
            if not self._behind:
                return
            await self._take()

    async def new(self) -> AsyncIterator[Event]:
        """New events with their large outputs, each once: a requeued runner may repeat some.

        Raises ``PlaceError`` as ``lines``; an event whose output could not be read comes again.
        """
        async for event, end in self.lines():
            if event.seq <= self._seq:
                continue
            try:
                whole = await self._whole(event)
            except BaseException:
                self._pending.appendleft((event, end))
                self.position = self.start
                raise
            self._seq = event.seq
            # a job that its place runs again begins again
            again = event.kind == Kind.STARTED
            self.ended = event.kind == Kind.FINISHED or (self.ended and not again)
            yield whole

    async def _take(self) -> None:
        content = self._rest + self._behind[:PIECE]
        much = len(content) > AT_ONCE
        found, used = await aside(_parse, content) if much else _parse(content)
        self._pending.extend((event, self._offset + end) for event, end in found)
        self._offset += used
        self._rest, self._behind = content[used:], self._behind[PIECE:]

    async def _whole(self, event: Event) -> Event:
        digest = event.data.get("blob")
        if not isinstance(digest, str):
            return event
        content = b""
        # a name from the place is a path here: nothing but a digest is one
        if _DIGEST.fullmatch(digest):
            name = str(self._paths.event_blobs / digest)
            content = await read_all(self._executor, self.job, name)
        data = {key: value for key, value in event.data.items() if key not in ("blob", "size")}
        value = _parse_blob(content)
        data.update({"output": value} if event.kind == Kind.OUTPUT else value)
        return Event(event.seq, event.time, event.kind, data)


def tail_of_rank(executor: Executor, job: Job, rank: int) -> Tail:
    """The events of one of a job's processes; raises ``UsageError`` where it has no such one."""
    ranks = job.spec.resources.ranks
    if rank >= ranks:
        has = f"the ranks 0 to {ranks - 1}" if ranks > 1 else "one process, of rank 0"
        raise UsageError(f"job {job.id} has {has}, and no rank {rank}")
    return Tail(executor, job, rank=rank)


def _parse(content: bytes) -> tuple[list[tuple[Event, int]], int]:
    """The events in whole lines, each with where it ends in ``content``, and where the rest begins.

    Line by line, so that each event's own end is known.
    """
    found: list[tuple[Event, int]] = []
    start = 0
    while (end := content.find(b"\n", start) + 1) > 0:
        events, _ = parse_events(content[start:end])
        found.extend((event, end) for event in events)
        start = end
    return found, start


async def read_all(executor: Executor, job: Job, name: str) -> bytes:
    """A whole file of the job."""
    content = bytearray()
    while chunk := await executor.read(job, name, len(content)):
        content += chunk
    return bytes(content)


def _parse_blob(content: bytes) -> dict[str, Any]:
    """An output, or an update's data and metadata."""
    try:
        value = json.loads(content)
    except ValueError:
        value = None
    if isinstance(value, dict):
        return value
    text = "[an output of the job could not be read back]"
    return {"output_type": "display_data", "data": {"text/plain": text}, "metadata": {}}
