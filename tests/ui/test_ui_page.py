"""A job's page: one for each job, by its name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from browser import Window
from commands import notebook, until
from servers import Server

pytestmark = pytest.mark.needs("apt:chromium")

PAGE = ".jp-hybrid-Page"
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
