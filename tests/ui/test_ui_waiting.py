"""A job that waits for its turn, and who is told of it."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import CLOCK_OFF, Window, lab
from commands import notebook, until
from servers import Server, install_executor
from tree import ROOT

pytestmark = pytest.mark.needs("apt:chromium", "apt:task-spooler")

CONFIG = """
c.Hybrid.targets = {"bench": {"executor": "spooler"}}
"""
#: Minutes after which a job waits long: three seconds.
SETTINGS = {"jupyter-hybrid/notifications": {"waiting": 0.05}}
WAIT = "import pathlib, time\nwhile not pathlib.Path({go!r}).exists(): time.sleep(0.05)"


@pytest.fixture(scope="module")
def running(work: Path, home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with the executor of CONTRIBUTING.md, whose machine runs one job at a time."""
    place = tmp_path_factory.mktemp("spooler")
    text = (ROOT / "CONTRIBUTING.md").read_text().partition("## Add an executor")[2]
    (source,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)[:1]
    install_executor(place, "spooler", source)
    socket = str(place / "socket")
    besides = {"PYTHONPATH": str(place), "TS_SOCKET": socket}
    try:
        with lab(work, home, settings=SETTINGS, besides=besides) as started:
            yield started
    finally:
        subprocess.run(["tsp", "-K"], env={"TS_SOCKET": socket, "PATH": "/usr/bin"}, check=False)


def test_a_job_that_waits_long_is_told_of_once(window: Window, running: Server, work: Path) -> None:
    go = work / "go"
    # (the server's clock counts: by this one nobody would have waited before tomorrow)
    window.page.add_init_script(CLOCK_OFF % -1)
    window.open()
    for name, source in (("first", WAIT.format(go=str(go))), ("second", "1")):
        content = notebook(source, name="python3", display_name="Python 3", language="python")
        (work / f"{name}.ipynb").write_text(json.dumps(content))
        body = {"path": f"{name}.ipynb", "name": name, "target": "bench"}
        job = running.ask("POST", "/jobs", body)["id"]
    try:
        toasts = window.page.locator(".Toastify__toast")
        told = toasts.locator("text=/^second has waited for [0-9.]+ s: others are before it$/")
        told.wait_for()
        # it is there once it stands still
        toasts.locator("role=button[name=Open]").click(trial=True)
        # (it stays while the pointer is on it)
        window.page.mouse.move(5, 5)
        assert toasts.count() == 1
        window.picture("waiting")
        # at the next look it is no news
        told.wait_for(state="detached")
        window.page.wait_for_timeout(16_000)
        assert toasts.count() == 0
        window.command("apputils:display-notifications")
        window.page.locator(".jp-Notification-List >> text=/^second has waited/").wait_for()
        window.page.locator(".jp-Notification-List >> role=button[name=Open]").click()
        page = window.page.locator(".jp-hybrid-Page")
        page.locator(".jp-hybrid-State >> text=waiting").wait_for()
        page.locator("text=others are before it").first.wait_for()
    finally:
        go.touch()
    until(lambda: running.job(job)["final"], "the end of what waited")
    assert window.complaints == []
