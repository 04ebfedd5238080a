"""Settings that somebody changes while a job runs and its page is open."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from browser import Window
from commands import notebook, until
from servers import Server

pytestmark = pytest.mark.needs("apt:chromium")

WAIT = "import pathlib, time\nwhile not pathlib.Path({go!r}).exists(): time.sleep(0.05)"
BUTTON = "[data-command='jupyter-hybrid:submit']"
#: How bright the ground of each part is, as the browser draws it: 0 to 255.
GROUNDS = """() => ['.jp-hybrid-Jobs', '.jp-hybrid-Head', '.jp-hybrid-Outputs'].map(part => {
  let node = document.querySelector(part);
  const ground = () => getComputedStyle(node).backgroundColor;
  while (/(, 0\\)|transparent)$/.test(ground())) node = node.parentElement;
  return Math.max(...ground().match(/\\d+/g).slice(0, 3).map(Number));
})"""


def setting(window: Window, plugin: str) -> Any:
    """Show a plugin's part of the settings editor."""
    window.command("settingeditor:open", query=plugin)
    window.page.locator(f".jp-PluginList >> text='{plugin}'").click()
    form = window.page.locator(".jp-SettingsForm")
    form.first.wait_for()
    return form


def submitted(running: Server, work: Path, name: str, source: str = "1") -> str:
    content = notebook(source, name="python3", display_name="Python 3")
    (work / f"{name}.ipynb").write_text(json.dumps(content))
    return str(running.ask("POST", "/jobs", {"path": f"{name}.ipynb", "name": name})["id"])


def ended(window: Window, running: Server, work: Path, name: str) -> None:
    """Submit a job, and wait until the panel shows its end."""
    job = submitted(running, work, name)
    window.page.locator(f"#jupyter-hybrid-job-{job}[data-state=COMPLETED]").wait_for()


def ends_told(window: Window, wanted: bool) -> None:
    """Choose whether ends are told, and wait until the server knows it."""
    setting(window, "Job Notifications").get_by_label("Tell when a job has ended").click()
    kept = "fetch('/lab/api/settings/jupyter-hybrid:notifications').then(answer => answer.json())"
    script = f"{kept}.then(all => all.settings.ended ?? true)"
    until(lambda: window.page.evaluate(script) == wanted, "the setting")


def test_settings_take_effect_at_once(window: Window, running: Server, work: Path) -> None:
    go = work / "go"
    job = submitted(running, work, "study", WAIT.format(go=str(go)))
    page = window.page
    window.open("study.ipynb")
    window.command("jupyter-hybrid:show-jobs")
    window.command("jupyter-hybrid:open-job", id=job)
    page.locator(".jp-hybrid-Outputs .jp-Cell").wait_for()
    assert min(page.evaluate(GROUNDS)) > 200
    window.theme("JupyterLab Dark")
    until(lambda: max(page.evaluate(GROUNDS)) < 80, "dark grounds")

    told = page.locator(".Toastify__toast")
    ends_told(window, False)
    ended(window, running, work, "silent")
    ends_told(window, True)
    ended(window, running, work, "loud")
    told.locator("text=/^loud is done/").wait_for()
    assert told.count() == 1

    # what JupyterLab offers for all buttons of a notebook's toolbar
    form = setting(window, "Notebook Panel")
    name = form.locator("input[value='jupyter-hybrid-run']").get_attribute("id")
    ignored = form.locator(f"[id='{name.removesuffix('_name')}_disabled']")
    assert page.locator(BUTTON).count() == 1
    for count in (0, 1):
        ignored.click()
        until(lambda n=count: page.locator(BUTTON).count() == n, f"{count} buttons")
    go.touch()
    page.locator(f"#jupyter-hybrid-job-{job}[data-state=COMPLETED]").wait_for()
    assert window.complaints == []
