"""A notebook's directory, and what would travel from it."""

from __future__ import annotations

from pathlib import Path

import pytest
from captures import Make

from jupyter_hybrid.capture import CaptureRequest, Plan, plan_files


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory of notebooks, in a home of its own."""
    home = tmp_path / "home"
    directory = home / "project" / "lab"
    directory.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    return directory


@pytest.fixture
def plan(lab: Path) -> Make:
    def make(*code: str, files: tuple[str, ...] = (), **options: object) -> Plan:
        request = CaptureRequest(lab, code, files, **options)  # type: ignore[arg-type]
        return plan_files(request)

    return make
