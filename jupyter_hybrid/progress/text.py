"""What cells print, as lines: carriage returns and cursor movements as a terminal obeys them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..sentences import ESCAPE

#: Control characters that would disturb a terminal; \x80 to \x9f are escape sequences in one.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f]")
_SPECIAL = re.compile(r"[\r\x1b\x00-\x08\x0b-\x1f\x7f-\x9f]")
#: Characters after which a line is given out in pieces: what never ends must not fill the memory.
LONGEST = 1 << 20
#: Lines that a progress bar may move between.
OPEN_LINES = 30


class Piece(str):
    """A part of a line that goes on."""

    __slots__ = ()


class Lines:
    """Text as a terminal would show it, line by line; a line is given out once nothing follows.

    Progress bars rewrite their line (carriage return) or those above (cursor up): such lines stay
    open, and ``tail`` is what they show.
    """

    def __init__(self) -> None:
        self._rows = [""]
        self._row = 0
        #: Whether what was given out last is a piece of a line.
        self._goes_on = False

    @property
    def tail(self) -> list[str]:
        """Lines that are still open, as they look now."""
        return [line for line in map(_overwritten, self._rows) if line.strip()]

    def feed(self, text: str) -> list[str]:
        """The lines that this text completes, the last perhaps a ``Piece``."""
        lines = self._feed(text)
        if lines:
            self._goes_on = isinstance(lines[-1], Piece)
        return lines

    def _feed(self, text: str) -> list[str]:
        if len(self._rows) == 1 and not _SPECIAL.search(text):
            return self._feed_plain(text)
        for piece in re.split(r"(\n|\x1b\[\d*[AB])", text):
            if piece == "\n" or (piece.endswith("B") and piece.startswith("\x1b[")):
                self._down()
            elif piece.startswith("\x1b[") and piece.endswith("A"):
                self._row = max(0, self._row - int(piece[2:-1] or 1))
            elif piece:
                self._rows[self._row] += _clean(piece)
        return self._take(self._row)

    def flush(self) -> list[str]:
        """The lines that were open: nothing follows."""
        lines = [_overwritten(row) for row in self._rows]
        self._rows, self._row = [""], 0
        shown = [line for line in lines if line.strip()]
        goes_on, self._goes_on = self._goes_on, False
        return shown or ([""] if goes_on else [])

    def _feed_plain(self, text: str) -> list[str]:
        *lines, tail = (self._rows[0] + text).split("\n")
        if lines:
            lines[0] = _overwritten(lines[0])
        if len(tail) > LONGEST:
            lines.append(Piece(_overwritten(tail)))
            tail = ""
        self._rows[0] = tail
        return lines

    def _down(self) -> None:
        self._row += 1
        if self._row == len(self._rows):
            self._rows.append("")
        elif "\r" not in self._rows[self._row]:
            # what follows a line feed overwrites what was there
            self._rows[self._row] += "\r"

    def _take(self, count: int) -> list[str]:
        count = max(count, len(self._rows) - OPEN_LINES)
        if len(self._rows[self._row]) > LONGEST and "\r" in self._rows[self._row]:
            self._rows[self._row] = _overwritten(self._rows[self._row])
        taken = [_overwritten(row) for row in self._rows[:count]]
        self._rows = self._rows[count:] or [""]
        self._row = max(0, self._row - count)
        return taken


def _overwritten(row: str) -> str:
    """A line after its carriage returns: what came last covers what was there before."""
    return row.rstrip("\r").rsplit("\r", 1)[-1]


def _clean(text: str) -> str:
    return _CONTROL.sub("", ESCAPE.sub(lambda m: m[1] or "", text))


def without_colour(text: str) -> str:
    """The text without escape sequences."""
    return ESCAPE.sub("", text)


def shown_text(output: Mapping[str, Any]) -> str:
    """What of an nbformat output other than a stream a terminal can show, with a line feed."""
    if output.get("output_type") == "error":
        traceback = output.get("traceback")
        lines = [str(line) for line in traceback] if isinstance(traceback, list) else []
        text = "\n".join(lines) or f"{output.get('ename')}: {output.get('evalue')}"
    else:
        data = output.get("data")
        data = data if isinstance(data, Mapping) else {}
        text = joined(data["text/plain"]) if "text/plain" in data else f"[{', '.join(data)}]"
    return _clean(text).rstrip("\n") + "\n"


def joined(text: Any) -> str:
    """nbformat's text: a string, or a list of lines."""
    return "".join(map(str, text)) if isinstance(text, list) else str(text)
