"""Columns stand below each other also where a character is as wide as two."""

from __future__ import annotations

import io
from unicodedata import east_asian_width

import pytest

from jupyter_hybrid.cli.telling import telling
from jupyter_hybrid.cli.terminal import Terminal
from jupyter_hybrid.magics.tables import table
from jupyter_hybrid.telling import tell

NAMES = [("学習その1", "COMPLETED", "ＧＰＵが足りません"), ("train", "FAILED", "")]
COLUMNS = """\
NAME       STATE
学習その1  COMPLETED  ＧＰＵが足りません
train      FAILED
"""


class Screen(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        return True


def width(text: str) -> int:
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in text)


def test_a_table_in_a_cell_and_one_in_a_file_have_straight_columns() -> None:
    out = io.StringIO()
    Terminal(out, io.StringIO(), {}).table(("NAME", "STATE", ""), NAMES)
    assert out.getvalue() == table(("NAME", "STATE", ""), NAMES) == COLUMNS


@pytest.mark.parametrize("columns", range(22, 44))
def test_no_line_is_wider_than_the_terminal(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    screen = Screen()
    terminal = Terminal(screen, screen, {"TERM": "xterm", "LANG": "C.UTF-8", "NO_COLOR": "1"})
    terminal.unicode = True
    terminal.table(("NAME", "STATE", ""), NAMES)
    with telling(terminal):
        tell("podman unpacks 学習その1 for 学習その2")
    title, first, second, told = screen.getvalue().replace("\r\x1b[2K", "").splitlines()
    assert (title, second) == ("NAME       STATE", "train      FAILED")
    assert columns - 1 <= width(first) <= columns or first == COLUMNS.splitlines()[1]
    assert ("…" in first) == (columns < width(COLUMNS.splitlines()[1]))
    assert columns - 2 <= width(told) <= columns - 1 or told.endswith("学習その2")
