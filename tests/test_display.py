"""Text that is too much for a cell is cut in the middle; the rest is shown in the order it came."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from jupyter_hybrid.display import CellDisplay, TextBudget
from jupyter_hybrid.events import Event, Kind


def test_budget_cuts_the_middle() -> None:
    budget = TextBudget(limit=100, tail_limit=30)
    shown = "".join(budget.take(f"line {i:4}\n") for i in range(100))
    assert shown.startswith("line    0\n") and len(shown) <= 120
    assert budget.tail().endswith("line   99\n") and len(budget.tail()) <= 30
    assert len(shown) + budget.cut + len(budget.tail()) == 1000


def test_budget_does_not_count_what_is_overwritten() -> None:
    budget = TextBudget(limit=100, tail_limit=30)
    for i in range(1000):
        assert budget.take(f"\r{i}% " + "#" * 10)
    assert budget.take("\ndone\n") and not budget.cut


def test_budget_counts_one_endless_line() -> None:
    budget = TextBudget(limit=100, tail_limit=30)
    for _ in range(100):
        budget.take("x" * 10)
    assert budget.cut


class Shell:
    """Records what is published, as a shell would."""

    def __init__(self) -> None:
        self.published: list[dict[str, Any]] = []
        self.display_pub = self
        self.displayhook = self

    def publish(self, **message: Any) -> None:
        self.published.append(message)

    def clear_output(self, wait: bool = False) -> None:
        self.published.append({"clear": wait})


def event(kind: str, **data: Any) -> Event:
    return Event(1, 0.0, kind, data)


def test_display(capsys: pytest.CaptureFixture[str]) -> None:
    shell = Shell()
    display = CellDisplay(shell, cells={"c"}, scope="s", where_the_rest_is="there")
    stream = {"output_type": "stream", "name": "stderr", "text": "oops\n"}
    picture = {"output_type": "display_data", "data": {"image/png": "xx"}, "metadata": {},
               "transient": {"display_id": "1"}}  # fmt: skip
    display.show(event(Kind.OUTPUT, cell_id="other", output=stream))
    display.show(event(Kind.OUTPUT, cell_id="c", output=stream))
    display.show(event(Kind.OUTPUT, cell_id="c", output=picture))
    display.show(event(Kind.UPDATE, cell_id="c", display_id="1", data={"text/plain": "2"}))
    display.show(event(Kind.CLEAR, cell_id="c", wait=True))
    display.show(event(Kind.NOTE, text="read this"))
    display.show(event("of a later version", cell_id="c"))
    display.finish()
    captured = capsys.readouterr()
    assert captured.err == "oops\n" and captured.out == "read this\n"
    assert [m.get("update", m.get("clear")) for m in shell.published] == [False, True, True]
    assert {m["transient"]["display_id"] for m in shell.published[:2]} == {"s-1"}


def test_the_last_line_is_ended_where_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("stdout", "stderr"):
        display = CellDisplay(Shell(), cells=None, scope="s", where_the_rest_is="there")
        output = {"output_type": "stream", "name": name, "text": "50 %\r100 %"}
        display.show(event(Kind.OUTPUT, cell_id="c", output=output))
        display.finish()
    assert capsys.readouterr() == ("50 %\r100 %\n", "50 %\r100 %\n")


def test_display_says_where_the_rest_is(capsys: pytest.CaptureFixture[str]) -> None:
    display = CellDisplay(Shell(), cells=None, scope="s", where_the_rest_is="%remote logs 1")
    text = "".join(f"{i}\n" for i in range(10_000))
    for _ in range(40):
        output = {"output_type": "stream", "name": "stdout", "text": text}
        display.show(event(Kind.OUTPUT, cell_id="c", output=output))
    display.finish()
    out = capsys.readouterr().out
    assert len(out) < 1_200_000 and "%remote logs 1 has all of it" in out
    assert out.endswith("9998\n9999\n")
    assert sys.stdout is not None
