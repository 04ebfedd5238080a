"""On a terminal a job is shown live, and the terminal is left as it was."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import pytest
from commands import PATIENCE, Home, notebook, until

from jupyter_hybrid.progress.text import without_colour

SHOW_CURSOR = "\x1b[?25h"
HIDE_CURSOR = "\x1b[?25l"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path)
    home.environ.update(TERM="xterm-256color", LANG="C.UTF-8")
    home.environ.pop("NO_COLOR", None)
    yield home
    home.clean()


Start = Callable[..., "pexpect.spawn[str]"]


@pytest.fixture
def start(home: Home) -> Iterator[Start]:
    started: list[pexpect.spawn[str]] = []

    def start(*words: str, columns: int = 100, **environ: str) -> pexpect.spawn[str]:
        child = pexpect.spawn(
            sys.executable,
            ["-m", "jupyter_hybrid.cli", *words],
            cwd=str(home.work),
            env={**home.environ, **environ},
            dimensions=(24, columns),
            encoding="utf-8",
            timeout=PATIENCE,
        )
        started.append(child)
        return child

    yield start
    for child in started:
        child.close(force=True)


def everything(child: pexpect.spawn[str]) -> str:
    """All that the child wrote until it ended, ``before`` included."""
    seen = (child.before or "") + str(child.after or "")
    child.expect(pexpect.EOF)
    child.close()
    return seen + str(child.before)


SLOW = """\
import time
for i in range(3):
    print("\\x1b[32mepoch", i, "\\x1b[0m")
    time.sleep(0.3)"""


def test_a_job_is_shown_live(home: Home, start: Start) -> None:
    home.write("n.ipynb", notebook(SLOW, "6 * 7"))
    child = start("run", "n.ipynb")
    child.expect("epoch 1")
    text = everything(child)
    assert child.exitstatus == 0
    assert text.rindex(SHOW_CURSOR) > text.rindex(HIDE_CURSOR)
    plain = without_colour(text)
    for part in ("n on local", "0/2", "42", "completed", "wrote n."):
        assert part in plain
    # no frame is left in the way of what comes after it
    assert plain.rstrip().splitlines()[-1].startswith("  wrote n.")


def test_poor_terminals_get_what_they_can_show(home: Home, start: Start) -> None:
    home.write("n.ipynb", notebook(SLOW))
    child = start("run", "n.ipynb", columns=40, NO_COLOR="1", LC_ALL="C")
    child.expect("epoch 1")
    text = everything(child)
    assert child.exitstatus == 0
    assert text.isascii()
    assert "\x1b[32m" not in text


def test_an_end_from_outside_leaves_the_cursor_visible(home: Home, start: Start) -> None:
    home.write("n.ipynb", notebook("import time\nprint('begun')\ntime.sleep(60)"))
    child = start("run", "n.ipynb")
    child.expect("begun")
    child.kill(signal.SIGTERM)
    text = everything(child)
    assert text.rindex(SHOW_CURSOR) > text.rindex(HIDE_CURSOR)
    assert child.exitstatus == 128 + signal.SIGTERM
    assert home.state() == "RUNNING"


def test_a_closed_terminal_does_not_harm_the_job(home: Home, start: Start, tmp_path: Path) -> None:
    source = "import pathlib, time\nprint('begun')\nwhile not pathlib.Path({!r}).exists():\n"
    source += "    time.sleep(0.02)"
    home.write("n.ipynb", notebook(source.format(str(tmp_path / "go"))))
    child = start("run", "n.ipynb")
    child.expect("begun")
    child.close(force=True)
    assert home.state() == "RUNNING"
    (tmp_path / "go").touch()
    until(lambda: home.state() == "COMPLETED", "the job's end")
