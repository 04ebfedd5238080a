"""From a click to the dialog and to the job, JupyterLab's start, and the size of the bundle."""

from __future__ import annotations

import gzip
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from browser import Window, chromium, lab
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
#: A target that takes its time, as those at the other end of a line do.
CONFIG = """\
c.Hybrid.targets = {
    "far": {"executor": "slurm", "host": "far", "ssh": ["sh", "-c", "sleep 5; exit 255"]},
}
c.Hybrid.default_target = "local"
"""
OFF = {"disabledExtensions": {"jupyter-hybrid": True}}


def rows(bench: Bench) -> None:
    """Measure."""
    sizes = [len(gzip.compress(f.read_bytes())) for f in built_extension().glob("static/*.js")]
    bench.figures("all JavaScript, gzipped", [sum(sizes) / 1000], bar=150, unit="kB")
    with tempfile.TemporaryDirectory() as directory, chromium() as browser:
        work, home, bare = (Path(directory) / name for name in ("work", "home", "bare"))
        for folder in (work, home / "config", bare / "config" / "labconfig"):
            folder.mkdir(parents=True)
        content = notebook("1", parameters="n = 3", name="python3", display_name="Python 3")
        (work / "study.ipynb").write_text(json.dumps(content))
        (home / "config" / "jupyter_hybrid_config.py").write_text(CONFIG)
        (bare / "config" / "labconfig" / "page_config.json").write_text(json.dumps(OFF))
        with lab(work, home) as running:
            window = Window(browser.new_context(), running)
            window.open("study.ipynb")
            window.kernel()
            _dialog(bench, window)
            with lab(work, bare) as other:
                _start(bench, window, Window(browser.new_context(), other))


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


def _start(bench: Bench, ours: Window, theirs: Window) -> None:
    clocks = {window: _clock(window) for window in (ours, theirs)}

    def start(window: Window) -> tuple[float, float]:
        before = clocks[window]()
        window.open()
        seconds: Any = window.page.evaluate(RESTORED)
        return float(seconds), clocks[window]() - before

    pairs = [(start(ours), start(theirs)) for _ in range(bench.n + 1)][1:]
    wall, processor = ([mine[i] - other[i] for mine, other in pairs] for i in range(2))
    name = "JupyterLab's start, beyond one without us"
    bench.figures(name, wall, bar=0.05)
    # other work on the machine lengthens a start by more than the bar, and this by little
    bench.figures(f"{name}, page's processor", processor, bar=0.05)


def _clock(window: Window) -> Callable[[], float]:
    """Seconds of processor time that the page's process has taken."""
    session = window.page.context.new_cdp_session(window.page)
    session.send("Performance.enable")

    def clock() -> float:
        metrics: Any = session.send("Performance.getMetrics")["metrics"]
        return next(float(one["value"]) for one in metrics if one["name"] == "ProcessTime")

    return clock
