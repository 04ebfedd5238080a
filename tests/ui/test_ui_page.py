"""A job's page: one for each job, by its name, and whole again once the server is back."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from browser import Window
from commands import notebook, until
from servers import Server

pytestmark = pytest.mark.needs("apt:chromium")

PAGE = ".jp-hybrid-Page"
DOT = """<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><circle r="9"/></svg>"""
#: Opens it twice before its parts are loaded.
TWICE = """id => Promise.all([1, 2].map(
  () => window.jupyterapp.commands.execute('jupyter-hybrid:open-job', {id})
)).then(() => null)"""
NAMED = "name => window.jupyterapp.shell.currentWidget.title.label === name"


@pytest.fixture
def job(running: Server, work: Path, request: pytest.FixtureRequest) -> str:
    """A job that has ended, of which the page has not heard."""
    folder = work / request.node.name
    folder.mkdir()
    content = notebook("print('made')", name="python3", display_name="Python 3")
    (folder / "study.ipynb").write_text(json.dumps(content))
    body = {"path": f"{folder.name}/study.ipynb", "name": "by its name"}
    made = str(running.ask("POST", "/jobs", body)["id"])
    until(lambda: running.job(made)["final"], "the job's end")
    return made


def test_a_job_has_one_page_by_its_name(window: Window, job: str) -> None:
    window.open()
    window.page.evaluate(TWICE, job)
    window.page.locator(f"{PAGE} .jp-OutputArea >> text=made").wait_for()
    assert window.page.locator(PAGE).count() == 1
    window.page.wait_for_function(NAMED, arg="by its name")
    # a link to one that was deleted long ago
    window.command("jupyter-hybrid:open-job", id="0" * 26)
    window.page.locator(f"{PAGE} >> text=There is no such job here").wait_for()
    assert window.page.locator(f"{PAGE} >> text=Loading…").count() == 0


def test_what_a_jobs_notebook_names_is_found(window: Window, running: Server, work: Path) -> None:
    folder = work / "named" / "figures of mine"
    folder.mkdir(parents=True)
    (folder / "dot.svg").write_text(DOT)
    (work / "named" / "notes.txt").write_text("read me")
    text = "![dot](figures%20of%20mine/dot.svg) [notes](notes.txt) [far](https://jupyter.org/)"
    content = notebook("print('made')", name="python3", display_name="Python 3")
    content["cells"].insert(
        0, {"cell_type": "markdown", "id": "text", "metadata": {}, "source": text}
    )
    (work / "named" / "study.ipynb").write_text(json.dumps(content))
    job = running.ask("POST", "/jobs", {"path": "named/study.ipynb"})["id"]
    window.open()
    window.command("jupyter-hybrid:open-job", id=job)
    shown = window.page.locator(f"{PAGE} .jp-RenderedMarkdown")
    shown.locator("img").wait_for()
    window.page.wait_for_function(
        "document.querySelector('.jp-RenderedMarkdown img').naturalWidth > 0"
    )
    assert shown.locator("text=far").get_attribute("target") == "_blank"
    shown.locator("text=notes").click()
    window.page.locator(".lm-TabBar-tabLabel >> text=notes.txt").wait_for()
    window.page.locator(".cm-content >> text=read me").wait_for()


def test_what_could_not_be_read_is_told_and_read_when_the_server_is_back(
    window: Window, job: str
) -> None:
    away = re.compile("/jupyter-hybrid/api/jobs")
    window.page.route(away, lambda route: route.abort())
    window.open()
    window.command("jupyter-hybrid:open-job", id=job)
    said = "text=The Jupyter server does not answer."
    page = window.page.locator(PAGE)
    page.locator(f".jp-hybrid-Head >> {said}").wait_for()
    for name in ("Notebook", "Files", "Details"):
        window.page.click(f"role=tab[name={name}]")
        page.locator(f"[role=tabpanel]:not(.lm-mod-hidden) >> {said}").first.wait_for()
    assert page.locator("text=Loading…").count() == 0
    window.picture("page-away")
    window.page.unroute(away)
    # as a browser says; else it may take another minute until somebody asks
    window.page.evaluate("window.dispatchEvent(new Event('online'))")
    page.get_by_text(job, exact=True).wait_for()
    window.page.wait_for_function(NAMED, arg="by its name")
    window.page.click("role=tab[name=Files]")
    page.locator("text=The job wrote no files.").wait_for()
    page.locator("text=Only the notebook.").wait_for()
    window.page.click("role=tab[name=Notebook]")
    page.locator(".jp-OutputArea >> text=made").wait_for()
    assert page.locator(f"{said} >> visible=true").count() == 0


def test_what_is_pressed_once_or_twice_is_done_once(
    window: Window, running: Server, job: str
) -> None:
    window.open()
    window.command("jupyter-hybrid:open-job", id=job)
    button = ".jp-hybrid-Page-toolbar [data-command='jupyter-hybrid:%s']:not([disabled])"
    rerun, remove = (window.page.locator(button % name) for name in ("rerun", "delete"))

    def made() -> int:
        jobs = running.ask("GET", f"/jobs?path={running.job(job)['path']}")["jobs"]
        return len(jobs) if all(one["final"] for one in jobs) else 0

    assert made() == 1
    rerun.focus()
    window.page.keyboard.press("Enter")
    until(lambda: made() > 1, "a rerun by a key")
    assert made() == 2
    rerun.dblclick()
    until(lambda: made() > 2, "a rerun by a double click")
    assert made() == 3
    remove.focus()
    window.page.keyboard.press("Enter")
    dialog = window.page.locator(".jp-Dialog")
    dialog.wait_for()
    assert dialog.count() == 1
    # a key that is held down deletes nothing
    window.page.keyboard.press("Enter")
    dialog.wait_for(state="detached")
    assert made() == 3
