"""What JupyterLab loads of us when it starts, and what comes when somebody looks."""

from __future__ import annotations

import pytest
from browser import Window

pytestmark = pytest.mark.needs("apt:chromium")

PANEL = ".jp-hybrid-Jobs"


def scripts(window: Window) -> list[str]:
    """Our scripts that the page asks for from now on."""
    asked: list[str] = []

    def note(request: object) -> None:
        url = str(getattr(request, "url", ""))
        if "/extensions/jupyter-hybrid/" in url:
            asked.append(url)

    window.page.on("request", note)
    return asked


def test_a_start_loads_no_more_than_it_takes_to_be_there(window: Window) -> None:
    asked = scripts(window)
    window.open()
    # the entry, and the plugins (on a full machine JupyterLab loads the page twice)
    assert len(set(asked)) == 2, asked
    tab = window.page.locator("[data-id='jupyter-hybrid-jobs']")
    assert tab.get_attribute("title") == "Jobs"
    assert window.page.locator(f"{PANEL} *").count() == 0
    tab.click()
    window.page.locator(f"{PANEL} >> text=No jobs yet").wait_for()
    assert len(set(asked)) > 2
    assert window.complaints == []


def test_a_panel_that_cannot_be_loaded_says_so_and_comes_when_it_can(window: Window) -> None:
    window.open()
    window.page.context.set_offline(True)
    window.command("jupyter-hybrid:show-jobs")
    window.page.locator(f"{PANEL} >> text=The server does not answer").wait_for()
    window.page.context.set_offline(False)
    # (it looks by itself a second or two later)
    window.page.locator(f"{PANEL} >> text=No jobs yet").wait_for()


def test_a_dialog_that_cannot_be_loaded_says_so_and_comes_when_it_can(window: Window) -> None:
    window.open()
    window.page.context.set_offline(True)
    window.command("jupyter-hybrid:submit", path="study.ipynb")
    window.page.locator(".jp-Dialog >> text=The Jupyter server does not answer.").wait_for()
    window.page.click(".jp-Dialog button >> text=Close")
    assert [text for text in window.complaints if "Uncaught" in text or "Loading" in text] == []
    window.page.context.set_offline(False)
    window.command("jupyter-hybrid:submit", path="study.ipynb")
    window.page.locator(".jp-hybrid-submit tr.jp-mod-selected").wait_for()
