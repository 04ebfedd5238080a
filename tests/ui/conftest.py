"""One JupyterLab and one browser for all tests of a file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import Window, chromium, lab
from commands import notebook
from servers import Server


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The server's root."""
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """The user's; jupyter-hybrid is configured by the file's ``CONFIG``, where it has one."""
    home = tmp_path_factory.mktemp("home")
    config = getattr(request.module, "CONFIG", None)
    if config is not None:
        (home / "config").mkdir()
        (home / "config" / "jupyter_hybrid_config.py").write_text(config)
    return home


@pytest.fixture(scope="module")
def running(work: Path, home: Path) -> Iterator[Server]:
    with lab(work, home) as started:
        yield started


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as started:
        yield started


@pytest.fixture
def window(browser: Any, running: Server, request: pytest.FixtureRequest) -> Iterator[Window]:
    """A fresh profile. What is to be seen at the end of a test is kept as a picture."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    try:
        shown = Window(context, running)
        yield shown
        shown.picture(f"end-{request.node.name}")
    finally:
        context.close()


@pytest.fixture
def path(work: Path, request: pytest.FixtureRequest) -> str:
    """A notebook of one cell, of the test's own."""
    content = notebook("print(1)", name="python3", display_name="Python 3")
    (work / f"{request.node.name}.ipynb").write_text(json.dumps(content))
    return f"{request.node.name}.ipynb"
