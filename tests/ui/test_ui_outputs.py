"""Jobs in the notebooks that they came from: outputs cell by cell, headers of %%remote cells."""

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

BAR = ".jp-hybrid-NotebookBar"
HEAD = ".jp-hybrid-CellHead-line"
#: The text and the outputs of the notebook's cells, as its model has them.
CELLS = """() => {
  const cells = window.jupyterapp.shell.currentWidget.content.model.cells;
  return [...cells].map(cell => cell.toJSON()).map(cell => [
    cell.source,
    (cell.outputs ?? []).map(output => output.text ?? '').join(''),
  ]);
}"""
#: Chooses a cell, by its number, and executes one of JupyterLab's commands.
ON_CELL = """async ([number, command]) => {
  const { shell, commands } = window.jupyterapp;
  const notebook = shell.currentWidget.content;
  notebook.activeCellIndex = number ?? notebook.activeCellIndex;
  notebook.deselectAll();
  await commands.execute(command);
}"""
RESTART = (
    "window.jupyterapp.shell.currentWidget.context.sessionContext.session.kernel"
    ".restart().then(() => null)"
)
#: Remembers the job whose outputs a notebook shows.
SHOWN = "jupyter-hybrid-shown:renamed/other.ipynb"
RENAME = "window.jupyterapp.shell.currentWidget.context.rename('other.ipynb').then(() => null)"
WAIT = "import pathlib, time\nwhile not pathlib.Path({go!r}).exists(): time.sleep(0.05)\n"


def written(work: Path, name: str, *sources: str, outputs: str = "") -> str:
    """A notebook in a folder of its own, whose cells have shown something before."""
    folder = work / name
    folder.mkdir()
    content = notebook(*sources, name="python3", display_name="Python 3", language="python")
    for cell in content["cells"] if outputs else ():
        cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": outputs}]
    (folder / "study.ipynb").write_text(json.dumps(content))
    return f"{name}/study.ipynb"


def cells(window: Window) -> list[Any]:
    found: list[Any] = window.page.evaluate(CELLS)
    return found


def test_a_notebook_shows_its_jobs_outputs(window: Window, running: Server, work: Path) -> None:
    go = work / "outputs" / "go"
    path = written(
        work,
        "outputs",
        "print('one')",
        f"{WAIT.format(go=str(go))}print('two')",
        "print('three')",
        outputs="earlier\n",
    )
    running.ask("POST", "/jobs", {"path": path, "name": "study"})
    window.open(path)
    window.page.locator(f"{BAR} >> text=1/3").wait_for()
    window.page.click(f"{BAR} >> text=Show outputs here")
    until(lambda: cells(window)[0][1] == "one\n", "the first cell's output")
    window.page.locator(".jp-Cell.jp-hybrid-mod-running").wait_for()
    # what has not begun yet shows what it showed
    assert [output for _, output in cells(window)] == ["one\n", "", "earlier\n"]

    window.page.locator(".jp-Cell .cm-content").nth(2).click()
    window.page.keyboard.insert_text("# mine ")
    edited = window.page.locator(".jp-Cell.jp-hybrid-mod-edited")
    edited.locator("text=Edited since the job was sent").wait_for()
    window.picture("outputs-edited")
    assert window.findings(BAR) == []
    window.kernel()
    window.page.evaluate(RESTART)
    go.touch()
    until(lambda: cells(window)[1][1] == "two\n", "the second cell's output")
    window.page.locator(f"{BAR} >> text=done").wait_for()
    assert cells(window)[2][1] == "earlier\n"

    # the undo of what was typed is the user's as ever, and takes the outputs for what they are
    window.page.locator(".jp-Cell .cm-content").nth(2).click()
    window.page.keyboard.press("Control+z")
    edited.wait_for(state="detached")
    until(lambda: cells(window)[2] == ["print('three')", "three\n"], "the third cell's output")
    window.page.click(f"{BAR} >> text=Restore earlier outputs")
    assert [output for _, output in cells(window)] == ["earlier\n"] * 3
    assert [text for text in window.complaints if "debugger" not in text] == []


def saved_state(window: Window) -> Any:
    """What JupyterLab has saved of this workspace."""
    return window.page.evaluate(
        "fetch('/lab/api/workspaces/default').then(answer => answer.json())"
        ".then(workspace => workspace.data)"
    )


def test_cells_that_are_moved_or_deleted_and_taken_back_go_on(
    window: Window, running: Server, work: Path
) -> None:
    go = [work / "moved" / name for name in ("second", "third")]
    waits = [WAIT.format(go=str(path)) for path in go]
    path = written(
        work, "moved", "print(1)", f"{waits[0]}print(2)", f"{waits[1]}print(3)", "print(4)"
    )
    running.ask("POST", "/jobs", {"path": path, "name": "study"})
    window.open(path)
    window.page.click(f"{BAR} >> text=Show outputs here")
    until(lambda: cells(window)[0][1] == "1\n", "the first cell's output")
    for cell, command in (
        (1, "delete-cell"),
        (None, "undo-cell-action"),
        (2, "move-cell-up"),
        (3, "change-cell-to-markdown"),
    ):
        window.page.evaluate(ON_CELL, [cell, f"notebook:{command}"])
    go[0].touch()
    until(lambda: cells(window)[2][1] == "2\n", "the output of the cell that was taken back")
    go[1].touch()
    until(lambda: cells(window)[1][1] == "3\n", "the output of the cell that was moved")
    window.page.locator(f"{BAR} >> text=done").wait_for()
    assert cells(window)[3] == ["print(4)", ""]
    assert [text for text in window.complaints if "debugger" not in text] == []


def test_a_cell_that_is_run_here_keeps_its_output(
    window: Window, running: Server, work: Path
) -> None:
    go = work / "own" / "go"
    # how many cells its kernel has run tells whose output it is
    sources = ("print('one')", WAIT.format(go=str(go)), "print(len(In) - 1)")
    path = written(work, "own", *sources, outputs="earlier\n")
    running.ask("POST", "/jobs", {"path": path, "name": "study"})
    window.open(path)
    window.kernel()
    window.page.click(f"{BAR} >> text=Show outputs here")
    until(lambda: cells(window)[0][1] == "one\n", "the first cell's output")
    window.page.evaluate(ON_CELL, [2, "notebook:run-cell"])
    until(lambda: cells(window)[2][1] == "1\n", "the output of the cell that is run here")
    go.touch()
    window.page.locator(f"{BAR} >> text=done").wait_for()
    window.page.evaluate(ON_CELL, [2, "notebook:move-cell-up"])
    assert [output for _, output in cells(window)] == ["one\n", "1\n", ""]
    window.page.click(f"{BAR} >> text=Restore earlier outputs")
    assert [output for _, output in cells(window)] == ["earlier\n", "1\n", "earlier\n"]


def test_a_cell_that_was_run_here_keeps_its_output_over_a_reload(
    window: Window, running: Server, work: Path
) -> None:
    go = work / "loaded" / "go"
    path = written(work, "loaded", WAIT.format(go=str(go)), "print(len(In) - 1)")
    running.ask("POST", "/jobs", {"path": path, "name": "study"})
    window.open(path)
    window.kernel()
    window.page.click(f"{BAR} >> text=Show outputs here")
    window.page.locator(".jp-Cell.jp-hybrid-mod-running").wait_for()
    window.page.evaluate(ON_CELL, [1, "notebook:run-cell"])
    until(lambda: cells(window)[1][1] == "1\n", "the output of the cell that is run here")
    window.page.evaluate(ON_CELL, [None, "docmanager:save"])
    shown = f"jupyter-hybrid-shown:{path}"
    job_and_cell = 2
    until(
        lambda: len(json.loads(saved_state(window).get(shown, "[]"))) == job_and_cell,
        "the workspace that is saved",
    )
    window.page.reload()
    window.restored()
    window.page.locator(".jp-Cell.jp-hybrid-mod-running").wait_for()
    go.touch()
    window.page.locator(f"{BAR} >> text=done").wait_for()
    until(lambda: shown not in saved_state(window), "the workspace that is saved")
    assert [output for _, output in cells(window)] == ["", "1\n"]


def test_a_notebook_that_is_renamed_keeps_its_jobs(
    window: Window, running: Server, work: Path
) -> None:
    go = work / "renamed" / "go"
    path = written(work, "renamed", "print(1)", f"{WAIT.format(go=str(go))}print(2)")
    job = running.ask("POST", "/jobs", {"path": path, "name": "study"})["id"]
    window.open(path)
    window.page.locator(f"{BAR} >> text=1/2").wait_for()
    window.page.evaluate(RENAME)
    window.page.locator(".lm-TabBar-tabLabel >> text=other.ipynb").wait_for()
    window.page.locator(f"{BAR} >> text=1/2").wait_for()
    window.command("jupyter-hybrid:show-outputs", id=job)
    until(lambda: cells(window)[0][1] == "1\n", "the first cell's output")
    # once that is written down, the page goes on where it was
    until(lambda: SHOWN in saved_state(window), "the workspace that is saved")
    window.page.on("dialog", lambda dialog: dialog.accept())
    window.page.reload()
    window.restored()
    # (what was open comes back a moment before it is in front)
    window.page.wait_for_function("window.jupyterapp.shell.currentWidget?.content?.model")
    until(lambda: cells(window)[0][1] == "1\n", "the first cell's output, once more")
    go.touch()
    until(lambda: cells(window)[1][1] == "2\n", "the second cell's output")
    window.page.locator(f"{BAR} >> text=done").wait_for()
    # who opens the notebook after the job's end finds what was saved in it
    until(lambda: SHOWN not in saved_state(window), "the workspace that is saved")
    # nobody knows any more which one it is
    window.page.evaluate("window.jupyterapp.shell.currentWidget.dispose()")
    window.command("jupyter-hybrid:show-outputs", id=job)
    window.page.locator(f".Toastify >> text=/^{path} cannot be opened/").wait_for()
    window.page.locator(".jp-hybrid-Page .jp-hybrid-State >> text=done").wait_for()


def test_a_remote_cell_has_a_header_that_survives(
    window: Window, running: Server, work: Path
) -> None:
    go = work / "remote" / "go"
    source = f"%%remote local\nprint('there', flush=True)\n{WAIT.format(go=str(go))}"
    path = written(work, "remote", "%load_ext jupyter_hybrid", source)
    window.open(path)
    window.kernel()
    window.command("notebook:run-all-cells")
    head = window.page.locator(HEAD)
    head.locator("text=running").wait_for()
    window.page.locator(".jp-OutputArea-output >> text=there").wait_for()
    assert window.findings(HEAD) == []
    window.picture("remote")
    window.theme("JupyterLab Dark")
    assert window.findings(HEAD) == []
    window.page.evaluate(RESTART)
    assert "running" in head.inner_text()
    # nothing of it was saved
    window.page.on("dialog", lambda dialog: dialog.accept())
    window.open(path)
    head.locator("text=running").wait_for()
    (job,) = running.ask("GET", f"/jobs?path={path}")["jobs"]
    assert job["cell"] is not None
    head.locator("role=button[name='Cancel the job']").click()
    window.page.click(".jp-Dialog >> text=Cancel the job")
    head.locator("text=cancelled").wait_for()
    head.locator("role=button[name='Open the job']").click()
    window.page.locator(".jp-hybrid-Page .jp-hybrid-State >> text=cancelled").wait_for()
    window.picture("remote-page")


def test_a_remote_cell_is_copied_whole(window: Window, running: Server, work: Path) -> None:
    line = "%%remote local --cpus 1 -i seed --name 'my cell'"
    below = "import random\nrandom.seed(seed)  # <b>\nprint('sown', seed)"
    path = written(work, "copied", "%load_ext jupyter_hybrid\nseed = 7", f"{line}\n{below}")
    window.open(path)
    window.kernel()
    window.command("notebook:run-all-cells")
    window.page.locator(".jp-OutputArea-output >> text=sown 7").wait_for()
    window.page.locator(HEAD).locator("text=done").wait_for()
    (job,) = running.ask("GET", f"/jobs?path={path}")["jobs"]
    window.command("jupyter-hybrid:show-jobs")
    row = window.page.locator(f"#jupyter-hybrid-job-{job['id']}")
    row.locator("role=button[name=/^More/]").click()
    window.page.hover(".lm-Menu >> text=Copy As")
    items = window.page.locator(".lm-Menu-item:not(.lm-mod-disabled)")
    items.locator("text=Copy as Magic").wait_for()
    # a cell has its kernel: no command line and no program can submit it
    assert items.locator("text=/Copy as (Command Line|Python)/").count() == 0
    window.picture("copy-cell")
    items.locator("text=Copy as Magic").click()
    window.page.locator(".Toastify >> text=/^Copied: %%remote/").wait_for()
    window.page.context.grant_permissions(["clipboard-read"])
    copied = window.page.evaluate("navigator.clipboard.readText()")
    assert copied == f"{line}\n{below}"


def test_outputs_that_cannot_be_shown_take_no_others_away(
    window: Window, running: Server, work: Path
) -> None:
    path = written(work, "two", "print('new')", outputs="earlier\n")
    jobs = [running.ask("POST", "/jobs", {"path": path})["id"] for _ in range(2)]
    until(lambda: all(running.job(job)["final"] for job in jobs), "the jobs' end")
    window.open(path)
    broken = {"message": "its place is away", "reason": "PlaceError"}
    its_notebook, itself = (re.compile(f"/jobs/{jobs[0]}{end}") for end in ("/notebook", r"(\?|$)"))
    held: list[Any] = []

    def hold(route: Any) -> None:
        held.append(route)

    window.page.route(its_notebook, hold)
    window.command("jupyter-hybrid:show-outputs", id=jobs[0])
    until(lambda: window.page.wait_for_timeout(50) or held, "the first job's notebook")
    window.command("jupyter-hybrid:show-outputs", id=jobs[1])
    until(lambda: cells(window)[0][1] == "new\n", "the second job's output")
    held[0].fulfill(status=502, json=broken)
    window.page.unroute(its_notebook)

    # what cannot even begin is told
    window.page.route(itself, lambda route: route.fulfill(status=502, json=broken))
    window.command("jupyter-hybrid:show-outputs", id=jobs[0])
    window.page.locator(".Toastify >> text=It was not done: its place is away").wait_for()
    assert window.page.locator(".Toastify >> text=cannot be shown").count() == 0
    window.page.click(f"{BAR} >> text=Restore earlier outputs")
    assert cells(window)[0][1] == "earlier\n"
