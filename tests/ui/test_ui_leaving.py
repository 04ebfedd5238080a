"""Who goes on, or closes something, while the dialog is open or a job is sent."""

from __future__ import annotations

import re
from typing import Any

import pytest
from browser import Window
from commands import until
from servers import Server

pytestmark = pytest.mark.needs("apt:chromium")

DIALOG = ".jp-hybrid-submit"
SENDING = ".jp-hybrid-Jobs-sending li"
JOBS = re.compile(r"/jupyter-hybrid/api/jobs(\?|$)")
PREVIEW = re.compile("/jupyter-hybrid/api/preview")
FOCUSED = "document.activeElement.getAttribute('role')"
SOURCE = """() => [...window.jupyterapp.shell.currentWidget.content.model.cells][0]
  .sharedModel.getSource()"""


def held(window: Window) -> list[Any]:
    """Submits, which go no further than the browser until somebody lets them."""
    routes: list[Any] = []
    window.page.route(
        JOBS,
        lambda route: routes.append(route) if route.request.method == "POST" else route.continue_(),
    )
    return routes


def first(window: Window, submits: list[Any]) -> Any:
    """The first submit, once it is there; the browser tells of it while it is asked something."""
    return until(lambda: window.page.wait_for_timeout(20) or submits, "the submit")[0]


def opened(window: Window) -> Any:
    window.command("jupyter-hybrid:submit")
    dialog = window.page.locator(DIALOG)
    dialog.locator("tr.jp-mod-selected").wait_for()
    return dialog


def test_what_is_typed_while_a_job_is_recorded_is_the_cells(
    window: Window, running: Server, path: str
) -> None:
    running.ask("POST", "/jobs", {"path": path})
    window.open(path)
    page = window.page
    window.command("jupyter-hybrid:show-jobs")
    page.locator(".jp-hybrid-Job[role=row]").first.wait_for()
    # who looks at the jobs again has their keys, and filters nothing by typing
    page.click(".jp-Cell .cm-content")
    window.command("jupyter-hybrid:show-jobs")
    page.wait_for_function(f"{FOCUSED} === 'grid'")
    submits = held(window)
    dialog = opened(window)
    page.keyboard.press("Enter")
    dialog.wait_for(state="detached")
    page.locator(SENDING).wait_for()
    page.click(".jp-Cell .cm-content")
    page.keyboard.press("Control+End")
    page.keyboard.type("  # a")
    first(window, submits).continue_()
    page.locator(".jp-hybrid-Job[role=row][aria-selected=true]").wait_for()
    page.keyboard.type("b")
    assert window.page.evaluate(SOURCE) == "print(1)  # ab"
    assert len(running.jobs_of(path)) == 2


def test_a_job_that_escape_does_not_stop_is_told(
    window: Window, running: Server, path: str
) -> None:
    window.open(path)
    page, submits = window.page, held(window)
    doubt = {"problems": [{"field": "files", "message": "perhaps not"}], "preview": None}
    page.route(PREVIEW, lambda route: route.fulfill(json=doubt))
    dialog = opened(window)
    # the dialog stays until it is known whether that refuses it
    dialog.locator("text=perhaps not").wait_for()
    page.keyboard.press("Enter")
    dialog.locator("text=Sending").wait_for()
    submit = first(window, submits)
    page.keyboard.press("Escape")
    dialog.wait_for(state="detached")
    submit.continue_()
    told = page.locator(".Toastify__toast", has_text="was sent to local")
    told.wait_for()
    window.picture("told-late")
    (job,) = running.jobs_of(path)
    told.locator("role=button[name=Open]").click()
    page.locator(".jp-hybrid-Page .jp-hybrid-Head", has_text=job["name"]).wait_for()
    assert len(submits) == 1


def test_a_notebook_that_is_closed_meanwhile_is_sent_as_it_is_saved(
    window: Window, running: Server, path: str
) -> None:
    window.open(path)
    dialog = opened(window)
    window.page.evaluate("window.jupyterapp.shell.currentWidget.dispose()")
    window.page.keyboard.press("Enter")
    dialog.wait_for(state="detached")
    (job,) = until(lambda: running.jobs_of(path), "the job")
    until(lambda: running.job(job["id"])["final"], "the job's end")
    assert running.text(job["id"]) == "1\n"
