"""The jobs panel and the server behind it: pages and frames of 10,000 jobs, an idle server."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from browser import Window, chromium, lab
from commands import notebook, until
from harness import Bench
from servers import Server

from jupyter_hybrid.job import Job, State, new_job_id
from jupyter_hybrid.spec import JobSpec

JOBS, RUNNING = 10_000, 20
ROW = ".jp-hybrid-Job[role=row]"
#: Scrolls through all of the list in so many frames; the longest frame, in seconds.
SCROLL = """async frames => {
  const node = document.querySelector('.jp-hybrid-Jobs-scroller');
  const next = () => new Promise(resolve => requestAnimationFrame(resolve));
  let last = await next();
  let longest = 0;
  for (let i = 1; i <= frames; i++) {
    node.scrollTop = (node.scrollHeight * i) / frames;
    const now = await next();
    longest = Math.max(longest, now - last);
    last = now;
  }
  return longest / 1000;
}"""
#: Jumps to the end of the list; seconds until the last job's row is there.
JUMP = """async () => {
  const node = document.querySelector('.jp-hybrid-Jobs-scroller');
  const begun = performance.now();
  node.scrollTop = node.scrollHeight;
  const last = `[role=row][aria-rowindex="${node.ariaRowCount}"]`;
  while (document.querySelector(last) === null) {
    await new Promise(resolve => requestAnimationFrame(resolve));
  }
  return (performance.now() - begun) / 1000;
}"""
#: Puts the same rows in the place of ours, and moves them by hand; and takes them away again.
PLAIN = """() => {
  const ours = document.querySelector('.jp-hybrid-Jobs-scroller');
  const node = ours.cloneNode(true);
  const rows = [...node.querySelectorAll('[role=row]')];
  node.addEventListener('scroll', () => {
    const first = Math.floor(node.scrollTop / 66);
    rows.forEach((row, at) => {
      row.style.top = `${(first + at) * 66}px`;
      row.querySelector('.jp-hybrid-Job-name bdi').textContent = `train ${first + at}`;
    });
  });
  ours.before(node);
  ours.style.display = 'none';
}"""
OURS = """() => {
  const [plain, ours] = document.querySelectorAll('.jp-hybrid-Jobs-scroller');
  plain.remove();
  ours.style.display = '';
}"""
#: Notes when each text first stands in a row of the list, and is drawn.
WATCH = """() => {
  document.querySelector('.jp-hybrid-Jobs-scroller').scrollTop = 0;
  window.seen = {};
  const note = (text) => requestAnimationFrame(() => setTimeout(() => {
    window.seen[text] ??= Date.now() / 1000;
  }));
  new MutationObserver(() => {
    document.querySelectorAll('.jp-hybrid-Job-now').forEach(row => note(row.textContent));
  }).observe(document.querySelector('.jp-hybrid-Jobs'),
    {subtree: true, childList: true, characterData: true});
}"""


def rows(bench: Bench) -> None:
    """Measure."""
    with _many() as (running, work), chromium() as browser:
        name = "a page of 50 of 10,000 jobs, by the server"
        bench.limit(name, lambda: _page(running, ""), bar=0.05)
        bench.limit(f"{name}, searched", lambda: _page(running, "&text=train%2042"), bar=0.05)
        nowhere = "&text=%E8%A8%93%E7%B7%B4"
        bench.limit(f"{name}, searched in vain", lambda: _page(running, nowhere), bar=0.05)
        bench.limit(
            f"{name}, the last one", lambda: _page(running, f"&offset={JOBS - 50}"), bar=0.05
        )
        window = Window(browser.new_context(viewport={"width": 1280, "height": 900}), running)
        window.open()
        window.command("jupyter-hybrid:show-jobs")
        window.page.locator(ROW).first.wait_for()
        _scroll(bench, window)
        name = "runner's event to the panel"
        bench.figures(name, _delays(window, running, work, 12, 0.7), bar=0.3)
        name += ", of a job that was silent"
        bench.figures(name, _delays(window, running, work, 7, 8.0), bar=0.3)
        for row in _idle(running, work):
            bench.figures(*row[:2], bar=0.03, unit="cores")


def _scroll(bench: Bench, window: Window) -> None:
    page = window.page
    page.evaluate(SCROLL, 200)
    frames, plain = [], []
    for _ in range(5):
        frames.append(page.evaluate(SCROLL, 200))
        page.evaluate(PLAIN)
        plain.append(page.evaluate(SCROLL, 200))
        page.evaluate(OURS)
    bench.figures("longest frame, scrolling 10,000 jobs", frames, bar=0.05)
    bench.figures("longest frame, the same rows moved by hand", plain)
    page.reload()
    window.restored()
    page.locator(ROW).first.wait_for()
    bench.figures(
        "from a jump to the end of 10,000 jobs to its rows", [page.evaluate(JUMP)], bar=0.5
    )


def _page(running: Server, query: str) -> None:
    running.ask("GET", f"/jobs?limit=50{query}")


@contextmanager
def _many() -> Iterator[tuple[Server, Path]]:
    """JupyterLab of a user who has had many jobs."""
    with tempfile.TemporaryDirectory(prefix="jh-bench-") as directory:
        work, home = Path(directory, "work"), Path(directory, "home")
        records = home / "data" / "jupyter-hybrid" / "records"
        for folder in (work, records):
            folder.mkdir(parents=True)
        for number in range(JOBS):
            when = time.time() - 2 * JOBS + number
            job = Job(
                id=new_job_id(when),
                spec=JobSpec(name=f"train {number}", target="local", kind="notebook"),
                state=State.COMPLETED,
                directory="/nowhere",
                created_at=when,
                started_at=when,
                finished_at=when + 5,
            )
            (records / f"{job.id}.json").write_text(json.dumps(job.to_json()))
        with lab(work, home) as running:
            yield running, work


def _submit(running: Server, work: Path, *sources: str) -> str:
    content = notebook(*sources, name="python3", display_name="Python 3", language="python")
    (work / "a.ipynb").write_text(json.dumps(content))
    return str(running.ask("POST", "/jobs", {"path": "a.ipynb"})["id"])


def _delays(window: Window, running: Server, work: Path, count: int, pause: float) -> list[float]:
    """From the moment at which a cell begins to the one at which its line is drawn in the list."""
    window.page.evaluate(WATCH)
    cells = [f"# cell {n} of {count}\nimport time; time.sleep({pause})" for n in range(count)]
    job = _submit(running, work, *cells)
    # (nobody asks meanwhile: the panel alone is what keeps the server looking)
    time.sleep(count * pause)
    until(lambda: running.job(job)["final"], "the end of the job")
    window.page.wait_for_timeout(1000)
    seen: dict[str, float] = window.page.evaluate("window.seen")
    events: list[Any] = running.ask("GET", f"/jobs/{job}/events")["events"]
    begun = {event["line"]: event["time"] for event in events if event["kind"] == "cell"}
    # the first cell begins while the job itself is news
    return [seen[line] - begun[line] for line in list(begun)[1:] if line in seen]


def _idle(running: Server, work: Path) -> Iterator[tuple[str, list[float]]]:
    """Cores that the server takes while jobs run that say nothing, looked at and not."""
    jobs = [_submit(running, work, "import time; time.sleep(600)") for _ in range(RUNNING)]
    for job in jobs:
        until(partial(_runs, running, job), "a running job")
    yield "server with 20 running jobs and a panel open", [_cores(running) for _ in range(3)]
    assert all(_runs(running, job) for job in jobs)
    for job in jobs:
        running.ask("POST", f"/jobs/{job}/cancel", {"force": True})


def _runs(running: Server, job: str) -> bool:
    return bool(running.job(job)["state"] == "RUNNING")


def _cores(running: Server, seconds: float = 10.0) -> float:
    before = _cpu(running.process.pid)
    time.sleep(seconds)
    return (_cpu(running.process.pid) - before) / seconds


def _cpu(pid: int) -> float:
    """Seconds of processor time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / float(os.sysconf("SC_CLK_TCK"))
