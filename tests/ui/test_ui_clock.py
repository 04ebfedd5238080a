"""A browser whose clock is not the server's, and is set while a job runs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from browser import CLOCK_OFF, PATIENT, Window
from commands import notebook, until
from servers import Server

pytestmark = pytest.mark.needs("apt:chromium")

WAIT = "import pathlib, time\nwhile not pathlib.Path({go!r}).exists(): time.sleep(0.05)"
#: Where it is told for how long the job has run.
TOLD = (".jp-hybrid-Job-facts", ".jp-hybrid-Head-line", ".jp-hybrid-NotebookBar-text")
#: Not at once, and not for hours.
SECONDS = re.compile(r"(?<!\d)[1-9]\d* (s|min)")


def test_the_servers_clock_counts(window: Window, running: Server, work: Path) -> None:
    from playwright.sync_api import expect

    go = work / "go"
    content = notebook(WAIT.format(go=str(go)), name="python3", display_name="Python 3")
    (work / "study.ipynb").write_text(json.dumps(content))
    page = window.page
    page.add_init_script(CLOCK_OFF % 1)
    earlier = running.ask("POST", "/jobs", {"path": "study.ipynb", "name": "earlier"})["id"]
    running.ask("POST", f"/jobs/{earlier}/cancel", {})
    until(lambda: running.job(earlier)["final"], "the end of the job before")
    window.open("study.ipynb")
    job = running.ask("POST", "/jobs", {"path": "study.ipynb", "name": "study"})["id"]
    window.command("jupyter-hybrid:show-jobs")
    page.locator(f"#jupyter-hybrid-job-{job}[data-state=RUNNING]").wait_for()
    page.click(f"#jupyter-hybrid-job-{job}")
    row = f"#jupyter-hybrid-job-{job} "
    for days in (1, -1):
        page.evaluate("days => { window.daysOff = days; }", days)
        # what counts has counted since
        page.wait_for_timeout(1500)
        for where in TOLD:
            expect(page.locator(row + where if "Job-" in where else where)).to_have_text(
                SECONDS, timeout=PATIENT
            )
    window.picture("clock-off")
    go.touch()
    page.locator(".Toastify >> text=/^study is done after/").wait_for()
    for ended in (job, earlier):
        # of today the time is told, and not the date
        facts = page.locator(f"#jupyter-hybrid-job-{ended} .jp-hybrid-Job-facts")
        expect(facts).to_have_text(re.compile(r"\d\d:\d\d( [AP]M)?$"), timeout=PATIENT)
    assert window.complaints == []
