"""What takes long: on a terminal one line that is written over, elsewhere a line for each thing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from ..columns import cut
from ..sentences import one_line
from ..telling import listening
from .terminal import Terminal

_CLEAR = "\r\x1b[2K"


class _Shown:
    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._what = ""
        self._open = False

    def __call__(self, what: str, amount: str) -> None:
        text = one_line(f"{what}: {amount}" if amount else what)
        if self._terminal.err_is_terminal:
            width = shutil.get_terminal_size().columns - 1
            self._terminal.err.write(f"{_CLEAR}{cut(self._terminal.plain(text), width)}")
            self._terminal.err.flush()
            self._open = True
        elif what != self._what:
            self._terminal.say(text)
        self._what = what

    def close(self) -> None:
        if self._open:
            self._terminal.err.write(_CLEAR)
            self._terminal.err.flush()


@contextmanager
def telling(terminal: Terminal, *, quiet: bool = False) -> Iterator[None]:
    """Show on the terminal what is told within the block; nothing of it is left there."""
    if quiet:
        yield
        return
    shown = _Shown(terminal)
    try:
        with listening(shown):
            yield
    finally:
        shown.close()
