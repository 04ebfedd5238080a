"""Many jobs with the same trouble are one notification, which stays true."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from browser import Window, lab
from commands import notebook, until
from servers import Server, install_executor

pytestmark = pytest.mark.needs("apt:chromium")

JOBS = 3
CONFIG = """
c.Hybrid.targets = {"annex": {"executor": "moody"}}
"""
#: Does not answer while a file says why.
MOODY = """
from pathlib import Path

from jupyter_hybrid.errors import PlaceError
from jupyter_hybrid.executors.local import LocalExecutor


class Moody(LocalExecutor):
    async def poll(self, jobs):
        trouble = Path({trouble!r})
        if trouble.exists():
            raise PlaceError(trouble.read_text(), transient=True)
        return await super().poll(jobs)
"""
LONG = "It is looked for, and so is whoever has seen it last; ask at the desk. " * 2 + "Bye."
FAIL = """import pathlib, time
while not pathlib.Path({go!r}).exists(): time.sleep(0.05)
raise ValueError('no <b>data</b>')"""


@pytest.fixture(scope="module")
def trouble(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("moody") / "trouble"


@pytest.fixture(scope="module")
def running(work: Path, home: Path, trouble: Path) -> Iterator[Server]:
    place = trouble.parent
    install_executor(place, "moody", MOODY.format(trouble=str(trouble)))
    with lab(work, home, besides={"PYTHONPATH": str(place)}) as started:
        yield started


def submit(running: Server, work: Path, source: str) -> None:
    """Jobs that run, all on the same target."""
    content = notebook(source, name="python3", display_name="Python 3", language="python")
    (work / "a.ipynb").write_text(json.dumps(content))
    for number in range(JOBS):
        body = {"path": "a.ipynb", "name": f"a {number}", "target": "annex"}
        job = running.ask("POST", "/jobs", body)["id"]
        until(partial(runs, running, job), "a job that runs")


def runs(running: Server, job: str) -> bool:
    return bool(running.job(job)["state"] == "RUNNING")


def read(window: Window, text: str) -> None:
    """Read all of a notification, of which JupyterLab shows the beginning alone."""
    window.page.locator(".Toastify__toast >> role=button[name='Details']").click()
    whole = window.page.locator(".jp-Dialog")
    whole.get_by_text(text, exact=True).wait_for()
    window.picture("trouble-whole")
    whole.locator("role=button[name='Close']").click()
    whole.wait_for(state="detached")


def test_jobs_of_a_target_are_one_notification(
    window: Window, running: Server, work: Path, trouble: Path
) -> None:
    window.open()
    go = work / "go"
    toasts = window.page.locator(".Toastify__toast")
    try:
        submit(running, work, FAIL.format(go=str(go)))
        trouble.write_text("The cable is <i>cut</i>.")
        words = "annex does not answer. Its jobs are not lost. The cable is "
        toasts.locator(f"text={words}<i>cut</i>.").wait_for()
        # another reason is told in the same place
        trouble.write_text(f"The cable is gone. {LONG}")
        toasts.locator(f"text={words}gone.").wait_for()
        assert toasts.count() == 1
        read(window, f"{words}gone. {LONG}")
        assert toasts.count() == 1
        trouble.write_text("The cable is gone.")
        toasts.locator("role=button[name='Details']").wait_for(state="detached")
        # somebody who comes later is told as well
        window.page.reload()
        window.restored()
        toasts.locator(f"text={words}gone.").wait_for()
        window.picture("trouble")
        trouble.unlink()
        toasts.first.wait_for(state="detached")
    finally:
        trouble.unlink(missing_ok=True)
        go.touch()
    text = f"{JOBS} jobs on annex failed: ValueError: no <b>data</b>"
    toasts.locator(f"text={text}").wait_for()
    assert toasts.count() == 1
    window.picture("failures")
    toasts.locator("role=button[name='Show jobs']").click()
    window.page.locator(".jp-hybrid-Job[data-state=FAILED]").nth(JOBS - 1).wait_for()
    assert window.complaints == []
