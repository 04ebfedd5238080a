"""What a job's cells show, event by event, as lines for the two standard streams."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..events import Event, Kind
from .text import Lines, joined, shown_text

#: A stream's name and lines that are finished.
Shown = tuple[str, list[str]]


class Screen:
    """Keeps what may still change: lines without an end, and outputs that are updated in place."""

    def __init__(self) -> None:
        self._lines = {"stdout": Lines(), "stderr": Lines()}
        #: Text of displays that cells may update, by display id.
        self._displays: dict[str, str] = {}

    @property
    def tail(self) -> list[str]:
        """Lines that may still change, as they look now."""
        displays = [line for text in self._displays.values() for line in _split(text)]
        return [*displays, *self._lines["stdout"].tail, *self._lines["stderr"].tail]

    def take(self, event: Event) -> Iterator[Shown]:
        """The lines that are finished with this event."""
        if event.kind == Kind.OUTPUT:
            yield from self._output(event.data.get("output") or {})
        elif event.kind == Kind.UPDATE:
            display_id = str(event.data.get("display_id"))
            if display_id in self._displays:
                # a bar that was closed leaves no line
                text = shown_text(event.data)
                self._displays[display_id] = text if text.strip() else ""
        elif event.kind == Kind.CLEAR:
            self._displays.clear()
            for lines in self._lines.values():
                lines.flush()
        elif event.kind == Kind.CELL_END:
            yield from self.flush()

    def flush(self) -> Iterator[Shown]:
        """Everything that was still open."""
        for text in self._displays.values():
            yield "stdout", _split(text)
        self._displays.clear()
        for name, lines in self._lines.items():
            yield name, lines.flush()

    def _output(self, output: Mapping[str, Any]) -> Iterator[Shown]:
        kind = output.get("output_type")
        if kind == "stream":
            name = "stderr" if output.get("name") == "stderr" else "stdout"
            yield name, self._lines[name].feed(joined(output.get("text", "")))
            return
        transient = output.get("transient")
        if isinstance(transient, Mapping) and transient.get("display_id"):
            self._displays[str(transient["display_id"])] = shown_text(output)
            return
        for name, lines in self._lines.items():
            yield name, lines.flush()
        yield "stderr" if kind == "error" else "stdout", _split(shown_text(output))


def _split(text: str) -> list[str]:
    return text.split("\n")[:-1]
