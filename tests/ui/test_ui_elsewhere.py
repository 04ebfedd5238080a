"""The same extension in Japanese."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from browser import Window, lab
from commands import notebook

pytestmark = pytest.mark.needs("apt:chromium")

JAPANESE = {"@jupyterlab/translation-extension/plugin": {"locale": "ja_JP"}}


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A server's root with a notebook."""
    work = tmp_path / "work"
    work.mkdir()
    content = notebook("print(n)", parameters="n = 3", name="python3", display_name="Python 3")
    (work / "study.ipynb").write_text(json.dumps(content))
    return work


@pytest.mark.needs("module:jupyterlab_language_pack_ja_JP")
def test_japanese(study: Path, tmp_path: Path, browser: Any) -> None:
    with lab(study, tmp_path / "home", settings=JAPANESE) as running:
        window = Window(browser.new_context(), running)
        window.open("study.ipynb")
        window.page.click(".jp-NotebookPanel-toolbar >> text=別の場所で実行")
        dialog = window.page.locator(".jp-hybrid-submit")
        dialog.locator("text=パラメーター").wait_for()
        dialog.locator("text=ノートブックのみ").wait_for()
        window.picture("submit-japanese")
        assert dialog.locator("button.jp-mod-accept").inner_text() == "local で実行"
        window.page.keyboard.press("Escape")
        window.command("settingeditor:open", query="ジョブの通知")
        window.page.locator(".jp-PluginList >> text=ジョブの通知").click()
        window.page.locator(".jp-SettingsForm >> text=ブラウザーの通知でも知らせる").wait_for()
        window.picture("settings-japanese")
