"""The page of somebody whom the server does not know any more."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from browser import Window
from commands import PATIENCE, notebook

pytestmark = pytest.mark.needs("apt:chromium")

OURS = "**/jupyter-hybrid/api/**"
SENTENCE = "You are signed out of the Jupyter server."


def as_a_stranger(route: Any) -> None:
    """What the server answers to somebody without token and cookie."""
    request = urllib.request.Request(route.request.url, method=route.request.method)
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=PATIENCE)
    answer = refused.value
    route.fulfill(status=answer.code, body=answer.read(), content_type="application/json")


def test_who_is_signed_out_is_told_so(window: Window, work: Path) -> None:
    (work / "study.ipynb").write_text(json.dumps(notebook("print(1)", name="python3")))
    window.open("study.ipynb")
    window.command("jupyter-hybrid:show-jobs")
    panel = window.page.locator(".jp-hybrid-Jobs")
    panel.wait_for()
    window.page.route(OURS, as_a_stranger)
    window.command("jupyter-hybrid:submit")
    window.page.locator(f".jp-hybrid-submit >> text={SENTENCE}").first.wait_for()
    window.picture("signed-out")
    window.page.keyboard.press("Escape")
    away = panel.locator(f".jp-hybrid-Away >> text={SENTENCE}")
    away.wait_for()
    window.page.unroute(OURS)
    window.page.evaluate("window.dispatchEvent(new Event('online'))")
    away.wait_for(state="detached")
