"""The same extension in Notebook 7, which shows one document in each tab of the browser."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from browser import Window, lab
from commands import notebook, until
from servers import Server

pytestmark = pytest.mark.needs("apt:chromium")

DIALOG = ".jp-hybrid-submit"
PANEL = ".jp-hybrid-Jobs"
PAGE = ".jp-hybrid-Page"
BAR = ".jp-hybrid-NotebookBar"
HEAD = ".jp-hybrid-CellHead-line"
WAIT = "import pathlib, time\nwhile not pathlib.Path({go!r}).exists(): time.sleep(0.05)\n"
#: Plugins of ours that are not active.
IDLE = """[...window.jupyterapp.listPlugins()].filter(
  id => id.startsWith('jupyter-hybrid:') && !window.jupyterapp.isPluginActivated(id)
)"""


@pytest.fixture(scope="module")
def running(work: Path, home: Path) -> Iterator[Server]:
    with lab(work, home, "notebook") as started:
        yield started


def written(work: Path, path: str, *sources: str, parameters: str | None = None) -> str:
    file = work / path
    file.parent.mkdir(exist_ok=True)
    content = notebook(
        *sources, parameters=parameters, name="python3", display_name="Python 3", language="python"
    )
    file.write_text(json.dumps(content))
    return path


@contextmanager
def tab(window: Window, opened: list[Window]) -> Iterator[None]:
    """Wait for the tab that what is done opens; it is the last of ``opened`` then."""
    context = window.page.context
    with context.expect_page() as made:
        yield
    opened.append(Window(context, window.running, made.value))
    opened[-1].restored()


def submitted(window: Window) -> str:
    """Submit by the keyboard what the dialog shows; the job's id."""
    dialog = window.page.locator(DIALOG)
    dialog.locator("tr.jp-mod-selected").wait_for()
    window.page.wait_for_function(
        f"document.querySelector('{DIALOG}').contains(document.activeElement)"
    )
    known = {job["id"] for job in window.running.ask("GET", "/jobs")["jobs"]}
    window.page.keyboard.press("Enter")
    dialog.wait_for(state="detached")

    def made() -> list[str]:
        return [j["id"] for j in window.running.ask("GET", "/jobs")["jobs"] if j["id"] not in known]

    (job,) = until(made, "the job")
    return str(job)


def ours(*windows: Window) -> list[str]:
    """What the browser complains of that is ours; Notebook has an error of its own."""
    return [text for window in windows for text in window.complaints if "jupyter-hybrid" in text]


def outputs(window: Window, *texts: str) -> None:
    """Wait until cells show these."""
    for text in texts:
        window.page.locator(".jp-OutputArea-output", has_text=text).wait_for()


def job_opened(window: Window, job: str, tabs: list[Window]) -> None:
    """Open the page of a job in a tab of its own: one, however often it is asked for."""
    with tab(window, tabs):
        window.page.click(f"#jupyter-hybrid-job-{job}")
    (shown,) = tabs
    outputs(shown, "n is 3")
    shown.page.locator(f"{PAGE} .cm-content span", has_text="n is").wait_for()
    shown.page.wait_for_function("document.title === 'study'")
    with shown.page.expect_event("load"):
        window.page.click(f"{BAR} >> text=Open job")
    outputs(shown, "n is 3")
    shown.picture("notebook-7-page")
    assert len(window.page.context.pages) == 2


def notebook_opened(shown: Window, tabs: list[Window]) -> None:
    """Open the notebook of a job's page: it shows the job's outputs, also after a reload."""
    with tab(shown, tabs):
        shown.page.click("text=Show Outputs in the Notebook")
    opened = tabs[-1]
    for _ in range(2):
        opened.page.locator(f"{BAR} >> text=Restore earlier outputs").wait_for()
        outputs(opened, "n is 3")
        opened.page.reload()
        opened.restored()
    opened.page.close()


def test_from_a_notebook_to_its_job_and_back(window: Window, running: Server, work: Path) -> None:
    go = work / "go"
    first = f"print('n is', n)\n{WAIT.format(go=str(go))}"
    path = written(work, "of mine/study.ipynb", first, "print('two')", parameters="n = 3")
    tabs: list[Window] = []
    window.open(path, view="notebooks")
    assert window.page.evaluate(IDLE) == []
    window.page.locator(".jp-Cell .cm-content").first.click()
    window.page.keyboard.press("Control+Alt+Enter")
    window.page.locator(DIALOG).locator("tr.jp-mod-selected").wait_for()
    window.picture("notebook-7-submit")
    job_opened(window, submitted(window), tabs)
    notebook_opened(tabs[0], tabs)
    window.page.click(f"{BAR} >> text=Show outputs here")
    outputs(window, "n is 3")
    go.touch()
    outputs(window, "two")
    window.picture("notebook-7-outputs")

    page = tabs[0].page
    page.locator(f"{PAGE} .jp-hybrid-State >> text=done").wait_for()
    page.click("text=Fetch Results")
    with tab(tabs[0], tabs):
        page.click(".Toastify button >> text=Open notebook")
    outputs(tabs[-1], "n is 3", "two")
    # who closes a page and loads anew has it closed
    page.click(".jp-TreePanel .lm-TabBar-tabCloseIcon >> visible=true")
    page.locator(PAGE).wait_for(state="detached")
    assert "job" not in page.url
    assert ours(window, *tabs) == []


def test_from_the_files_to_a_failure_and_what_follows(
    window: Window, running: Server, work: Path
) -> None:
    written(work, "bad.ipynb", "1/0")
    page = window.page
    window.open(view="tree")
    page.click(".lm-MenuBar-itemLabel >> text=View")
    page.click(".lm-Menu-itemLabel >> text='Show Jobs'")
    page.locator(PANEL).wait_for()
    page.click(".jp-DirListing-item >> text=bad.ipynb", button="right")
    page.click(".lm-Menu-itemLabel >> text=Run Elsewhere")
    job = submitted(window)
    page.locator(".Toastify >> text=bad failed: ZeroDivisionError: division by zero").wait_for()
    page.click(".Toastify button >> text=Open")
    page.locator(f"{PAGE} .jp-OutputArea >> text=ZeroDivisionError").first.wait_for()
    window.picture("notebook-7-tree")
    assert window.findings(PANEL) == window.findings(".jp-hybrid-Head") == []

    # its page stands beside the files, once
    page.click(f"#jupyter-hybrid-job-{job}")
    assert page.locator(PAGE).count() == 1
    page.click("text=Run Again with Changes…")
    again = submitted(window)
    page.locator(f"#jupyter-hybrid-job-{again}[data-state=FAILED]").click(button="right")
    page.click(".lm-Menu-itemLabel >> text=Delete…")
    page.click(".jp-Dialog button >> text=Delete")
    page.locator(f"#jupyter-hybrid-job-{again}").wait_for(state="detached")
    assert ours(window) == []


def test_of_two_tabs_with_a_remote_cell_one_is_closed(
    window: Window, running: Server, work: Path
) -> None:
    source = f"%%remote local\nprint('there')\n{WAIT.format(go=str(work / 'never'))}"
    path = written(work, "remote.ipynb", "%load_ext jupyter_hybrid", source)
    first = Window(window.page.context, running)
    first.open(path, view="notebooks")
    first.kernel()
    first.command("notebook:run-all-cells")
    first.page.locator(f"{HEAD} >> text=running").wait_for()
    window.open(path, view="notebooks")
    head = window.page.locator(HEAD)
    head.locator("text=running").wait_for()
    first.page.close()
    tabs: list[Window] = []
    with tab(window, tabs):
        head.locator("role=button[name='Open the job']").click()
    outputs(tabs[0], "there")
    head.locator("role=button[name='Cancel the job']").click()
    window.page.click(".jp-Dialog >> text=Cancel the job")
    for shown in (head, tabs[0].page.locator(f"{PAGE} .jp-hybrid-State")):
        shown.locator("text=cancelled").or_(shown.filter(has_text="cancelled")).first.wait_for()
    window.page.keyboard.press("Control+Shift+C")
    window.page.locator(".lm-CommandPalette-input").fill("run elsewhere")
    window.page.locator(".lm-CommandPalette-item.lm-mod-active", has_text="Run Elsewhere").click()
    window.page.locator(DIALOG).locator("tr.jp-mod-selected").wait_for()
    window.page.keyboard.press("Escape")
    # a browser may refuse it, as for who has not clicked
    window.page.evaluate("window.open = () => null")
    head.locator("role=button[name='Open the job']").click()
    window.page.locator(".Toastify >> text=The browser does not let another tab be").wait_for()
    assert ours(first, window, *tabs) == []
