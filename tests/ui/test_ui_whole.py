"""From the command palette to the notebook that came back; a panel that can show nothing."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from browser import Window
from commands import notebook, until
from servers import Server

pytestmark = pytest.mark.needs("apt:chromium")

DIALOG = ".jp-hybrid-submit"
PANEL = ".jp-hybrid-Jobs"
LIST = re.compile(r"/jupyter-hybrid/api/jobs\?")
CONFIG = """\
c.Hybrid.targets = {"priced": {"executor": "local", "price": 3600}}
c.Hybrid.default_target = "priced"
"""


@pytest.fixture
def path(work: Path, request: pytest.FixtureRequest) -> str:
    folder = work / request.node.name
    folder.mkdir()
    sources = ("print('n is', n)", "open('made.csv', 'w').write('1,2')")
    content = notebook(*sources, parameters="n = 3", name="python3", display_name="Python 3")
    (folder / "study.ipynb").write_text(json.dumps(content))
    return f"{folder.name}/study.ipynb"


def panel(window: Window) -> Any:
    window.command("jupyter-hybrid:show-jobs")
    return window.page.locator(PANEL)


def copied(window: Window, row: Any) -> None:
    """Copy a job in other words, by its menu."""
    page = window.page
    for words, said in (
        ("Copy as Magic", "%remote run"),
        ("Copy as Command Line", "jupyter hybrid run"),
        ("Copy as Python", "submit("),
    ):
        row.click(button="right")
        page.locator(".lm-Menu-item >> text=Copy As").hover()
        page.click(f".lm-Menu-item >> text={words}")
        until(lambda s=said: s in page.evaluate("navigator.clipboard.readText()"), words)


def chosen(window: Window, row: Any) -> None:
    """Choose what the list shows by state and by target."""
    shown = window.page.locator(PANEL)
    for label, other, own in (("State", "failed", "done"), ("Target", "local", "priced")):
        choice = shown.get_by_label(label, exact=True)
        choice.select_option(other)
        shown.locator("text=No job matches").wait_for()
        choice.select_option(own)
        row.wait_for()
    shown.get_by_label("State", exact=True).select_option("all")


def downloaded(window: Window) -> str:
    """What the browser gets for the job's file, from the job's page."""
    window.page.click("role=tab[name=Files]")
    with window.page.expect_download() as got:
        window.page.click(".jp-hybrid-Page a >> text=made.csv")
    return Path(got.value.path()).read_text()


def fetched(window: Window, row: Any) -> None:
    """Bring the job's results here, and open its notebook."""
    page = window.page
    row.click(button="right")
    window.picture("menu-of-an-ended-job")
    page.click(".lm-Menu-item >> text=Fetch Results")
    page.locator(".Toastify >> text=Fetched: the executed notebook, 1 file").wait_for()
    window.picture("fetched")
    page.click(".Toastify button >> text=Open notebook")
    page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-OutputArea >> text=n is 5").wait_for()
    window.picture("fetched-notebook")


def test_from_the_palette_to_the_notebook_that_came_back(
    window: Window, running: Server, work: Path, path: str
) -> None:
    page = window.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    window.open(path)
    window.kernel()
    # (it hides where something else takes the focus while the page settles)
    words = page.locator(".lm-CommandPalette-input")
    until(
        lambda: words.is_visible() or window.command("apputils:activate-command-palette"),
        "the palette",
    )
    words.fill("Run Elsewhere")
    page.locator(".lm-CommandPalette-item.lm-mod-active", has_text="Run Elsewhere").wait_for()
    page.keyboard.press("Enter")
    dialog = page.locator(DIALOG)
    dialog.locator("tr.jp-mod-selected", has_text="priced").wait_for()
    dialog.locator(".jp-hybrid-parameter input").fill("5")
    page.keyboard.press("Enter")
    dialog.wait_for(state="detached")
    job = until(lambda: (jobs := running.ask("GET", "/jobs")["jobs"]) and jobs[0], "the job")["id"]
    row = page.locator(f"#jupyter-hybrid-job-{job}[data-state=COMPLETED]")
    row.wait_for()
    # an hour costs 3600: as many as it took seconds
    cost = running.job(job)["cost"]
    assert cost > 0
    assert re.search(r"\d\.\d", row.locator(".jp-hybrid-Job-facts").inner_text())
    row.click()
    page.locator(".jp-hybrid-Outputs >> text=n is 5").wait_for()
    page.click("role=tab[name=Details]")
    page.locator(".jp-hybrid-Page table >> text=/^5$/ >> visible=true").first.wait_for()
    assert downloaded(window) == "1,2"

    chosen(window, row)
    copied(window, row)
    compile(running.job(job)["commands"]["python"], "copied", "exec")

    fetched(window, row)
    assert (work / path).with_name("made.csv").read_text() == "1,2"


def test_loading_and_what_cannot_be_read_are_told(window: Window, running: Server) -> None:
    held: list[Any] = []
    full = {"message": "the store is on a disk that is full", "reason": "StoreError"}
    broken = False

    def answer(route: Any) -> None:
        route.fulfill(status=503, json=full) if broken else held.append(route)

    window.page.route(LIST, answer)
    window.open()
    shown = panel(window)
    shown.locator(".jp-hybrid-Loading").wait_for()
    window.picture("loading")
    assert window.findings(PANEL) == []
    broken = True
    for route in held:
        route.fulfill(status=503, json=full)
    shown.locator("text=the store is on a disk that is full").wait_for()
    window.picture("failed")
    assert window.findings(PANEL) == []
    window.page.unroute(LIST)
    shown.locator("role=button[name='Try again']").click()
    shown.locator("text=No jobs yet").or_(shown.locator("[role=row]").first).wait_for()


def test_a_server_without_our_part_says_what_to_do(window: Window) -> None:
    window.page.route(
        re.compile("/jupyter-hybrid/api/"),
        lambda route: route.fulfill(status=404, body="<html>404</html>"),
    )
    window.open()
    panel(window).locator("text=pip install jupyter-hybrid").wait_for()
    window.picture("missing")
    assert window.findings(PANEL) == []
