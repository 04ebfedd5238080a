"""Notebooks in every state are read, or refused by name."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from jupyter_hybrid.errors import NotebookError
from jupyter_hybrid.notebooks import parse_notebook, read_notebook


def document(*sources: str | list[str], **changes: Any) -> dict[str, Any]:
    cells = [
        {"cell_type": "code", "source": s, "metadata": {}, "outputs": [], "execution_count": 3}
        for s in sources
    ]
    return {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4, **changes}


def write(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_ids_are_added_and_are_the_same_every_time(tmp_path: Path) -> None:
    path = write(tmp_path / "a.ipynb", document("x = 1", "x = 1", "y"))
    first, second = read_notebook(path), read_notebook(path)
    ids = [cell["id"] for cell in first.cells()]
    assert len(set(ids)) == 3
    assert first == second
    assert first.content["nbformat_minor"] == 5


def test_valid_ids_stay_and_bad_or_double_ones_are_replaced(tmp_path: Path) -> None:
    content = document("a", "b", "c", "d")
    for cell, cell_id in zip(content["cells"], ["keep", "keep", "not valid!", 7], strict=True):
        cell["id"] = cell_id
    ids = [cell["id"] for cell in read_notebook(write(tmp_path / "a.ipynb", content)).cells()]
    assert ids[0] == "keep"
    assert len(set(ids)) == 4
    assert all(isinstance(i, str) and " " not in i for i in ids)


def test_what_is_read_is_valid_to_nbformat(tmp_path: Path) -> None:
    import nbformat

    content = document("x", ["a\n", "b"])
    content["cells"].append({"cell_type": "markdown", "source": ["# A\n", "text"], "metadata": {}})
    content["cells"].append({"cell_type": "raw", "source": "raw"})
    notebook = read_notebook(write(tmp_path / "a.ipynb", content))
    nbformat.validate(notebook.content)
    assert notebook.sources() == ("x", "a\nb")


def test_outputs_and_widget_state_stay_behind(tmp_path: Path) -> None:
    content = document("x", metadata={"widgets": {"state": "x" * 1000}, "kept": 1})
    content["cells"][0]["outputs"] = [
        {"output_type": "stream", "name": "stdout", "text": "x" * 100_000_000}
    ]
    notebook = read_notebook(write(tmp_path / "a.ipynb", content))
    assert len(json.dumps(notebook.content)) < 1000
    assert notebook.content["cells"][0]["execution_count"] is None
    assert notebook.content["metadata"] == {"kept": 1}


def test_five_thousand_cells(tmp_path: Path) -> None:
    path = write(tmp_path / "a.ipynb", document(*(f"x = {i}" for i in range(5000))))
    assert len(list(read_notebook(path).cells())) == 5000


def test_attachments_of_text_cells_stay(tmp_path: Path) -> None:
    cell = {"cell_type": "markdown", "source": "", "attachments": {"a.png": {"image/png": "AA"}}}
    path = write(tmp_path / "a.ipynb", document(cells=[cell]))
    assert read_notebook(path).content["cells"][0]["attachments"] == cell["attachments"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_byte_order_marks(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "a.ipynb"
    path.write_bytes(json.dumps(document("é = 'ü'"), ensure_ascii=False).encode(encoding))
    assert read_notebook(path).sources() == ("é = 'ü'",)


def test_version_3_is_upgraded_the_same_way_twice(tmp_path: Path) -> None:
    cell = {
        "cell_type": "code",
        "input": ["print(1)"],
        "language": "python",
        "outputs": [],
        "metadata": {},
        "collapsed": False,
    }
    content = {
        "metadata": {"name": ""},
        "nbformat": 3,
        "nbformat_minor": 0,
        "worksheets": [{"cells": [cell], "metadata": {}}],
    }
    path = write(tmp_path / "old.ipynb", content)
    assert read_notebook(path).sources() == ("print(1)",)
    assert read_notebook(path) == read_notebook(path)


def test_broken_version_3_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "old.ipynb", {"nbformat": 3, "worksheets": 5})
    with pytest.raises(NotebookError, match="old nbformat 3 and cannot be upgraded"):
        read_notebook(path)


def test_kernel_and_language(tmp_path: Path) -> None:
    def read(metadata: dict[str, Any]) -> tuple[str | None, str]:
        notebook = read_notebook(write(tmp_path / "a.ipynb", document(metadata=metadata)))
        return notebook.kernel, notebook.language

    assert read({}) == (None, "python")
    assert read({"kernelspec": None, "language_info": []}) == (None, "python")
    assert read({"kernelspec": {"name": "ir", "language": "R"}}) == ("ir", "R")
    assert read({"language_info": {"name": "bash"}}) == (None, "bash")
    assert read({"language_info": {"name": "ipython"}}) == (None, "python")


def test_empty_notebook_is_a_notebook(tmp_path: Path) -> None:
    assert list(read_notebook(write(tmp_path / "a.ipynb", document())).cells()) == []


def loop(directory: Path) -> Path:
    path = directory / "loop.ipynb"
    path.symlink_to(path)
    return path


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"print('a script')", r"is not JSON \(line 1, column 1"),
        (b'{"cells": [', "is not JSON"),
        (b"\xff\xfe\xfa", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b'{\n<<<<<<< HEAD\n"a": 1\n', "conflict markers in line 2"),
        (b"[1, 2]", "is JSON, but not a notebook"),
        (b'{"a": 1}', "is JSON, but not a notebook"),
        (b'{"nbformat": "4"}', "is JSON, but not a notebook"),
        (b'{"nbformat": 5, "cells": []}', "newer than this jupyter-hybrid knows"),
        (b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}}', "no list of cells"),
        (b'{"nbformat": 4, "cells": [{"cell_type": "cod", "source": ""}]}', "unknown type 'cod'"),
        (b'{"nbformat": 4, "cells": [7]}', "unknown type None"),
        (b'{"nbformat": 4, "cells": [{"cell_type": "code", "source": 7}]}', "source of cell 1"),
    ],
)
def test_what_is_no_notebook_is_refused_by_name(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "bad.ipynb"
    path.write_bytes(data)
    with pytest.raises(NotebookError, match=message) as caught:
        read_notebook(path)
    assert "bad.ipynb" in str(caught.value)


def test_paths_without_a_notebook(tmp_path: Path) -> None:
    write(tmp_path / "train.ipynb", document())
    cases = {
        tmp_path / "trian.ipynb": "did you mean .*train.ipynb",
        tmp_path / "nowhere" / "a.ipynb": "there is no directory",
        tmp_path: "is a directory.*for example .*ipynb",
        loop(tmp_path): "cannot be read",
        tmp_path / ("n" * 300): "cannot be read: File name too long",
    }
    for path, message in cases.items():
        with pytest.raises(NotebookError, match=message):
            read_notebook(path)


def test_unreadable(tmp_path: Path) -> None:
    path = write(tmp_path / "a.ipynb", document())
    path.chmod(0)
    user = os.geteuid()
    if user == 0:
        # root reads everything
        os.seteuid(65534)
    try:
        with pytest.raises(NotebookError, match="Permission denied"):
            read_notebook(path)
    finally:
        os.seteuid(user)


def test_lone_surrogates_do_no_harm() -> None:
    data = json.dumps(document("x = '\ud800'")).encode()
    assert parse_notebook(data, None).sources() == ("x = '\ud800'",)
