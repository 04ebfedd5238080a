"""Progress where nobody watches: a line when a cell begins, and what cells print as it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from ..events import Event, Kind
from ..job import Job, State
from ..sentences import one_line
from ..units import format_duration
from .screen import Screen
from .text import Piece, without_colour

#: Seconds from which the end of a cell is worth a line of its own.
WORTH_A_LINE = 0.5


class Stream(Protocol):
    """What text is written to."""

    def write(self, text: str, /) -> Any:
        """Write the text."""

    def flush(self) -> Any:
        """What has been written leaves this process."""


class PlainProgress:
    """Writes what cells print to the two streams, and a line per cell through ``say``."""

    def __init__(
        self,
        out: Stream | None,
        err: Stream | None,
        say: Callable[[str], None] | None,
        *,
        colour: bool = False,
    ) -> None:
        self._streams = {"stdout": out, "stderr": err}
        self._screen = Screen()
        self._say_line = say
        self._colour = colour
        #: What the job waits for; told once it has waited for a moment.
        self._reason = ""
        self._waits = False
        self._number = ""

    def take(self, item: Event | Job) -> None:
        """Show one thing that happened, or the job's record as it is now."""
        if isinstance(item, Job):
            self._take_job(item)
            return
        for name, lines in self._screen.take(item):
            self._write(name, lines)
        data = item.data
        if item.kind == Kind.CELL:
            self._number = f"[{data.get('number')}/{data.get('total')}]"
            self._say(f"{self._number} {data.get('line', '')}".rstrip())
        elif item.kind == Kind.CELL_END:
            seconds = float(data.get("seconds") or 0)
            if data.get("status") != "ok" or seconds >= WORTH_A_LINE:
                self._say(f"{self._number} {data.get('status')} after {format_duration(seconds)}")
        elif item.kind == Kind.NOTE:
            self._say(f"note: {data.get('text', '')}")

    def wait(self) -> None:
        """Nothing happened for a moment: say what the job waits for."""
        self._waits = True
        if self._reason:
            self._say(f"waiting: {self._reason}")

    def close(self) -> None:
        """Bring out lines that never ended."""
        for name, lines in self._screen.flush():
            self._write(name, lines)

    def _take_job(self, job: Job) -> None:
        reason = job.reason if job.state in (State.CREATED, State.PENDING) else ""
        if self._waits and reason and reason != self._reason:
            self._say(f"waiting: {reason}")
        self._reason = reason

    def _write(self, name: str, lines: list[str]) -> None:
        stream = self._streams[name]
        if stream is None or not lines:
            return
        text = "".join(line if isinstance(line, Piece) else line + "\n" for line in lines)
        stream.write(text if self._colour or "\x1b" not in text else without_colour(text))
        stream.flush()

    def _say(self, line: str) -> None:
        if self._say_line is not None:
            self._say_line(one_line(line))
