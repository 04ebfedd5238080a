"""The jobs panel, a job's page, and what they survive."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import Window, lab
from commands import notebook, until
from servers import Server

from jupyter_hybrid.job import Job, State, new_job_id
from jupyter_hybrid.spec import JobSpec

pytestmark = pytest.mark.needs("apt:chromium")

#: Jobs of last year.
OLD = 2000
ROW = ".jp-hybrid-Job[role=row]"
GRID = ".jp-hybrid-Jobs-scroller"
#: Prints, then waits for a file beside the notebook, then prints again.
WAITS = """\
import pathlib, time
print("before", flush=True)
while not pathlib.Path({go!r}).exists():
    time.sleep(0.05)
print("after", flush=True)"""
#: The browser's notifications as they can be looked at, in a window that nobody looks at.
TELL = """
window.told = [];
document.hasFocus = () => false;
window.Notification = class {
  static permission = 'granted';
  constructor(text, options) { window.told.push([text, options.tag]); window.shown = this; }
};"""
HOSTILE = {
    "<img src=x onerror=alert(1)>": "<img src=x onerror=alert(1)>",
    "evil\u202egnp.exe": "evil\ufffdgnp.exe",
    "two\nlines": "two lines",
    "x" * 200: "x" * 200,
    "🙂 日本語 \u200b": "🙂 日本語 \ufffd",
}


@pytest.fixture(scope="module")
def running(work: Path, home: Path) -> Iterator[Server]:
    """A server whose user has had many jobs: each has left a record, the store is made of them."""
    records = home / "data" / "jupyter-hybrid" / "records"
    records.mkdir(parents=True)
    for number in range(OLD):
        when = time.time() - 365 * 86400 + number
        job = Job(
            id=new_job_id(when),
            spec=JobSpec(name=f"old {number}", target="local", kind="notebook"),
            state=State.COMPLETED,
            directory="/nowhere",
            created_at=when,
            started_at=when,
            finished_at=when + 5,
        )
        (records / f"{job.id}.json").write_text(json.dumps(job.to_json()))
    with lab(work, home) as started:
        yield started


class Jobs:
    """Submits notebooks of a test's own folder."""

    def __init__(self, running: Server, folder: Path) -> None:
        self.running, self.folder = running, folder
        self.go = folder / "go"

    def path(self, name: str, *sources: str) -> str:
        content = notebook(*sources, name="python3", display_name="Python 3", language="python")
        (self.folder / f"{name}.ipynb").write_text(json.dumps(content))
        return f"{self.folder.name}/{name}.ipynb"

    def submit(self, name: str, *sources: str, title: str | None = None) -> str:
        body = {"path": self.path(name, *sources), "name": title or name}
        return str(self.running.ask("POST", "/jobs", body)["id"])

    def waiting(self, name: str = "train") -> str:
        """A job whose second cell prints and then waits until ``go`` is there."""
        return self.submit(name, "print('hello')", WAITS.format(go=str(self.go)))

    def ended(self, job: str) -> Any:
        return until(lambda: (j := self.running.job(job))["final"] and j, "the job's end")

    def started(self, job: str) -> None:
        until(lambda: "before" in self.running.text(job), "the job's second cell")


@pytest.fixture
def jobs(running: Server, work: Path, request: pytest.FixtureRequest) -> Iterator[Jobs]:
    folder = work / request.node.name
    folder.mkdir()
    made = Jobs(running, folder)
    yield made
    # no job of a test that failed goes on
    made.go.touch()


def panel(window: Window) -> Any:
    window.command("jupyter-hybrid:show-jobs")
    grid = window.page.locator(GRID)
    grid.locator(ROW).first.wait_for()
    return grid


def row(window: Window, job: str) -> Any:
    return window.page.locator(f"#jupyter-hybrid-job-{job}")


def state(window: Window, job: str, wanted: str) -> None:
    window.page.locator(f"#jupyter-hybrid-job-{job}[data-state={wanted}]").wait_for()


def test_the_panel_follows_a_job(window: Window, jobs: Jobs) -> None:
    window.open()
    panel(window)
    job = jobs.waiting()
    row(window, job).locator("text=1/2").wait_for()
    row(window, job).locator("text=import pathlib, time").wait_for()
    window.page.locator(".jp-hybrid-Status:visible >> text=1 job").wait_for()
    assert window.findings(".jp-hybrid-Jobs") == []
    window.picture("jobs")
    window.theme("JupyterLab Dark")
    assert window.findings(".jp-hybrid-Jobs") == []
    window.contrast("jobs")
    assert window.findings(".jp-hybrid-Jobs") == []
    jobs.go.touch()
    state(window, job, "COMPLETED")
    window.page.locator("text=/train is done after/").wait_for()
    window.page.locator(".jp-hybrid-Status").wait_for(state="hidden")
    assert window.complaints == []


def test_a_page_fills_while_the_job_runs_and_goes_on_after_a_reload(
    window: Window, jobs: Jobs, home: Path
) -> None:
    window.open()
    panel(window)
    job = jobs.waiting()
    row(window, job).click()
    outputs = window.page.locator(".jp-hybrid-Outputs .jp-OutputArea")
    outputs.locator("text=before").wait_for()
    window.page.locator(".jp-hybrid-Outputs .jp-Cell.jp-hybrid-mod-running").wait_for()
    # (a theme stays the user's from one test to the next)
    window.theme("JupyterLab Light")
    window.picture("page")
    # (the editors of its cells are JupyterLab's own)
    assert window.findings(".jp-hybrid-Head") == []
    # JupyterLab saves what is open a moment after it changed
    spaces = home / "config" / "lab" / "workspaces"
    until(lambda: any(job in f.read_text() for f in spaces.glob("*")), "the saved workspace")
    window.page.reload()
    window.restored()
    outputs.locator("text=before").wait_for()
    # what is read for the first time is no news, and yet the page has its name and its buttons
    window.page.locator(".lm-TabBar-tab >> text=train").wait_for()
    buttons = window.page.locator(".jp-hybrid-Page-toolbar jp-button:not([disabled])")
    buttons.locator("text=Cancel").wait_for()
    jobs.go.touch()
    outputs.locator("text=after").wait_for()
    window.page.click("role=tab[name=Log]")
    log = window.page.locator(".jp-hybrid-Log pre")
    log.locator("text=after").wait_for()
    assert log.inner_text().split() == ["hello", "before", "after"]
    window.theme("JupyterLab Dark")
    window.picture("page-log")
    for name in ("Files", "Details"):
        window.page.click(f"role=tab[name={name}]")
        window.page.wait_for_function("!document.body.innerText.includes('Loading…')")
        window.picture(f"page-{name.lower()}")
    assert window.findings(".jp-hybrid-Page") == []
    assert window.complaints == []


def test_two_windows_see_the_same(window: Window, jobs: Jobs, browser: Any) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    try:
        other = Window(context, jobs.running)
        for one in (window, other):
            one.open()
            panel(one)
        job = jobs.waiting("shared")
        state(other, job, "RUNNING")
        jobs.started(job)
        row(window, job).locator("role=button[name=/^Cancel/]").click()
        window.page.click(".jp-Dialog >> text=Cancel the job")
        for one in (window, other):
            state(one, job, "CANCELLED")
    finally:
        context.close()


def test_what_failed_says_so_and_runs_again(window: Window, jobs: Jobs) -> None:
    window.open()
    panel(window)
    job = jobs.submit("fails", "print('so far')", "raise ValueError('no <b>data</b>\\nat all')")
    line = "ValueError: no <b>data</b>"
    row(window, job).locator(f"text={line}").wait_for()
    window.page.locator(f".Toastify >> text=fails failed: {line}").wait_for()
    row(window, job).click()
    page = window.page.locator(".jp-hybrid-Page")
    page.locator(f".jp-hybrid-Head-now >> text={line}").wait_for()
    page.locator(".jp-OutputArea >> text=so far").wait_for()
    window.picture("page-failed")
    row(window, job).locator("role=button[name=/^More/]").click()
    window.picture("menu")
    window.page.click(".lm-Menu >> text=Run Again")
    again = until(lambda: newest(jobs.running) if newest(jobs.running) != job else None, "a rerun")
    state(window, again, "FAILED")
    row(window, again).click(button="right")
    window.page.click(".lm-Menu >> text=Delete")
    window.page.click(".jp-Dialog button >> text=Delete")
    row(window, again).wait_for(state="detached")
    assert newest(jobs.running) == job


def test_the_browser_tells_where_somebody_wants_it(window: Window, jobs: Jobs) -> None:
    window.page.add_init_script(TELL)
    window.open()
    save = "settings => window.jupyterapp.serviceManager.settings.save(...settings)"
    window.page.evaluate(save, ["jupyter-hybrid:notifications", '{"browser": true}'])
    window.open()
    job = jobs.submit("told", "1")
    window.page.wait_for_function("window.told.length > 0")
    ((text, tag),) = window.page.evaluate("window.told")
    assert (text.startswith("told is done after"), tag) == (True, f"{job} done")
    window.page.evaluate("window.shown.onclick()")
    window.page.locator(".jp-hybrid-Page").wait_for()
    window.page.evaluate(save, ["jupyter-hybrid:notifications", "{}"])


def newest(running: Server) -> str:
    return str(running.ask("GET", "/jobs?limit=1")["jobs"][0]["id"])


def test_hostile_names_are_text(window: Window, jobs: Jobs) -> None:
    window.open()
    panel(window)
    window.page.on("dialog", lambda dialog: window.complaints.append(dialog.message))
    made = {jobs.submit(f"h{i}", "1", title=name): name for i, name in enumerate(HOSTILE)}
    for job, name in made.items():
        shown = row(window, job).locator(".jp-hybrid-Job-name")
        assert shown.inner_text() == HOSTILE[name]
        state(window, job, "COMPLETED")
    worst = next(iter(made))
    row(window, worst).click()
    title = window.page.locator(".jp-hybrid-Head h1")
    title.wait_for()
    assert title.inner_text() == HOSTILE[made[worst]]
    assert window.page.locator("img[src=x]").count() == 0
    window.picture("hostile")
    assert window.complaints == []


def test_thousands_of_jobs_are_drawn_as_far_as_they_are_seen(window: Window, jobs: Jobs) -> None:
    window.open()
    grid = panel(window)
    assert int(grid.get_attribute("aria-rowcount")) >= OLD
    assert grid.locator(ROW).count() < 50
    grid.focus()
    window.page.keyboard.press("ArrowDown")
    assert row(window, newest(jobs.running)).get_attribute("aria-selected") == "true"
    asked: list[str] = []
    window.page.on("request", lambda r: "/api/jobs?" in r.url and asked.append(r.url))
    grid.evaluate("node => { node.scrollTop = node.scrollHeight; }")
    grid.locator(f"{ROW} >> text=/^old 0$/").wait_for()
    assert grid.locator(ROW).count() < 50
    # (the manager looks for the newest and the running ones now and then)
    assert 1 <= len([url for url in asked if "offset=" in url]) <= 2, asked
    grid.focus()
    window.page.keyboard.press("Home")
    window.page.keyboard.press("End")
    grid.locator(f"{ROW}[aria-selected=true] >> text=/^old 0$/").wait_for()
    window.picture("thousands")
    window.page.fill("input[type=search]", "OLD 1999")
    window.page.wait_for_function("() => document.querySelectorAll('.jp-hybrid-Job').length === 1")
    assert grid.locator(ROW).inner_text().startswith("old 1999")
    window.page.fill("input[type=search]", "no such job")
    window.page.locator("text=No job matches").wait_for()
    window.picture("no-match")
    window.page.click("text=Show all jobs")
    grid.locator(ROW).nth(5).wait_for()


def submitted_to_nobody(window: Window, dialog: Any) -> None:
    """It is known that nobody answers: the dialog stays, and says so."""
    # it looks by itself every half minute, and when the browser thinks that it is online again
    window.page.evaluate("void window.dispatchEvent(new Event('online'))")
    window.page.locator(".jp-hybrid-Away").wait_for()
    window.picture("offline")
    window.page.click(".jp-hybrid-submit button.jp-mod-accept")
    # (not before the last attempt: one that the next server heard would be the job)
    dialog.locator("button.jp-mod-accept[aria-disabled=false]").wait_for()
    dialog.locator(".jp-hybrid-problems >> text=does not answer. Nothing is lost").wait_for()
    window.picture("submit-offline")


def test_jobs_go_on_while_the_server_is_away(tmp_path: Path, browser: Any) -> None:
    work, home = tmp_path / "work", tmp_path / "home"
    (work / "jobs").mkdir(parents=True)
    home.mkdir()
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    # below the ports that systems choose from: nobody takes it while the server is away
    port = f"--ServerApp.port={17000 + os.getpid() % 1000}"
    try:
        with lab(work, home, options=[port]) as started:
            jobs = Jobs(started, work / "jobs")
            window = Window(context, started)
            window.open()
            window.command("jupyter-hybrid:show-jobs")
            window.page.locator("text=No jobs yet").wait_for()
            window.picture("empty")
            job = jobs.waiting()
            row(window, job).locator("text=1/2").wait_for()
            window.open(jobs.path("study", "print(1)"))
            panel(window)
            window.command("jupyter-hybrid:submit")
            dialog = window.page.locator(".jp-hybrid-submit")
            dialog.get_by_label("Name", exact=True).fill("patient")
        submitted_to_nobody(window, dialog)
        with lab(work, home, options=[port]) as again:
            window.page.locator(".jp-hybrid-Away").wait_for(state="detached")
            assert dialog.get_by_label("Name", exact=True).input_value() == "patient"
            window.page.click(".jp-hybrid-submit button.jp-mod-accept")
            dialog.wait_for(state="detached")
            until(lambda: again.ask("GET", "/jobs?text=patient")["jobs"], "the job")
            jobs.go.touch()
            state(window, job, "COMPLETED")
    finally:
        # the job needs no server to end
        (work / "jobs" / "go").touch()
        context.close()
