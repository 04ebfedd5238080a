"""What the command line writes to: standard output for results, standard error for talk."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from io import StringIO
from typing import Any, TextIO

from ..columns import aligned, cut
from ..documents import to_text
from ..sentences import harmless, one_line

PROGRAM = "jupyter-hybrid"
_COLOURS = {"red": "31", "green": "32", "yellow": "33", "blue": "34", "dim": "2", "bold": "1"}
#: Symbols and what stands for them where the terminal has no Unicode.
_SYMBOLS = {"✔": "+", "✘": "x", "▶": ">", "…": "...", "→": "->", "—": "-"}


class Terminal:
    """Standard output and error of this process, and what they can show."""

    def __init__(self, out: TextIO, err: TextIO, environ: Mapping[str, str]) -> None:
        self.out = out
        self.err = err
        capable = environ.get("TERM", "") not in ("", "dumb")
        self.out_is_terminal = capable and out.isatty()
        self.err_is_terminal = capable and err.isatty()
        self.colour = not environ.get("NO_COLOR")
        self.unicode = _has_unicode(err, environ)

    @classmethod
    def of_this_process(cls) -> Terminal:
        """This process's streams, made such that no character can fail them."""
        # a closed stream (>&-) is None in Python
        sys.stdout = sys.stdout or StringIO()
        sys.stderr = sys.stderr or StringIO()
        for stream in (sys.stdout, sys.stderr):
            # cells print lone surrogates, and terminals may not know Unicode at all
            if callable(reconfigure := getattr(stream, "reconfigure", None)):
                reconfigure(errors="backslashreplace")
        return cls(sys.stdout, sys.stderr, os.environ)

    def write(self, text: str) -> None:
        """A result, to standard output."""
        self.out.write(text)

    def document(self, value: Any) -> None:
        """One JSON document, to standard output."""
        self.write(to_text(value, ensure_ascii=False, indent=2) + "\n")

    def line(self, value: Any) -> None:
        """One line of JSON, to standard output, at once."""
        self.write(to_text(value, ensure_ascii=False) + "\n")
        self.out.flush()

    def say(self, text: str) -> None:
        """One sentence of talk, to standard error. What others wrote goes through ``harmless``."""
        # rich puts its own stream in the place of sys.stderr while it draws
        self.out.flush()
        stream = sys.stderr if self.err is sys.__stderr__ and sys.stderr else self.err
        stream.write(self.plain(text) + "\n")
        stream.flush()

    def complain(self, sentence: str) -> None:
        """One sentence about what went wrong, to standard error."""
        try:
            self.say(f"{self.paint(PROGRAM + ':', 'red')} {harmless(sentence)}")
        except OSError:
            # nobody is left to be told
            pass

    def plain(self, text: str) -> str:
        """The text without symbols that this terminal cannot show."""
        if self.unicode:
            return text
        for symbol, letters in _SYMBOLS.items():
            text = text.replace(symbol, letters)
        return text

    def paint(self, text: str, *colours: str, out: bool = False) -> str:
        """The text in colour, where the stream shows colours."""
        shown = self.out_is_terminal if out else self.err_is_terminal
        if not shown or not self.colour:
            return text
        return f"\x1b[{';'.join(_COLOURS[c] for c in colours)}m{text}\x1b[0m"

    def table(self, titles: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Columns under titles, to standard output; the last one is cut at the terminal's width."""
        lines = [list(titles), *([one_line(cell) for cell in row] for row in rows)]
        shown = aligned(lines)
        if self.out_is_terminal:
            shown = [cut(line, _width(), self.plain("…")) for line in shown]
        for number, text in enumerate(shown):
            self.write((self.paint(text, "bold", out=True) if number == 0 else text) + "\n")

    def flush(self) -> OSError | None:
        """Bring out what is buffered; why it cannot be. A reader that left is no error."""
        try:
            self.err.flush()
        except (OSError, ValueError):
            # nobody is left to be told
            pass
        try:
            self.out.flush()
        except (BrokenPipeError, ValueError):
            self.abandon_stdout()
        except OSError as error:
            self.abandon_stdout()
            return error
        return None

    def abandon_stdout(self) -> None:
        """Let the interpreter's last flush go nowhere: whoever read this has left."""
        try:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self.out.fileno())
            os.close(null)
        except (OSError, ValueError):
            pass


def _width() -> int:
    from shutil import get_terminal_size

    return get_terminal_size().columns


def _has_unicode(stream: TextIO, environ: Mapping[str, str]) -> bool:
    # Python itself writes UTF-8 under LANG=C (PEP 538, 540), but the terminal need not show it
    names = (environ.get(name) for name in ("LC_ALL", "LC_CTYPE", "LANG"))
    locale = next((name for name in names if name), "")
    encoding = (getattr(stream, "encoding", None) or "").lower().replace("-", "")
    return encoding == "utf8" and locale not in ("C", "POSIX")
