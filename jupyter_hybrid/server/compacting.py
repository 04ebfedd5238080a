"""Events of a job as a page can hold them: what goes under within one answer is not sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..events import Event, Kind
from ..runner.streams import collapse_returns
from .shortening import Output, shortened, shortened_data


def compacted(events: Iterable[Event], most: int, job: str) -> list[Event]:
    """Events that show the same, each cell's outputs shortened to about so many characters.

    Outputs that follow each other are put together, with the number of the last; an output that is
    cleared and a change that another one follows are left out.
    """
    compact = _Compact(most, job)
    for event in events:
        compact.take(event)
    return compact.all()


class _Compact:
    def __init__(self, most: int, job: str) -> None:
        self._most, self._job = most, job
        self._events: list[Event] = []
        #: Outputs of the same cell that have followed each other until now.
        self._run: list[Event] = []
        #: Cells whose next output replaces the others.
        self._clearing: set[Any] = set()

    def take(self, event: Event) -> None:
        cell = event.data.get("cell_id")
        if event.kind == Kind.OUTPUT:
            if cell in self._clearing:
                self._clearing.discard(cell)
                self._forget(cell)
            if self._run and self._run[-1].data.get("cell_id") != cell:
                self._end()
            self._run.append(event)
            return
        self._end()
        if event.kind == Kind.CLEAR and event.data.get("wait"):
            self._clearing.add(cell)
        elif event.kind == Kind.CLEAR:
            self._forget(cell)
        elif event.kind == Kind.UPDATE:
            event = self._update(event)
        self._events.append(event)

    def all(self) -> list[Event]:
        self._end()
        return self._events

    def _forget(self, cell: Any) -> None:
        self._end()
        self._events = [
            event
            for event in self._events
            if event.kind != Kind.OUTPUT or event.data.get("cell_id") != cell
        ]

    def _update(self, event: Event) -> Event:
        display = event.data.get("display_id")
        self._events = [
            other
            for other in self._events
            if other.kind != Kind.UPDATE or other.data.get("display_id") != display
        ]
        data = event.data.get("data")
        if not isinstance(data, Mapping):
            return event
        short = shortened_data(data, self._most, self._job)
        return Event(event.seq, event.time, event.kind, {**event.data, "data": short})

    def _end(self) -> None:
        run, self._run = self._run, []
        if not run:
            return
        last = run[-1]
        outputs = _merged(event.data.get("output") for event in run)
        for output in shortened(outputs, self._most, self._job):
            data = {**last.data, "output": output}
            self._events.append(Event(last.seq, last.time, last.kind, data))


def _merged(outputs: Iterable[Any]) -> list[Output]:
    """The outputs, with one for what the same stream printed in several."""
    merged: list[Output] = []
    parts: list[str] = []
    for output in outputs:
        if not isinstance(output, dict):
            continue
        stream = output.get("output_type") == "stream"
        last = merged[-1] if merged else {}
        if stream and last.get("output_type") == "stream" and last["name"] == output.get("name"):
            parts.append(_text(output))
            continue
        _close(merged, parts)
        merged.append({**output, "name": output.get("name")} if stream else output)
        parts = [_text(output)] if stream else []
    _close(merged, parts)
    return merged


def _text(output: Mapping[str, Any]) -> str:
    text = output.get("text", "")
    return "".join(map(str, text)) if isinstance(text, list) else str(text)


def _close(merged: list[Output], parts: list[str]) -> None:
    if parts:
        merged[-1] = {**merged[-1], "text": _returned("".join(parts))}


def _returned(text: str) -> str:
    """The text without what its carriage returns have overwritten.

    A return in its first line is kept: it overwrites what an earlier answer had there.
    """
    first = text.partition("\n")[0].rstrip("\r")
    return ("\r" if "\r" in first else "") + collapse_returns(text)
