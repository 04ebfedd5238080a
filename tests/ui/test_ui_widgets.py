"""Widgets of a job, whose kernel is elsewhere or has ended: no page waits for them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from browser import Window
from commands import notebook, until
from servers import Server

pytestmark = pytest.mark.needs("apt:chromium")

PAGE = ".jp-hybrid-Page:not(.lm-mod-hidden)"
BAR = ".jp-hybrid-NotebookBar"
WIDGETS = (
    "import ipywidgets\nipywidgets.IntSlider(description='slide')",
    "from tqdm.notebook import tqdm\nfor i in tqdm(range(3), desc='epoch'): pass",
    "held = ipywidgets.Output()\ndisplay(held)\nwith held: print('held by a widget')",
)
WAIT = "import pathlib, time\nwhile not pathlib.Path({go!r}).exists(): time.sleep(0.05)\n"


def seen(window: Window, where: Any) -> None:
    """Wait until all of them are shown there, each in the form that needs no kernel."""
    for part in (
        ".jp-OutputArea >> text=IntSlider(value=0, description='slide')",
        ".jp-OutputArea >> text=/epoch: 100%/",
    ):
        where.locator(part).wait_for()
    where.locator("progress").wait_for()
    where.locator(".jp-OutputArea >> text=held by a widget").wait_for()
    assert where.locator("text=Loading widget").count() == 0
    assert window.complaints == []


@pytest.mark.needs("module:jupyterlab_widgets")
def test_widgets_are_shown_without_their_kernel(
    window: Window, running: Server, work: Path
) -> None:
    go = work / "go"
    content = notebook(*WIDGETS, WAIT.format(go=str(go)), name="python3", display_name="Python 3")
    (work / "study.ipynb").write_text(json.dumps(content))
    job = running.ask("POST", "/jobs", {"path": "study.ipynb", "name": "study"})["id"]
    window.open("study.ipynb")
    window.command("jupyter-hybrid:open-job", id=job)
    page = window.page.locator(PAGE)
    seen(window, page)
    go.touch()
    page.locator(".jp-hybrid-State >> text=done").wait_for()
    seen(window, page)

    # who looks later has the executed notebook, and no events
    window.open("study.ipynb")
    window.command("jupyter-hybrid:open-job", id=job)
    seen(window, page)
    window.picture("widgets-page")
    window.command("jupyter-hybrid:show-outputs", id=job)
    here = window.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
    here.locator(f"{BAR} >> text=Restore earlier outputs").wait_for()
    seen(window, here)
    window.picture("widgets-notebook")
    until(lambda: running.job(job)["final"], "the job's end")
