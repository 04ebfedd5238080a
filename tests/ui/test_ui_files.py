"""What a job wrote, on its page: names that want to be more than names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from browser import Window
from commands import notebook, until
from servers import Server

pytestmark = pytest.mark.needs("apt:chromium")

#: Names of files, as they are on the disk, and as they are shown.
HOSTILE = {
    "<img src=x onerror=alert(1)>": "<img src=x onerror=alert(1)>",
    "a'b\"c&amp;%41#?.txt": "a'b\"c&amp;%41#?.txt",
    "evil\u202egnp.exe": "evil\ufffdgnp.exe",
    "two\nlines": "two lines",
    "x" * 200: "x" * 200,
    # 255 bytes, which is all that a name may have
    "長" * 85: "長" * 85,
    "🙂 日本語 \u200b": "🙂 日本語 \ufffd",
    # no text at all
    b"half \xff".decode("utf-8", "surrogateescape"): "half \ufffd",
}
#: Writes each of these, with a number in it.
WRITE = """import os
names = {names!r}
for number, name in enumerate(names):
    with open(os.fsencode(name), 'w') as file:
        file.write(f'content {{number}}')
"""


def files_page(window: Window, work: Path, running: Server) -> Any:
    """The tab *Files* of a job that wrote them."""
    source = WRITE.format(names=[*HOSTILE])
    content = notebook(source, name="python3", display_name="Python 3", language="python")
    (work / "files.ipynb").write_text(json.dumps(content))
    job = running.ask("POST", "/jobs", {"path": "files.ipynb", "name": "files"})["id"]
    until(lambda: running.job(job)["final"], "the job's end")
    assert running.job(job)["state"] == "COMPLETED", running.job(job)
    window.command("jupyter-hybrid:open-job", id=job)
    window.page.click("role=tab[name=Files]")
    table = window.page.locator(".jp-hybrid-Table").first
    table.wait_for()
    return table


def test_names_of_results_are_text_and_can_be_downloaded(
    window: Window, work: Path, running: Server
) -> None:
    window.page.on("dialog", lambda dialog: window.complaints.append(dialog.message))
    window.open()
    links = files_page(window, work, running).locator("a")
    until(lambda: links.count() == len(HOSTILE), "a line for each file")
    assert sorted(links.all_inner_texts()) == sorted(HOSTILE.values())
    for number, name in enumerate(HOSTILE.values()):
        with window.page.expect_download() as downloading:
            links.get_by_text(name, exact=True).click()
        assert Path(downloading.value.path()).read_text() == f"content {number}"
    assert window.page.locator("img[src=x]").count() == 0
    # a name that is longer than the page is wide does not widen it
    part = window.page.locator(".jp-hybrid-Text").first
    assert part.evaluate("node => node.scrollWidth <= node.clientWidth")
    window.picture("hostile-files")
    assert window.complaints == []
