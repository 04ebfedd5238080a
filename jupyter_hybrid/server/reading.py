"""A job's events and texts, page by page, from where the reader left off."""

from __future__ import annotations

import codecs
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..events import Event, Kind
from ..progress.text import joined, shown_text
from ..tailing import Tail
from .base import to_text

if TYPE_CHECKING:
    from ..job import Job
    from ..manager import Manager

#: Characters after which a page is full, whatever was asked for.
PAGE = 4 << 20
#: Places in events that are remembered: more than jobs that are read at the same time.
REMEMBERED = 1000


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


class Reader:
    """Reads events behind a number without reading those before it once more."""

    def __init__(self) -> None:
        #: Where the line of an event ends, by job and number.
        self._offsets: OrderedDict[tuple[str, int], int] = OrderedDict()
        #: The newest event's number, and where its line ends, by job.
        self._last: dict[str, tuple[int, int]] = {}

    async def page(self, manager: Manager, job: Job, after: int, limit: int) -> Page:
        """Events behind number ``after``; raises ``PlaceError``."""
        offset = self._offsets.get((job.id, after), 0)
        tail = Tail(manager.executor(job.spec.target), job, after=after, offset=offset)
        events: list[Event] = []
        texts: list[str] = []
        size = 0
        async for event in tail.new():
            events.append(event)
            texts.append(to_text(event_document(event)))
            size += len(texts[-1])
            if len(events) >= limit or size >= PAGE:
                self._remember(job.id, event.seq, tail.position)
                return Page(tuple(events), tuple(texts), event.seq, True)
        last = events[-1].seq if events else after
        if events:
            self._remember(job.id, last, tail.position)
        return Page(tuple(events), tuple(texts), last, False)

    async def last(self, manager: Manager, job: Job) -> int:
        """The number of the job's newest event; 0 where there is none."""
        known = self._last.get(job.id, (0, 0))
        tail = Tail(manager.executor(job.spec.target), job, offset=known[1])
        number = known[0]
        async for event, _ in tail.lines():
            number = max(number, event.seq)
        self._last[job.id] = (number, tail.position)
        if len(self._last) > REMEMBERED:
            self._last.pop(next(iter(self._last)))
        return number

    def _remember(self, job_id: str, number: int, offset: int) -> None:
        self._offsets[job_id, number] = offset
        self._offsets.move_to_end((job_id, number))
        while len(self._offsets) > REMEMBERED:
            self._offsets.popitem(last=False)


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
