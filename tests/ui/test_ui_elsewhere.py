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


@pytest.mark.needs("module:jupyterlab_language_pack_ja_JP")
def test_what_the_server_says_is_japanese_too(study: Path, tmp_path: Path, browser: Any) -> None:
    failing = notebook("import os; os._exit(3)", name="python3", display_name="Python 3")
    (study / "fails.ipynb").write_text(json.dumps(failing))
    with lab(study, tmp_path / "home", settings=JAPANESE) as running:
        window = Window(browser.new_context(viewport={"width": 1280, "height": 900}), running)
        window.open("study.ipynb")
        window.command("jupyter-hybrid:submit")
        dialog = window.page.locator(".jp-hybrid-submit")
        dialog.get_by_label("コア数").fill("9000")
        dialog.locator("text=要求を減らしてください").first.wait_for()
        dialog.locator(".jp-hybrid-parameter:has(code:text-is('n')) input").fill("many")
        problems = dialog.locator(".jp-hybrid-problems")
        problems.locator("text=パラメーター 'n' は int (既定値 3) ですが").wait_for()
        window.picture("refused-japanese")
        window.page.keyboard.press("Escape")
        dialog.wait_for(state="detached")
        # and why a job failed, in the list, on its page, and where it is told
        job = running.ask("POST", "/jobs", {"path": "fails.ipynb"})["id"]
        why = "ノートブックの実行中にカーネルが停止しました: 終了コード 3。"
        window.page.locator(f".Toastify >> text={why}").wait_for()
        window.command("jupyter-hybrid:show-jobs")
        window.page.locator(f".jp-hybrid-Job[role=row] >> text={why}").wait_for()
        window.command("jupyter-hybrid:open-job", id=job)
        window.page.locator(f".jp-hybrid-Page .jp-hybrid-Head-now >> text={why}").wait_for()
        window.picture("failed-japanese")
        # the sentence lies in English where it was written
        assert running.job(job)["reason"].startswith("The kernel died while")
