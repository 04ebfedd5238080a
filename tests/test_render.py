"""Results are rendered, partial and failed ones too; what cannot be is refused in a sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jupyter_hybrid.errors import ResultError, UsageError
from jupyter_hybrid.render import check_format, render

#: A pixel, in two parts so that the line is short.
PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"
    "+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def cell(source: str | list[str], *outputs: dict[str, Any], cell_id: str = "a") -> dict[str, Any]:
    return {
        "cell_type": "code",
        "id": cell_id,
        "metadata": {},
        "source": source,
        "outputs": list(outputs),
        "execution_count": 1,
    }


@pytest.fixture
def result(tmp_path: Path) -> Path:
    """A job's result that failed half-way."""
    figure = {"output_type": "display_data", "metadata": {}, "data": {"image/png": PNG}}
    error = {"output_type": "error", "ename": "ValueError", "evalue": "bad", "traceback": ["bad"]}
    stream = {"output_type": "stream", "name": "stdout", "text": ["printed\n"]}
    content = {
        "cells": [
            cell(["compute(1)\n", "more()"], stream, figure),
            cell("fail()", error, cell_id="b"),
            {**cell("never()", cell_id="c"), "execution_count": None},
        ],
        "metadata": {"jupyter_hybrid": {"state": "FAILED"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    path = tmp_path / "my result.1234.ipynb"
    path.write_text(json.dumps(content))
    return path


def test_html_shows_outputs_and_the_error(result: Path) -> None:
    page = render(result, "html")
    assert page == result.with_suffix(".html")
    text = page.read_text()
    for part in ("printed", "bad", "compute", PNG[:20]):
        assert part in text


def test_no_input_leaves_the_code_out(result: Path) -> None:
    text = render(result, "html", no_input=True).read_text()
    assert "printed" in text
    assert "never" not in text


def test_markdown_has_its_images_beside_it(result: Path) -> None:
    page = render(result, "md")
    (image,) = (result.parent / "my result.1234_files").iterdir()
    assert image.read_bytes().startswith(b"\x89PNG")
    assert image.name in page.read_text().replace("%20", " ")


def test_a_notebook_without_language_is_a_python_script(result: Path) -> None:
    script = render(result, "script")
    assert script.suffix == ".py"
    assert "compute(1)" in script.read_text()


def test_what_is_there_is_kept(result: Path) -> None:
    mine = result.with_suffix(".py")
    mine.write_text("my own work\n")
    other = render(result, "script")
    assert mine.read_text() == "my own work\n"
    assert other.name == "my result.1234-2.py" and "compute(1)" in other.read_text()
    assert render(result, "script") == other
    pictures = result.parent / "my result.1234_files"
    pictures.mkdir()
    (pictures / "my result.1234_0_1.png").write_text("my own picture")
    page = render(result, "markdown")
    assert page.name == "my result.1234-2.md" and "my%20result.1234-2_files" in page.read_text()
    assert (pictures / "my result.1234_0_1.png").read_text() == "my own picture"


def test_what_is_there_is_kept_and_the_jobs_has_its_id(result: Path) -> None:
    content = json.loads(result.read_text())
    content["metadata"]["jupyter_hybrid"]["job"] = "01m89h1mj4f64qrk90vn3tt33r"
    result.write_text(json.dumps(content))
    result.with_suffix(".py").write_text("my own work\n")
    other = render(result, "script")
    assert other.name == "my result.1234.vn3tt33r.py"
    assert render(result, "script") == other
    other.write_text("my own work on it\n")
    assert render(result, "script").name == "my result.1234.vn3tt33r-2.py"
    assert other.read_text() == "my own work on it\n"
    named = result.rename(result.with_name("n.vn3tt33r.ipynb"))
    page = named.with_suffix(".html")
    assert [render(named, "html"), render(named, "html")] == [page, page]
    without = render(named, "html", no_input=True)
    assert without.name == "n.vn3tt33r-2.html" and "compute" in page.read_text()


def test_json_to_a_named_file(result: Path, tmp_path: Path) -> None:
    content = json.loads(result.read_text())
    target = tmp_path / "page.html"
    assert render(content, "html", target) == target
    with pytest.raises(UsageError, match="name the file"):
        render(content, "html")


def test_unknown_formats_are_refused_naming_those_there_are() -> None:
    with pytest.raises(UsageError, match=r"no format 'docx'; it has: .*html.*pdf"):
        check_format("docx")


def test_a_missing_program_is_named_with_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match=r"pdf needs the program pandoc.*apt-get install pandoc"):
        check_format("pdf")


def test_what_cannot_be_rendered_is_a_sentence(result: Path, tmp_path: Path) -> None:
    with pytest.raises(ResultError, match="cannot be read as a notebook"):
        render(tmp_path / "gone.ipynb", "html")
    result.write_text('{"cells": [{}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}')
    with pytest.raises(ResultError, match="cannot be rendered to html"):
        render(result, "html")


def test_a_place_that_cannot_be_written(result: Path) -> None:
    with pytest.raises(ResultError, match="cannot be written"):
        render(result, "html", Path("/proc/page.html"))
