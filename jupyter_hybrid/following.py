"""Follow a job from any process: its events and its record, from the beginning and then live."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import HybridError
from .events import Event, Kind, parse_events
from .job import Job
from .paths import JobPaths

if TYPE_CHECKING:
    from .executors.base import Executor
    from .manager import Manager

#: Seconds between two looks at the events: short while a job talks, longer while it is silent.
SHORTEST_PAUSE, LONGEST_PAUSE = 0.01, 0.05
#: Seconds between two questions to the place.
ASK_EVERY = 0.25
#: The longest pause between questions to a place that answers with errors.
ASK_AT_MOST = 60.0

_PATHS = JobPaths(Path())
EVENTS, EVENT_BLOBS = _PATHS.events.name, _PATHS.event_blobs.name


async def follow(manager: Manager, job: Job, after: int) -> AsyncIterator[Event | Job]:
    """Events behind number ``after`` and changed records; ends with the final record."""
    executor = manager.executor(job.spec.target)
    events = _Tail(executor, job, after)
    asked, ask_every, pause = float("-inf"), ASK_EVERY, SHORTEST_PAUSE
    yield job
    while True:
        ending = False
        news = False
        async for event in events.new():
            news = True
            ending = ending or event.kind == Kind.FINISHED
            yield event
        if job.state.final:
            return
        pause = SHORTEST_PAUSE if news or ending else min(LONGEST_PAUSE, pause * 1.2)
        if ending or events.ended or time.monotonic() - asked >= ask_every:
            asked = time.monotonic()
            try:
                new = await manager.refresh(job)
                ask_every = ASK_EVERY
            except HybridError:
                new, ask_every = job, min(ASK_AT_MOST, ask_every * 2)
            if new != job:
                job = new
                # the final record is the last item: what was printed before comes first
                if not job.state.final:
                    yield job
                else:
                    async for event in events.new():
                        yield event
                    yield job
                    return
        await asyncio.sleep(pause)


class _Tail:
    """The events of one job, as far as they were read."""

    def __init__(self, executor: Executor, job: Job, after: int) -> None:
        self._executor = executor
        self._job = job
        self._seq = after
        self._offset = 0
        #: True once the runner said that it is about to end.
        self.ended = False

    async def new(self) -> AsyncIterator[Event]:
        """Events that came since the last call, large outputs included."""
        try:
            while chunk := await self._executor.read(self._job, EVENTS, self._offset):
                events, used = parse_events(chunk)
                self._offset += used
                for event in events:
                    # a requeued runner may write again what the first one wrote
                    if event.seq <= self._seq:
                        continue
                    self._seq = event.seq
                    self.ended = self.ended or event.kind == Kind.FINISHED
                    yield await self._whole(event)
                if not used:
                    return
        except HybridError:
            # a place that does not answer now is asked again after the next pause
            return

    async def _whole(self, event: Event) -> Event:
        digest = event.data.get("blob")
        if not isinstance(digest, str):
            return event
        content = await read_all(self._executor, self._job, f"{EVENT_BLOBS}/{digest}")
        data: dict[str, Any] = {
            key: value for key, value in event.data.items() if key not in ("blob", "size")
        }
        value = _parse_blob(content)
        data.update({"output": value} if event.kind == Kind.OUTPUT else value)
        return Event(event.seq, event.time, event.kind, data)


async def tail(executor: Executor, job: Job) -> AsyncIterator[Event]:
    """The job's events so far, large outputs included."""
    async for event in _Tail(executor, job, 0).new():
        yield event


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
