"""The button in a notebook, the dialog, and the job that comes of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from browser import Window
from commands import notebook, until
from servers import Server

pytestmark = pytest.mark.needs("apt:chromium")

DIALOG = ".jp-hybrid-submit"
PARAMETERS = """\
steps: int = 3  # how often
rate = 0.5
label: str = "first"
verbose = False
sizes = [1, 2]
"""
WORK = "print(label, steps, rate, verbose, sizes, open('data.csv').read())"


@pytest.fixture
def path(work: Path, request: pytest.FixtureRequest) -> str:
    """A notebook in a folder of its own, with a file that it reads."""
    folder = work / request.node.name.replace("[", "-").replace("]", "")
    folder.mkdir()
    content = notebook(WORK, parameters=PARAMETERS, name="python3", display_name="Python 3")
    (folder / "study.ipynb").write_text(json.dumps(content))
    (folder / "data.csv").write_text("1,2\n")
    return f"{folder.name}/study.ipynb"


def jobs_of(running: Server, path: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = running.ask("GET", f"/jobs?path={path}")["jobs"]
    return found


def ended(running: Server, path: str) -> dict[str, Any]:
    """The notebook's one job, when it has ended."""

    def job() -> dict[str, Any] | None:
        found = jobs_of(running, path)
        assert len(found) <= 1
        return found[0] if found and found[0]["final"] else None

    return until(job, "the job's end")


def open_dialog(window: Window, path: str) -> Any:
    window.open(path)
    window.page.click(".jp-NotebookPanel-toolbar >> text=Run elsewhere")
    dialog = window.page.locator(DIALOG)
    dialog.locator("tr.jp-mod-selected").wait_for()
    return dialog


def test_one_click_and_enter_make_a_job(window: Window, running: Server, path: str) -> None:
    dialog = open_dialog(window, path)
    dialog.locator("text=1 file").wait_for()
    window.picture("submit-light")
    assert window.findings(DIALOG) == []
    window.page.keyboard.press("Enter")
    dialog.wait_for(state="detached")
    job = ended(running, path)
    assert job["state"] == "COMPLETED", job["reason"]
    assert running.text(job["id"]) == "first 3 0.5 False [1, 2] 1,2\n\n"
    assert window.complaints == []
