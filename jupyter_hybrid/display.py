"""Shows in the calling cell what a job's cells show, while they show it."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Collection, Mapping
from typing import Any

from .events import Event, Kind
from .sentences import harmless
from .units import format_size

#: Characters of text shown before the middle is left out, and of the end that is shown anyway.
TEXT_LIMIT, TAIL_LIMIT = 1_000_000, 10_000


class CellDisplay:
    """Publishes a job's events in the cell that is being executed; used in the main thread.

    ``cells`` restricts what is shown to these cell ids; None shows a whole notebook, whose results
    are not the cell's here and have no number. ``scope`` keeps the display ids of this showing
    apart from those of any other.
    """

    def __init__(
        self, shell: Any, *, cells: Collection[str] | None, scope: str, where_the_rest_is: str
    ) -> None:
        self._shell = shell
        self._cells = cells
        self._scope = scope
        self._where = where_the_rest_is
        self._budget = TextBudget()
        #: The stream whose last line has no end yet.
        self._open: str | None = None

    def show(self, event: Event) -> None:
        """Show one event; kinds that show nothing are passed over."""
        data = event.data
        if event.kind == Kind.NOTE:
            self._write("stdout", f"{harmless(str(data.get('text', '')))}\n")
            return
        if self._cells is not None and data.get("cell_id") not in self._cells:
            return
        if event.kind == Kind.OUTPUT:
            self._output(data.get("output") or {})
        elif event.kind == Kind.UPDATE:
            self._publish(data, str(data.get("display_id")), update=True)
        elif event.kind == Kind.CLEAR:
            self._clear(bool(data.get("wait")))

    def error(self, output: Mapping[str, Any]) -> None:
        """Show an error that did not end the job."""
        self._write("stderr", "".join(f"{line}\n" for line in output.get("traceback") or ()))

    def flush(self) -> None:
        """Let the user see what was shown so far."""
        sys.stdout.flush()
        sys.stderr.flush()

    def finish(self) -> None:
        """Show the end of a text whose middle was left out, and end the last line."""
        cut, tail = self._budget.cut, self._budget.tail()
        if cut:
            # begin with a whole line, if there is one
            partial, newline, lines = tail.partition("\n")
            if lines:
                cut, tail = cut + len(partial + newline), lines
            note = (
                f"\n[… {format_size(cut)} of text not shown here; {self._where} has all of it …]\n"
            )
            self._write_now("stdout", note + tail)
        if self._open is not None:
            self._write_now(self._open, "\n")
        self.flush()

    def _output(self, output: Mapping[str, Any]) -> None:
        kind = output.get("output_type")
        if kind == "stream":
            self._write(str(output.get("name")), str(output.get("text", "")))
        elif kind == "execute_result" and self._cells is not None:
            self._result(output)
        elif kind in ("display_data", "execute_result"):
            transient = output.get("transient") or {}
            self._publish(output, transient.get("display_id"), update=False)

    def _result(self, output: Mapping[str, Any]) -> None:
        self._open = None
        hook = self._shell.displayhook
        hook.start_displayhook()
        hook.write_output_prompt()
        hook.write_format_data(dict(output["data"]), dict(output.get("metadata") or {}))
        hook.finish_displayhook()

    def _publish(self, output: Mapping[str, Any], display_id: Any, *, update: bool) -> None:
        self._open = self._open if update else None
        transient = {"display_id": f"{self._scope}-{display_id}"} if display_id else {}
        self._shell.display_pub.publish(
            data=dict(output.get("data") or {}),
            metadata=dict(output.get("metadata") or {}),
            transient=transient,
            update=update,
        )

    def _clear(self, wait: bool) -> None:
        self._budget, self._open = TextBudget(), None
        self._shell.display_pub.clear_output(wait=wait)

    def _write(self, name: str, text: str) -> None:
        shown = self._budget.take(text)
        if shown:
            self._write_now(name, shown)

    def _write_now(self, name: str, text: str) -> None:
        stream = sys.stderr if name == "stderr" else sys.stdout
        stream.write(text)
        self._open = None if text.endswith("\n") else name


class TextBudget:
    """How much text may still be shown; a line that is overwritten again and again counts once."""

    def __init__(self, limit: int = TEXT_LIMIT, tail_limit: int = TAIL_LIMIT) -> None:
        self._limit, self._tail_limit = limit, tail_limit
        self._finished = self._open = 0
        self._held: deque[str] = deque()
        self._held_size = 0
        #: Characters left out for good.
        self.cut = 0

    def take(self, text: str) -> str:
        """The part of the text to be shown now."""
        room = self._limit - self._finished - self._open
        if room < 0:
            self._hold(text)
            return ""
        last_line = text[text.rfind("\n") + 1 :]
        if "\n" in text:
            self._finished += self._open + len(text) - len(last_line)
            self._open = 0
        # a carriage return begins the line anew
        returned = last_line.rstrip("\r").rfind("\r")
        self._open = len(last_line) - returned if returned >= 0 else self._open + len(last_line)
        if self._finished + self._open > self._limit and len(text) > room:
            # one piece of a flood may be larger than all that is to be shown
            self._hold(text[room:])
            return text[:room]
        return text

    def tail(self) -> str:
        """The end of what was held back."""
        return "".join(self._held)

    def _hold(self, text: str) -> None:
        self._held.append(text)
        self._held_size += len(text)
        while self._held_size > self._tail_limit:
            excess = self._held_size - self._tail_limit
            first = self._held.popleft()
            if len(first) > excess:
                self._held.appendleft(first[excess:])
            dropped = min(excess, len(first))
            self._held_size -= dropped
            self.cut += dropped
