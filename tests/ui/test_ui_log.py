"""A job that printed far more than anybody reads: its end is there at once."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from browser import Window
from commands import notebook, until
from servers import Server

pytestmark = pytest.mark.needs("apt:chromium")

#: Megabytes that the job prints, in lines of 100 bytes.
SIZE = 50
LINES = SIZE * 10_000
PRINT = f"""
for number in range(0, {LINES}, 1000):
    lines = range(number, number + 1000)
    print("\\n".join(f"{{line:08d}} {{'x' * 90}}" for line in lines), flush=True)
"""
#: What is in sight, by the numbers of its lines, and how far it is from its end.
SIGHT = """node => {
  const text = node.textContent;
  return {first: text.slice(0, 8), last: text.trimEnd().split('\\n').at(-1).slice(0, 8),
    below: Math.round(node.scrollHeight - node.scrollTop - node.clientHeight)};
}"""


def printed(running: Server, work: Path) -> str:
    """A job that has ended after it printed all that."""
    content = notebook(PRINT, name="python3", display_name="Python 3", language="python")
    (work / "long.ipynb").write_text(json.dumps(content))
    job = str(running.ask("POST", "/jobs", {"path": "long.ipynb", "name": "long"})["id"])
    ended = until(lambda: (j := running.job(job))["final"] and j, "the job's end")
    assert ended["state"] == "COMPLETED", ended
    # the runner's own log is no shorter
    log = Path(ended["directory"], "runner.log")
    assert log.exists(), list(log.parent.iterdir())
    with log.open("a") as file:
        for number in range(LINES):
            file.write(f"{number:08d} {'y' * 90}\n")
    return job


class Asked:
    """What the answers about a job's log were, in bytes."""

    def __init__(self, window: Window) -> None:
        self.sizes: list[int] = []
        window.page.on("response", self._add)

    def _add(self, response: Any) -> None:
        if "/log?" in response.url:
            self.sizes.append(int(response.headers.get("content-length", 0)))


@pytest.mark.timeout(300)
def test_a_long_log_shows_its_end_first(window: Window, running: Server, work: Path) -> None:
    job = printed(running, work)
    window.open()
    window.command("jupyter-hybrid:open-job", id=job)
    window.page.locator(".jp-hybrid-State >> text=done").wait_for()
    asked = Asked(window)
    log = window.page.locator(".jp-hybrid-Log pre")
    begun = time.monotonic()
    window.page.click("role=tab[name=Log]")
    for of, letter in (("cells", "x"), ("runner", "y")):
        if of == "runner":
            asked.sizes.clear()
            begun = time.monotonic()
            window.page.get_by_label("Log of").select_option("runner")
        window.page.wait_for_function(
            f"document.querySelector('.jp-hybrid-Log pre').textContent"
            f".endsWith('{LINES - 1:08d} {letter * 90}\\n')"
        )
        print(f"{of}: the end after {time.monotonic() - begun:.2f} s, {sum(asked.sizes)} bytes")
        # (what was printed within a moment, some 1 MB here, is one output)
        assert 0 < sum(asked.sizes) < 3 << 20
        sight = log.evaluate(SIGHT)
        assert sight["last"] == f"{LINES - 1:08d}"
        assert sight["below"] <= 1
        first = int(sight["first"])
        assert LINES - 30_000 < first < LINES - 100
        window.page.click("text=Show earlier")
        window.page.wait_for_function(
            f"!document.querySelector('.jp-hybrid-Log pre').textContent.startsWith('{first:08d}')"
        )
        lines = log.evaluate("node => node.textContent").splitlines()
        # none is left out and none there twice
        begin = int(lines[0][:8])
        assert [int(line[:8]) for line in lines] == list(range(begin, LINES))
        assert begin < first
    window.theme("JupyterLab Light")
    window.picture("log-long")
    assert window.findings(".jp-hybrid-Log") == []
    assert window.complaints == []
