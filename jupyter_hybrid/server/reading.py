"""A job's events and texts, page by page, from where the reader left off."""

from __future__ import annotations

import asyncio
import codecs
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..events import Event, Kind, parse_events
from ..paths import JobPaths
from ..progress.text import joined, shown_text
from ..runner.emit import rough_size
from ..tailing import Tail
from .base import to_text
from .compacting import compacted

if TYPE_CHECKING:
    from ..executors.base import Executor
    from ..job import Job
    from ..manager import Manager

#: Characters after which a page is full, whatever was asked for; and one that is shortened.
PAGE, SHORT_PAGE = 4 << 20, 16 << 20
#: Places in events that are remembered: more than jobs that are read at the same time.
REMEMBERED = 1000
#: Bytes by which the end of a log is looked for: what a place gives out at once.
STRIDE = 1 << 20


@dataclass(frozen=True)
class Page:
    """Events behind a number."""

    events: tuple[Event, ...]
    #: The same as JSON texts.
    texts: tuple[str, ...]
    #: The number to go on from.
    last: int
    #: True where the page was full.
    more: bool
    #: Where in the file the first of them begins.
    first: int


class Reader:
    """Reads events behind a number without reading those before it once more."""

    def __init__(self) -> None:
        #: Where the line of an event ends, by job and number.
        self._offsets: OrderedDict[tuple[str, int], int] = OrderedDict()

    async def page(
        self, manager: Manager, job: Job, after: int, limit: int, most: int | None = None
    ) -> Page:
        """Events behind number ``after``; raises ``PlaceError``.

        With ``most``, what each cell shows is shortened to about so many characters.
        """
        executor = manager.executor(job.spec.target)
        offset = self._offsets.get((job.id, after))
        if offset is None:
            # of a page that was open while this server was started anew
            offset = await _line_before(executor, job, after) if after else 0
        tail = Tail(executor, job, after=after, offset=offset)
        events: list[Event] = []
        size, first, full = 0, offset, False
        async for event in tail.new():
            first = first if events else tail.start
            events.append(event)
            size += rough_size(event.data)
            full = len(events) >= limit or size >= (PAGE if most is None else SHORT_PAGE)
            if full:
                break
        last = events[-1].seq if events else after
        self._remember(job.id, last, tail.position)
        if most is not None:
            events = await asyncio.to_thread(compacted, events, most, job.id)
        texts = tuple(to_text(event_document(event)) for event in events)
        return Page(tuple(events), texts, last, full, first)

    async def ending(self, manager: Manager, job: Job, size: int, before: int | None) -> Page:
        """The last events, or those that end ``before`` there in their file; about so many bytes.

        Raises ``PlaceError``.
        """
        executor, name = manager.executor(job.spec.target), JobPaths(Path()).events.name
        end = before
        if end is None:
            # what the record has counted need not be read to be passed over
            end = await _read_on(executor, job, name, job.events_offset)
        first = await _last_events(executor, job, end, size)
        tail = Tail(executor, job, offset=first)
        events: list[Event] = []
        position = first
        async for event in tail.new():
            if tail.position > end:
                break
            events.append(event)
            position = tail.position
        last = events[-1].seq if events else 0
        if before is None and events:
            self._remember(job.id, last, position)
        return Page(tuple(events), (), last, False, first)

    async def last(self, manager: Manager, job: Job) -> int:
        """The number of the job's newest event; 0 where there is none."""
        return (await self.ending(manager, job, 1, None)).last

    def _remember(self, job_id: str, number: int, offset: int) -> None:
        self._offsets[job_id, number] = offset
        self._offsets.move_to_end((job_id, number))
        while len(self._offsets) > REMEMBERED:
            self._offsets.popitem(last=False)


async def _line_before(executor: Executor, job: Job, after: int) -> int:
    """Where a line begins behind which are all events behind number ``after``, and few others.

    Numbers rise by one; where a requeued runner repeats some, those that it repeats count.
    """
    low, step, found = 0, STRIDE, True
    while step >= STRIDE:
        start, number = await _event_near(executor, job, low + step)
        inside = start > low and number <= after
        low = start if inside else low
        found = found and inside
        # farther and farther, until that is too far, and then nearer and nearer
        step = step * 2 if found else step // 2
    return low


async def _event_near(executor: Executor, job: Job, offset: int) -> tuple[int, int]:
    """Where the first line begins behind ``offset``, and its number; zeros where it is no event."""
    chunk = await executor.read(job, JobPaths(Path()).events.name, offset)
    start = chunk.find(b"\n") + 1
    events, _ = parse_events(chunk[start : chunk.find(b"\n", start) + 1])
    return (offset + start, events[0].seq) if start and events else (0, 0)


async def _last_events(executor: Executor, job: Job, end: int, size: int) -> int:
    """Where the first of those events before ``end`` begins that are of this size together.

    One that shows something at least. What stands in a file of its own is counted as well.
    """
    name = JobPaths(Path()).events.name
    first, reach = end, size
    found: list[tuple[int, int, bool]] = []
    while first > 0 and not found:
        first = await _line_behind(executor, job, name, end - reach)
        found = await _events_between(executor, job, first, end)
        # one line may be longer than all that is asked for, and the last one half-written
        reach *= 4
    shown = False
    for start, length, shows in reversed(found):
        size -= length
        if size < 0 and shown:
            return first
        first, shown = start, shown or shows
    return first


async def _events_between(
    executor: Executor, job: Job, first: int, end: int
) -> list[tuple[int, int, bool]]:
    """Of each event before ``end``: where it begins, its size, and whether it shows anything."""
    tail = Tail(executor, job, offset=first)
    found: list[tuple[int, int, bool]] = []
    async for event, position in tail.lines():
        if position > end:
            break
        length = event.data.get("size")
        length = length if isinstance(length, int) else position - tail.start
        found.append((tail.start, length, event.kind == Kind.OUTPUT))
    return found


async def log_ending(
    executor: Executor, job: Job, size: int, before: int | None
) -> tuple[bytes, int]:
    """The last bytes of the runner's log, or those ``before`` there, and where they begin.

    They begin with a line, unless that is longer than ``size``.
    """
    name = JobPaths(Path()).log.name
    end = await _end(executor, job, name) if before is None else before
    first = max(0, end - size)
    content = bytearray()
    while first + len(content) < end:
        chunk = await executor.read(job, name, first + len(content))
        if not chunk:
            break
        content += chunk
    del content[end - first :]
    cut = content.find(b"\n") + 1 if first else 0
    cut = cut if cut < len(content) else 0
    return bytes(content[cut:]), first + cut


async def _end(executor: Executor, job: Job, name: str) -> int:
    """How long a file of the job is: places tell what is behind an offset, and not how much."""
    low, step = 0, STRIDE
    while await executor.read(job, name, low + step):
        low += step
        step *= 2
    high = low + step
    while high - low > STRIDE:
        middle = (low + high) // 2
        if await executor.read(job, name, middle):
            low = middle
        else:
            high = middle
    return await _read_on(executor, job, name, low)


async def _read_on(executor: Executor, job: Job, name: str, offset: int) -> int:
    """The end of the file, from a place in it."""
    while chunk := await executor.read(job, name, offset):
        offset += len(chunk)
    return offset


async def _line_behind(executor: Executor, job: Job, name: str, offset: int) -> int:
    """Where the first line begins that does so at ``offset`` or behind it; else the file's end."""
    if offset <= 0:
        return 0
    # a line that begins right there is one, too
    offset -= 1
    while chunk := await executor.read(job, name, offset):
        found = chunk.find(b"\n") + 1
        if found:
            return offset + found
        offset += len(chunk)
    return offset


def event_document(event: Event) -> dict[str, Any]:
    """An event as JSON, as ``jupyter hybrid logs --json`` prints it."""
    return {**event.data, "seq": event.seq, "time": event.time, "kind": event.kind}


def printed(events: tuple[Event, ...]) -> str:
    """What cells printed, as text."""
    shown = (event.data.get("output") for event in events if event.kind == Kind.OUTPUT)
    return "".join(_text(output) for output in shown if isinstance(output, Mapping))


def _text(output: Mapping[str, Any]) -> str:
    if output.get("output_type") == "stream":
        return joined(output.get("text", ""))
    return shown_text(output)


def decoded(chunk: bytes, *, whole: bool) -> tuple[str, int]:
    """The text in a piece of a log, and how many bytes of it that is.

    A character that is cut at the end is left for the next piece, unless the log is ``whole``.
    """
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    text = decoder.decode(chunk, whole)
    rest, _ = decoder.getstate()
    return text, len(chunk) - len(rest)
