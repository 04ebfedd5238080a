"""What papermill's own tests expect of its own notebooks holds through ``jupyter hybrid run``.

Notebooks and expectations are those of ``test_execute.py`` and ``test_parameterize.py`` in
papermill's source distribution, which is fetched with pip when these tests run.
"""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from commands import Home

from jupyter_hybrid.progress.text import without_colour

CACHE = Path(__file__).resolve().parents[1] / "build" / "papermill"
#: Where papermill marks the cell that failed, above it and at the notebook's top.
ABOVE = r'<span id="papermill-error-cell" .*</span>'
TOP = r'^<span .*<a href="#papermill-error-cell".*In \[{}\].*</span>$'


@pytest.fixture(scope="session")
def notebooks() -> Path:
    """papermill's test notebooks, of the version that is installed."""
    from papermill.version import version

    directory = CACHE / f"papermill-{version}"
    if not directory.is_dir():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as temporary:
            _fetch(version, Path(temporary))
            # another worker of the tests may have been quicker
            with contextlib.suppress(OSError):
                Path(temporary, directory.name).rename(directory)
    return directory / "papermill" / "tests" / "notebooks"


def _fetch(version: str, directory: Path) -> None:
    fetch = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary=:all:"]
    subprocess.run([*fetch, "--dest", str(directory), f"papermill=={version}"], check=True)
    (archive,) = directory.glob("papermill-*.tar.*")
    # (Debian 12's Python 3.11.2 has no filters yet)
    safely = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
    with tarfile.open(archive) as file:
        file.extractall(directory, **safely)


class Papermill:
    """Executes one of the notebooks, as papermill's tests do."""

    def __init__(self, notebooks: Path, home: Home) -> None:
        self._notebooks = notebooks
        self.home = home

    def execute(
        self, name: str, *words: str, fails: bool = False, edit: tuple[str, str] = ("", "")
    ) -> list[dict[str, Any]]:
        """The cells of the executed notebook, in which a text was replaced before."""
        self.home.write(name, (self._notebooks / name).read_text().replace(*edit))
        done = self.home.hybrid("run", name, "--output", "result.ipynb", "--unchecked", *words)
        assert done.returncode == (1 if fails else 0), done.stderr
        return list(self.result()["cells"])

    def result(self) -> dict[str, Any]:
        """The executed notebook."""
        content: dict[str, Any] = json.loads((self.home.work / "result.ipynb").read_text())
        for cell in content["cells"]:
            cell["source"] = "".join(cell["source"])
        return content


@pytest.fixture
def papermill(notebooks: Path, tmp_path: Path) -> Iterator[Papermill]:
    home = Home(tmp_path)
    yield Papermill(notebooks, home)
    home.clean()


def tags(cell: dict[str, Any]) -> list[str]:
    return list(cell["metadata"].get("tags", []))


def check_failure(cells: list[dict[str, Any]], where: int, count: int) -> None:
    """Cell ``where`` failed with this execution count, marked as papermill marks it."""
    assert cells[0]["cell_type"] == "markdown"
    assert re.match(TOP.format(count), cells[0]["source"])
    assert tags(cells[0]) == ["papermill-error-cell-tag"]
    assert cells[where - 1]["cell_type"] == "markdown"
    assert re.match(ABOVE, cells[where - 1]["source"])
    assert tags(cells[where - 1]) == ["papermill-error-cell-tag"]
    assert cells[where]["execution_count"] == count
    assert cells[where + 1]["execution_count"] is None
    assert sum("papermill-error-cell-tag" in tags(cell) for cell in cells) == 2


def test_cell_insertion(papermill: Papermill) -> None:
    cells = papermill.execute("simple_execute.ipynb", "-p", "msg", "Hello")
    assert tags(cells[0]) == ["parameters"]
    assert tags(cells[1]) == ["injected-parameters"]
    assert cells[1]["source"].split("\n") == ["# Parameters", 'msg = "Hello"', ""]
    assert papermill.result()["metadata"]["papermill"]["parameters"] == {"msg": "Hello"}


def test_no_tags(papermill: Papermill) -> None:
    cells = papermill.execute("no_parameters.ipynb", "-p", "msg", "Hello")
    assert tags(cells[0]) == ["injected-parameters"]
    assert cells[0]["source"].split("\n") == ["# Parameters", 'msg = "Hello"', ""]
    assert papermill.result()["metadata"]["papermill"]["parameters"] == {"msg": "Hello"}


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("msg", '"Hello"', r'msg = "\"Hello\""'),
        ("foo", r"do\ not\ crash", r'foo = "do\\ not\\ crash"'),
        ("foo", r"bar=\"baz\"", r'foo = "bar=\\\"baz\\\""'),
        ("foo", r'\\"bar\\"', r'foo = "\\\\\"bar\\\\\""'),
    ],
)
def test_quotes_and_backslashes(papermill: Papermill, name: str, value: str, line: str) -> None:
    cells = papermill.execute("simple_execute.ipynb", "-r", name, value)
    assert cells[1]["source"].split("\n") == ["# Parameters", line, ""]
    assert papermill.result()["metadata"]["papermill"]["parameters"] == {name: value}


def test_parameters_again_replace_those_before(papermill: Papermill) -> None:
    papermill.execute("simple_execute.ipynb", "-p", "msg", "Hello")
    again = papermill.home.hybrid(
        "run", "result.ipynb", "--output", "again.ipynb", "-p", "msg", "Bye"
    )
    assert again.stdout == "Bye\n", again.stderr
    content = json.loads((papermill.home.work / "again.ipynb").read_text())
    assert sum("injected-parameters" in tags(cell) for cell in content["cells"]) == 1


def test_broken_notebook_1(papermill: Papermill) -> None:
    # its two markers of an earlier failure go, new ones come
    cells = papermill.execute("broken1.ipynb", fails=True)
    check_failure(cells, where=6, count=2)
    assert cells[6]["outputs"][0]["output_type"] == "error"
    assert cells[1]["cell_type"] == "markdown"
    assert cells[2]["execution_count"] == 1


def test_broken_notebook_2(papermill: Papermill) -> None:
    # newer IPythons have display and HTML in one place only
    cells = papermill.execute("broken2.ipynb", fails=True, edit=("IPython.core.", "IPython."))
    check_failure(cells, where=3, count=2)
    assert cells[1]["execution_count"] == 1
    assert [o["output_type"] for o in cells[3]["outputs"]] == ["display_data", "error"]


def test_line_magic_error(papermill: Papermill) -> None:
    check_failure(papermill.execute("line_magic_error.ipynb", fails=True), where=2, count=1)


@pytest.mark.parametrize(
    ("name", "evalue"), [("sysexit", ""), ("sysexit0", "0"), ("systemexit", "")]
)
def test_a_clean_exit_passes(papermill: Papermill, name: str, evalue: str) -> None:
    cells = papermill.execute(f"{name}.ipynb")
    assert [cell["execution_count"] for cell in cells[:3]] == [1, 2, None]
    output = cells[1]["outputs"][0]
    assert (output["output_type"], output["ename"]) == ("error", "SystemExit")
    assert output["evalue"] == evalue


def test_exit_with_a_status_fails(papermill: Papermill) -> None:
    cells = papermill.execute("sysexit1.ipynb", fails=True)
    check_failure(cells, where=3, count=2)
    assert cells[1]["execution_count"] == 1
    assert cells[3]["outputs"][0]["output_type"] == "error"
    last = papermill.home.json("status")["exit"]["traceback"][-1]
    assert without_colour(last).strip() == "SystemExit: 1"


def test_working_directory(papermill: Papermill) -> None:
    elsewhere = papermill.home.work / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "check.txt").write_text("exists")
    papermill.execute("read_check.ipynb", fails=True)
    papermill.execute("read_check.ipynb", "--cwd", "elsewhere")
    # the output's path is not relative to the working directory
    assert not (elsewhere / "result.ipynb").exists()


@pytest.mark.parametrize("name", ["nb_version_4.4.ipynb", "blank-vscode.ipynb"])
def test_older_notebooks_become_valid_ones(papermill: Papermill, name: str) -> None:
    import nbformat

    papermill.execute(name, "-p", "var", "It works")
    nbformat.validate(nbformat.from_dict(papermill.result()))


def test_complex_parameters_are_understood(notebooks: Path) -> None:
    from jupyter_hybrid.notebooks import read_notebook
    from jupyter_hybrid.parameters import infer_parameters

    found = infer_parameters(read_notebook(notebooks / "complex_parameters.ipynb"))
    assert found is not None
    assert [(p.name, p.type, p.help) for p in found] == [
        ("msg", None, ""),
        ("a", "float", "Variable a"),
        ("b", "List[str]", "Nice list"),
        ("c", "'NoneType'", ""),
        ("d", None, ""),
    ]


@pytest.mark.parametrize(
    ("path", "parameters", "filled"),
    [
        ("foo/bar", {"baz": "quux"}, "foo/bar"),
        ("foo/bar/{baz}", {"baz": "quux"}, "foo/bar/quux"),
        ("foo/bar/{baz}", {"baz": False}, "foo/bar/False"),
        ("foo/{bar[baz]}/", {"bar": {"baz": "quux"}}, "foo/quux/"),
        ("foo/{bar[2]}/", {"bar": [1, 2, 3]}, "foo/3/"),
        ("foo/bar/{baz}", {"baz": None}, "foo/bar/None"),
        ("foo/bar/{baz:03d}", {"baz": 42}, "foo/bar/042"),
        ("foo/bar/{baz:.03f}", {"baz": 0.3}, "foo/bar/0.300"),
        ("{foo}/{baz}", {"foo": "bar", "baz": "quux"}, "bar/quux"),
    ],
)
def test_paths_with_parameters(path: str, parameters: dict[str, Any], filled: str) -> None:
    from jupyter_hybrid.cli.requests import fill_in

    assert fill_in(path, parameters) == filled
