"""From a click to the dialog and to the job, JupyterLab's start, and the size of the bundle."""

from __future__ import annotations

import gzip
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from browser import Window, bare_lab, chromium, lab
from commands import notebook, until
from extension import built_extension
from harness import Bench

#: Seconds from a click on the first selector until the second one is there and drawn.
CLICKED = """async ([button, wanted, text]) => {
  const there = () => [...document.querySelectorAll(wanted)].some(
    node => node.textContent.includes(text));
  const drawn = () => new Promise(resolve =>
    requestAnimationFrame(() => requestAnimationFrame(resolve)));
  const began = performance.now();
  document.querySelector(button).click();
  if (!there()) {
    await new Promise(resolve => {
      const observer = new MutationObserver(() => {
        if (there()) { observer.disconnect(); resolve(); }
      });
      observer.observe(document.body,
        {subtree: true, childList: true, attributes: true, characterData: true});
    });
  }
  await drawn();
  return (performance.now() - began) / 1000;
}"""
#: Seconds from the page's beginning until JupyterLab is restored.
RESTORED = """async () => {
  await window.jupyterapp.restored;
  return performance.now() / 1000;
}"""
BUTTON = "[data-command='jupyter-hybrid:submit']"
CHOSEN = ".jp-hybrid-submit tr.jp-mod-selected"
SEND = ".jp-hybrid-submit button.jp-mod-accept"
#: Starts of each kind: they differ by more than the bar from one to the next.
STARTS = 15
#: A target that takes its time, as those at the other end of a line do.
CONFIG = """\
c.Hybrid.targets = {
    "far": {"executor": "slurm", "host": "far", "ssh": ["sh", "-c", "sleep 5; exit 255"]},
}
c.Hybrid.default_target = "local"
"""


def rows(bench: Bench) -> None:
    """Measure."""
    sizes = [len(gzip.compress(f.read_bytes())) for f in built_extension().glob("static/*.js")]
    bench.figures("all JavaScript, gzipped", [sum(sizes) / 1000], bar=150, unit="kB")
    with tempfile.TemporaryDirectory() as directory, chromium() as browser:
        work, home, new, bare = (Path(directory, name) for name in ("work", "home", "new", "bare"))
        for folder in (work, home / "config", new, bare):
            folder.mkdir(parents=True)
        content = notebook("1", parameters="n = 3", name="python3", display_name="Python 3")
        (work / "study.ipynb").write_text(json.dumps(content))
        (home / "config" / "jupyter_hybrid_config.py").write_text(CONFIG)
        with lab(work, home) as running:
            window = Window(browser.new_context(), running)
            window.open("study.ipynb")
            window.kernel()
            _dialog(bench, window)
        with lab(work, new) as ours, bare_lab(work, bare) as other:
            places = (ours, other, other)
            _start(bench, [Window(browser.new_context(), place) for place in places])


def _dialog(bench: Bench, window: Window) -> None:
    opened: list[float] = []
    shown: dict[str, list[float]] = {"row": [], "record": []}
    rows = {"row": ".jp-hybrid-Job", "record": ".jp-hybrid-Job[role=row]"}
    for number in range(2 * (bench.n + 1)):
        opened.append(window.page.evaluate(CLICKED, [BUTTON, CHOSEN, "local"]))
        name = f"measured {number}"
        window.page.locator(".jp-hybrid-submit").get_by_label("Name", exact=True).fill(name)
        what = ("row", "record")[number % 2]
        shown[what].append(window.page.evaluate(CLICKED, [SEND, rows[what], name]))
        # the next one is not measured while this one starts a kernel
        until(lambda: not unfinished(window), "the job's end")
    note = "a local target, and one that has not answered yet"
    bench.figures("from the click to the dialog", opened[1:], bar=0.15, note=note)
    bench.figures("from the submit to the job's row", shown["row"][1:], bar=0.2)
    note = "what the server answers then, or the announcement of its record before"
    bench.figures("from the submit to the job's record", shown["record"][1:], note=note)


def unfinished(window: Window) -> list[Any]:
    """Jobs that have not ended."""
    found: list[Any] = window.running.ask("GET", "/jobs?state=unfinished")["jobs"]
    return found


def _start(bench: Bench, windows: list[Window]) -> None:
    """One with us and two without: what two of the same differ by is the measurement's own."""
    clocks = [_clock(window) for window in windows]

    def start(which: int) -> tuple[float, float]:
        before = clocks[which]()
        windows[which].open()
        seconds: Any = windows[which].page.evaluate(RESTORED)
        return float(seconds), clocks[which]() - before

    rounds = []
    for number in range(STARTS + 1):
        order = [(number + turn) % 3 for turn in range(3)]
        found = {which: start(which) for which in order}
        rounds.append([found[which] for which in range(3)])
    name = "JupyterLab's start, beyond one without us"
    # other work on the machine lengthens a start by more than the bar, and the processor's little
    for what, words in enumerate(("", ", page's processor")):
        beyond, same = ([one[mine][what] - one[1][what] for one in rounds[1:]] for mine in (0, 2))
        bench.figures(name + words, beyond, bar=0.05)
        bench.figures(f"the same of two without us{words}", same)


def _clock(window: Window) -> Callable[[], float]:
    """Seconds of processor time that the page's process has taken."""
    session = window.page.context.new_cdp_session(window.page)
    session.send("Performance.enable")

    def clock() -> float:
        metrics: Any = session.send("Performance.getMetrics")["metrics"]
        return next(float(one["value"]) for one in metrics if one["name"] == "ProcessTime")

    return clock
