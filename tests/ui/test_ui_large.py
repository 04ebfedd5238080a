"""Jobs that print far more than a page can hold: it stays quick, and says what it leaves out."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from browser import Window
from commands import notebook, until
from servers import Server

pytestmark = [pytest.mark.needs("apt:chromium"), pytest.mark.timeout(300)]

#: Megabytes that a job prints, in lines of 100 bytes.
SIZE = 100
PRINT = f"""
for number in range(0, {SIZE * 10_000}, 1000):
    lines = range(number, number + 1000)
    print("\\n".join(f"{{line:08d}} {{'x' * 90}}" for line in lines), flush=True)
print("the end")
"""
WAIT = "import pathlib, time\nwhile not pathlib.Path({go!r}).exists(): time.sleep(0.05)\n"
NOTE = ".jp-hybrid-LeftOut-note"
LOG = ".jp-hybrid-Log pre"
#: Characters that the page may hold: many times of what it shows, a fraction of what was printed.
LONGEST = 3_000_000
#: Notes for how long the page did nothing but one thing.
WATCH = """() => {
  window.tasks = [];
  new PerformanceObserver(list => {
    window.tasks.push(...list.getEntries().map(task => Math.round(task.duration)));
  }).observe({ entryTypes: ['longtask'] });
}"""
#: What the first cell of the notebook in front shows, as it would be saved.
SHOWN = """() => {
  const cells = window.jupyterapp.shell.currentWidget.content.model.cells;
  return cells.get(0).toJSON().outputs.map(output =>
    output.text ?? output.data['text/plain']);
}"""


def submitted(running: Server, work: Path, name: str, *sources: str) -> str:
    content = notebook(*sources, name="python3", display_name="Python 3", language="python")
    (work / f"{name}.ipynb").write_text(json.dumps(content))
    return str(running.ask("POST", "/jobs", {"path": f"{name}.ipynb", "name": name})["id"])


def ended(running: Server, job: str) -> None:
    until(lambda: running.job(job)["final"], "the job's end")


class Watch:
    """What the page holds; how long it took and for how long the page stood still is printed."""

    def __init__(self, window: Window) -> None:
        self.window = window
        self.begun = time.monotonic()
        window.page.evaluate(WATCH)

    def told(self, what: str) -> None:
        tasks: list[int] = self.window.page.evaluate("window.tasks.splice(0)")
        longest = max(tasks, default=0)
        print(f"{what}: {time.monotonic() - self.begun:.2f} s, longest task {longest} ms")
        assert self.window.page.evaluate("document.body.textContent.length") < LONGEST
        self.begun = time.monotonic()


def logged(window: Window, end: str) -> None:
    window.page.wait_for_function(
        "([log, end]) => document.querySelector(log)?.textContent.endsWith(end)", arg=[LOG, end]
    )


def test_an_ended_job_shows_both_ends_and_leads_to_its_log(
    window: Window, running: Server, work: Path
) -> None:
    job = submitted(running, work, "ended", PRINT)
    ended(running, job)
    window.open()
    watch = Watch(window)
    window.command("jupyter-hybrid:open-job", id=job)
    window.page.locator(".jp-hybrid-Outputs .jp-OutputArea-output >> text=the end").wait_for()
    watch.told("the notebook of a job that printed 100 MB")
    note = window.page.locator(NOTE)
    assert "MB more" in note.inner_text()
    note.scroll_into_view_if_needed()
    window.theme("JupyterLab Light")
    window.picture("outputs-left-out")
    assert window.findings(NOTE) == []
    watch = Watch(window)
    note.get_by_role("button", name="Open the log").click()
    logged(window, "the end\n")
    watch.told("its log")
    assert window.complaints == []


def test_a_running_jobs_outputs_are_shown_where_it_came_from(
    window: Window, running: Server, work: Path
) -> None:
    go = work / "go"
    more = f"print('first'); print({'y' * 90!r} + '\\n', end='', flush=True)\n{PRINT}"
    job = submitted(running, work, "here", f"{more}{WAIT.format(go=str(go))}print('went on')")
    until(lambda: at_end(running, job), "what it prints")
    window.open("here.ipynb")
    watch = Watch(window)
    window.command("jupyter-hybrid:show-outputs", id=job)
    until(lambda: outputs(window)[-1:] and outputs(window)[-1].endswith("the end\n"), "its outputs")
    watch.told("what it has printed until now")
    go.touch()
    until(lambda: outputs(window)[-1].endswith("the end\nwent on\n"), "its last line")
    ended(running, job)
    head, between, tail = outputs(window)
    # who saves this saves that it is not all
    assert "MB more" in between and "log" in between
    assert head.startswith("first\n") and len(head) + len(tail) < 400_000
    watch.told("its end")
    window.page.locator(NOTE).wait_for()
    # the results are whole
    path = running.ask("POST", f"/jobs/{job}/fetch", {})["path"]
    (cell,) = json.loads((work / path).read_text())["cells"]
    assert sum(len("".join(output["text"])) for output in cell["outputs"]) > SIZE * 1_000_000


def at_end(running: Server, job: str) -> bool:
    page = running.ask("GET", f"/jobs/{job}/log?tail=1000")
    return bool(page["text"].endswith("the end\n"))


def outputs(window: Window) -> Any:
    return window.page.evaluate(SHOWN)


def test_a_thousand_pictures_and_a_table_without_end(
    window: Window, running: Server, work: Path
) -> None:
    shows = """
from IPython.display import HTML, display
for number in range(5000):
    display({"text/plain": str(number)}, raw=True)
"""
    table = """
from IPython.display import HTML
HTML("<table>" + "<tr><td>1</td></tr>" * 500_000 + "</table>")
"""
    job = submitted(running, work, "many", shows, table, "'z' * 30_000_000")
    ended(running, job)
    window.open()
    watch = Watch(window)
    window.command("jupyter-hybrid:open-job", id=job)
    shown = window.page.locator(".jp-hybrid-Outputs .jp-OutputArea-output")
    shown.locator("text=4999").wait_for()
    window.page.locator(NOTE).nth(2).wait_for()
    watch.told("a job that showed too many and too much")
    assert shown.count() < 400
    window.page.locator(NOTE).nth(2).scroll_into_view_if_needed()
    window.picture("outputs-left-out-texts")
    assert window.complaints == []
