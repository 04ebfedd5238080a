"""A home for the command line, and kernels with the extension, for tests that do their worst."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest
from commands import Home
from live_kernel import Live, live_kernel


class Kernels(Protocol):
    """Starts kernels that share one workspace and one jupyter-hybrid directory."""

    def __call__(self, **environ: str) -> Live: ...


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path)
    yield home
    home.clean()


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    directory = tmp_path / "workspace"
    directory.mkdir()
    return directory


@pytest.fixture
def start_kernel(workspace: Path, environment: Path) -> Iterator[Kernels]:
    with ExitStack() as stack:
        yield lambda **environ: stack.enter_context(
            live_kernel(workspace, **{"JUPYTER_HYBRID_DIR": str(environment), **environ})
        )
