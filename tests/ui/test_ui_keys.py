"""The dialog by keys and clicks of who does not wait, or types Japanese."""

from __future__ import annotations

from typing import Any

import pytest
from browser import Window
from commands import until
from servers import Server

pytestmark = pytest.mark.needs("apt:chromium")

DIALOG = ".jp-hybrid-submit"
BUTTON = ".jp-NotebookPanel-toolbar [data-command='jupyter-hybrid:submit']"
#: A key as an input method has it while it makes a word of what was typed; and as Safari has it
#: where it ends that.
COMPOSING = """(field, key) => [{ isComposing: true }, { keyCode: 229 }].forEach(how =>
  field.dispatchEvent(
    new KeyboardEvent('keydown', { key, ...how, bubbles: true, cancelable: true })
  )
)"""
SOURCES = """() => [...window.jupyterapp.shell.currentWidget.content.model.cells].map(
  cell => cell.sharedModel.getSource()
)"""


def shown(window: Window) -> Any:
    """The dialog, once keys are its."""
    dialog = window.page.locator(DIALOG)
    dialog.locator("tr.jp-mod-selected").wait_for()
    dialog.locator(":focus").wait_for()
    return dialog


def hold_enter(window: Window, times: int) -> None:
    for _ in range(times):
        window.page.keyboard.down("Enter")


def test_two_double_clicks_are_one_job(window: Window, running: Server, path: str) -> None:
    window.open(path)
    window.page.dblclick(BUTTON)
    dialog = shown(window)
    window.page.dblclick(f"{DIALOG} button.jp-mod-accept")
    dialog.wait_for(state="detached")
    (job,) = until(lambda: running.jobs_of(path), "the job")
    until(lambda: running.job(job["id"])["final"], "the job's end")
    assert dialog.count() == 0
    assert len(running.jobs_of(path)) == 1


def test_an_enter_that_is_held_is_one_step(window: Window, running: Server, path: str) -> None:
    window.open(path)
    window.page.focus(BUTTON)
    hold_enter(window, 3)
    dialog = shown(window)
    hold_enter(window, 10)
    assert dialog.count() == 1
    assert running.jobs_of(path) == []
    window.page.keyboard.up("Enter")
    window.page.keyboard.press("Escape")
    dialog.wait_for(state="detached")
    window.page.click(".jp-Cell .cm-content")
    window.page.keyboard.press("Control+Alt+Enter")
    shown(window)
    hold_enter(window, 1)
    dialog.wait_for(state="detached")
    # it is the cell that has the focus now
    hold_enter(window, 10)
    window.page.keyboard.up("Enter")
    until(lambda: running.jobs_of(path), "the job")
    assert window.page.evaluate(SOURCES) == ["print(1)"]
    assert len(running.jobs_of(path)) == 1


def test_keys_of_an_input_method_are_not_the_dialogs(
    window: Window, running: Server, path: str
) -> None:
    window.open(path)
    window.page.click(BUTTON)
    dialog = shown(window)
    name = dialog.get_by_label("Name", exact=True)
    name.focus()
    for key in ("Enter", "Escape"):
        name.evaluate(COMPOSING, key)
    name.fill("\u5b66\u7fd2")
    assert dialog.count() == 1
    assert running.jobs_of(path) == []
    window.page.keyboard.press("Enter")
    dialog.wait_for(state="detached")
    (job,) = until(lambda: running.jobs_of(path), "the job")
    assert job["name"] == "\u5b66\u7fd2"


def test_tab_goes_round_and_escape_back(window: Window, path: str) -> None:
    window.open(path)
    window.page.click(".jp-Cell .cm-content")
    window.page.keyboard.press("Control+Alt+Enter")
    dialog = shown(window)
    # JupyterLab gives the focus to what is chosen, when that is there
    window.page.wait_for_selector(f"{DIALOG} input[type=radio]:focus")
    dialog.locator("button.jp-mod-accept").focus()
    window.page.keyboard.press("Tab")
    assert dialog.get_by_label("GPUs").evaluate("field => field === document.activeElement")
    window.page.keyboard.press("Escape")
    dialog.wait_for(state="detached")
    window.page.keyboard.insert_text("more")
    assert "more" in window.page.evaluate(SOURCES)[0]
