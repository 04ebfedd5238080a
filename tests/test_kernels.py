"""The kernel that runs a notebook is chosen before anything is sent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jupyter_hybrid.errors import NotebookError
from jupyter_hybrid.kernels import choose_kernel, installed_kernels
from jupyter_hybrid.notebooks import Notebook, from_content


@pytest.fixture(autouse=True)
def kernels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, data in {
        "Shell": json.dumps({"argv": ["sh"], "display_name": "Shell", "language": "bash"}),
        "broken": "{",
        "list": "[]",
    }.items():
        directory = tmp_path / "kernels" / name
        directory.mkdir(parents=True)
        (directory / "kernel.json").write_text(data)
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))


def notebook(**kernelspec: Any) -> Notebook:
    return from_content({"cells": [], "metadata": {"kernelspec": kernelspec}})


def test_installed_kernels_are_those_jupyter_finds() -> None:
    from jupyter_client.kernelspec import KernelSpecManager

    found = installed_kernels()
    assert {"shell", "python3"} <= set(found)
    assert found["shell"].language == "bash"
    assert set(KernelSpecManager().find_kernel_specs()) - {"broken", "list"} == set(found)


@pytest.mark.parametrize(
    ("kernelspec", "override", "expected"),
    [
        ({}, None, (None, "python")),
        ({"name": "python3", "language": "python"}, None, ("python3", "python")),
        ({"name": "conda-env-x", "language": "python"}, None, (None, "python")),
        ({"name": "SHELL", "language": "bash"}, None, ("shell", "bash")),
        ({"name": "", "language": "bash"}, None, ("shell", "bash")),
        ({"name": "ir", "language": "R"}, "shell", ("shell", "bash")),
    ],
)
def test_choice(
    kernelspec: dict[str, str], override: str | None, expected: tuple[str | None, str]
) -> None:
    kernel, language, _ = choose_kernel(notebook(**kernelspec), override)
    if kernelspec.get("language") == "bash" and kernel != "shell":
        assert "bash" in str(kernel)  # a real bash kernel is installed beside ours
    else:
        assert (kernel, language) == expected


def test_this_python_needs_no_kernelspec() -> None:
    """Also where it is asked for by the name that it usually has."""
    study = notebook(name="python3", language="python")
    assert choose_kernel(study, "python3", {}) == ("python3", "python", "")


def test_fallback_says_so() -> None:
    _, _, note = choose_kernel(notebook(name="conda-env-x", language="python"), None)
    assert "'conda-env-x' is not installed here" in note


@pytest.mark.parametrize("override", [None, "ir"])
def test_kernels_that_are_missing_are_refused_naming_those_there(override: str | None) -> None:
    with pytest.raises(NotebookError, match=r"'ir'.* installed.*python3.*shell.*--kernel"):
        choose_kernel(notebook(name="ir", language="R"), override)


def test_other_languages_never_run_in_python() -> None:
    with pytest.raises(NotebookError, match="asks for julia"):
        choose_kernel(notebook(language="julia"), None)
