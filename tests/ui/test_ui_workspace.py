"""Notebooks that the server keeps in other ways: edited by several at once, and hidden ones."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import collaboration
import pytest
from browser import Window, lab
from commands import notebook, until
from servers import Server

pytestmark = pytest.mark.needs("apt:chromium", "module:pip")

DIALOG = ".jp-hybrid-submit"
BUTTON = ".jp-NotebookPanel-toolbar >> text=Run elsewhere"
BAR = ".jp-hybrid-NotebookBar"
UNSAVED = "with changes that are not saved yet"
#: What somebody else sees of the notebook's last cell.
LAST = "window.jupyterapp.shell.currentWidget.content.model.sharedModel.cells.at(-1).getSource()"
SHOWN = """() => [...window.jupyterapp.shell.currentWidget.content.model.cells]
  .map(cell => cell.toJSON().outputs.map(output => output.text ?? '').join(''))"""


def written(folder: Path, *sources: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    content = notebook(*sources, name="python3", display_name="Python 3", language="python")
    (folder / "study.ipynb").write_text(json.dumps(content))


@pytest.fixture
def together(tmp_path: Path, browser: Any) -> Iterator[tuple[Server, Window, Window]]:
    """Two people's windows with the same notebook, which nothing saves by itself."""
    work, home = tmp_path / "work", tmp_path / "home"
    home.mkdir()
    written(work / "sub", "n = 1", "print('saved', n)")
    options = ["--YDocExtension.document_save_delay=None"]
    besides = collaboration.environment()
    contexts = [browser.new_context(viewport={"width": 1280, "height": 900}) for _ in range(2)]
    try:
        with lab(work, home, options=options, besides=besides) as running:
            windows = [Window(context, running) for context in contexts]
            for window in windows:
                window.open("sub/study.ipynb")
                window.page.wait_for_function(f"{LAST} === \"print('saved', n)\"")
            yield running, windows[0], windows[1]
    finally:
        for context in contexts:
            context.close()


def typed(window: Window, text: str) -> None:
    """Type at the end of the last cell."""
    window.page.locator(".jp-Cell .cm-content").last.click()
    window.page.keyboard.press("Control+End")
    window.page.keyboard.insert_text(text)


def last_job(running: Server, path: str = "sub/study.ipynb") -> Any:
    def ended() -> Any:
        jobs = running.ask("GET", f"/jobs?path={path}")["jobs"]
        return next((job for job in jobs if job["final"]), None)

    return until(ended, "the job's end")


def test_what_everybody_sees_is_sent_until_the_submit(
    together: tuple[Server, Window, Window],
) -> None:
    running, mine, theirs = together
    typed(theirs, "\nprint('theirs')")
    mine.page.wait_for_function(f"{LAST}.includes('theirs')")
    mine.page.click(BUTTON)
    dialog = mine.page.locator(DIALOG)
    dialog.locator(f"text={UNSAVED}").wait_for()
    mine.picture("submit-together")
    # the dialog does not keep others from going on
    typed(theirs, "\nprint('later')")
    mine.page.wait_for_function(f"{LAST}.includes('later')")
    mine.page.keyboard.press("Enter")
    dialog.wait_for(state="detached")
    job = last_job(running)
    assert running.text(job["id"]) == "saved 1\ntheirs\nlater\n", job["reason"]
    assert job["path"] == "sub/study.ipynb"
    # its outputs can be shown in the notebook, to everybody
    mine.page.click(f"{BAR} >> text=Show outputs here")
    for window in (mine, theirs):
        until(
            lambda w=window: w.page.evaluate(SHOWN) == ["", "saved 1\ntheirs\nlater\n"],
            "the outputs",
        )
    mine.picture("outputs-together")


def test_the_file_browser_and_the_notebook_mean_the_same(
    together: tuple[Server, Window, Window],
) -> None:
    running, mine, _ = together
    typed(mine, "\nprint('mine')")
    mine.page.click(".jp-DirListing-item[data-file-type=notebook]", button="right")
    mine.page.click(".lm-Menu >> text=Run Elsewhere")
    dialog = mine.page.locator(DIALOG)
    dialog.locator(f"text={UNSAVED}").wait_for()
    mine.page.keyboard.press("Enter")
    dialog.wait_for(state="detached")
    assert running.text(last_job(running)["id"]) == "saved 1\nmine\n"
    # and its page leads back to the document that is open
    mine.page.locator(".jp-hybrid-Job[role=row]").first.click()
    mine.page.locator(".jp-hybrid-Head").wait_for()
    mine.picture("page-together")


def test_a_hidden_notebook_and_its_hidden_file(tmp_path: Path, browser: Any) -> None:
    work, home = tmp_path / "work", tmp_path / "home"
    home.mkdir()
    written(work / ".secret", "print(open('.data.csv').read())")
    (work / ".secret" / ".data.csv").write_text("1,2")
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    options = ["--ContentsManager.allow_hidden=True"]
    try:
        with lab(work, home, options=options) as running:
            window = Window(context, running)
            window.open(".secret/study.ipynb")
            window.page.click(BUTTON)
            dialog = window.page.locator(DIALOG)
            dialog.locator("summary", has_text="1 file").click()
            dialog.get_by_label(".data.csv").wait_for()
            window.picture("submit-hidden")
            window.page.click(f"{DIALOG} button.jp-mod-accept")
            dialog.wait_for(state="detached")
            job = last_job(running, ".secret/study.ipynb")
            assert running.text(job["id"]) == "1,2\n", job["reason"]
            assert window.complaints == []
    finally:
        context.close()
