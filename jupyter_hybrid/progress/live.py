"""Progress on a terminal: what cells print scrolls by above a few lines that say where we are."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, TextIO

from ..events import Event, Kind
from ..job import Job, State
from ..sentences import one_line
from .screen import Screen
from .text import without_colour

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.live import Live
    from rich.table import Table
    from rich.text import Text

#: Columns of the bar; on a narrow terminal it goes first.
BAR, NARROW = 24, 60
#: Open lines (progress bars of cells) shown below ours.
TAILS = 4
#: Drawn this often per second, for the clock and the spinner.
FRAMES = 10


class LiveProgress:
    """Draws with rich, which is imported only when the job runs already."""

    def __init__(self, stream: TextIO, *, quiet: bool, colour: bool, unicode: bool) -> None:
        self._stream = stream
        self._quiet = quiet
        self._colour = colour
        self._unicode = unicode
        self._started = time.monotonic()
        self._screen = Screen()
        self._job: Job | None = None
        self._state = ""
        self._current = ""
        self._done, self._total = 0, 0
        self._live: Live | None = None

    def take(self, item: Event | Job) -> None:
        """Show one thing that happened, or the job's record as it is now."""
        if isinstance(item, Job):
            self._job = item
            self._state = "" if item.state is State.RUNNING else one_line(item.reason)
            return
        if self._live is None:
            self._live = self._start()
        self._take_event(item)

    def close(self) -> None:
        """Bring out lines that never ended, and leave the terminal as it was."""
        if self._live is not None:
            for _, lines in self._screen.flush():
                self._print(lines)
            self._live.stop()
            self._live = None

    def wait(self) -> None:
        """Nothing happened for a moment: draw all the same."""
        if self._live is None:
            self._live = self._start()

    def _take_event(self, event: Event) -> None:
        if not self._quiet:
            for _, lines in self._screen.take(event):
                self._print(lines)
        data = event.data
        if event.kind == Kind.KERNEL:
            self._total = int(data.get("total") or 0)
        elif event.kind == Kind.CELL:
            self._current = one_line(str(data.get("line", "")))
            self._done, self._total = int(data.get("number", 1)) - 1, int(data.get("total") or 0)
        elif event.kind == Kind.CELL_END:
            self._current = ""
            self._done += data.get("status") == "ok"
        elif event.kind == Kind.NOTE:
            self._print([f"note: {one_line(str(data.get('text', '')))}"])

    def _print(self, lines: list[str]) -> None:
        if not lines or self._live is None:
            return
        text = "\n".join(lines)
        if not self._colour and "\x1b" in text:
            text = without_colour(text)
        # soft_wrap: nothing is cut or measured, so that a million lines go by quickly
        self._live.console.print(_Raw(text), soft_wrap=True)

    def _start(self) -> Live:
        from rich.console import Console
        from rich.live import Live

        console = Console(file=self._stream, no_color=not self._colour, force_terminal=True)
        live = Live(
            console=console, get_renderable=self._draw, transient=True, refresh_per_second=FRAMES
        )
        live.start(refresh=True)
        return live

    def _draw(self) -> Table:
        from rich.table import Table

        grid = Table.grid(padding=0)
        grid.add_column(no_wrap=True, overflow="ellipsis" if self._unicode else "crop")
        for row in self._rows():
            grid.add_row(row)
        return grid

    def _rows(self) -> Iterator[Table | Text]:
        from rich.text import Text

        for line in self._screen.tail[-TAILS:]:
            yield Text.from_ansi(line)
        yield self._status()
        if self._state and not self._current:
            yield Text("  " + self._state, style="yellow")
        elif self._current:
            yield Text("  " + self._current, style="dim")

    def _status(self) -> Text:
        from rich.text import Text

        width = self._live.console.width if self._live else 80
        frames = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏" if self._unicode else "|/-\\"
        elapsed = self._elapsed()
        line = Text()
        line.append(frames[int(elapsed * FRAMES) % len(frames)] + " ", style="cyan")
        if self._job is not None:
            line.append(_shortened(one_line(self._job.spec.name), width // 3), style="bold")
            line.append(f" on {self._job.spec.target}")
        if self._total and width >= NARROW:
            line.append("  ")
            line.append_text(self._bar())
        if self._total:
            line.append(f"  {self._done}/{self._total}", style="green")
        line.append(f"  {_clock(elapsed)}", style="dim")
        return line

    def _elapsed(self) -> float:
        """Seconds since the job started, or since its submit while it waits."""
        if self._job is None:
            return time.monotonic() - self._started
        # wall clock, as the record has it: another process may have submitted the job
        return max(0.0, time.time() - (self._job.started_at or self._job.created_at))

    def _bar(self) -> Text:
        from rich.text import Text

        filled = BAR * min(self._done, self._total) // self._total
        full, empty = ("━", "─") if self._unicode else ("#", ".")
        bar = Text(full * filled, style="green")
        bar.append(empty * (BAR - filled), style="dim")
        return bar


class _Raw:
    """Text that rich passes on as it is."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.segment import Segment

        yield Segment(self._text)
        yield Segment.line()


def _shortened(text: str, width: int) -> str:
    return text if len(text) <= width else text[: max(1, width - 2)] + ".."


def _clock(seconds: float) -> str:
    minutes, whole = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{whole:02d}"
