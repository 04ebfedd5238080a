"""Notebooks that nobody would write by hand, by the command line: run, or refused in a sentence."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from commands import Home, notebook

pytestmark = pytest.mark.timeout(300)

#: Contents, and what is said of them.
REFUSED = {
    "not JSON": ("print('a script')", "is not JSON (line 1, column 1"),
    "nothing": ("", "is empty"),
    "no notebook": ({"a": 1}, "is JSON, but not a notebook"),
    "of the future": ({"nbformat": 5, "cells": []}, "newer than this jupyter-hybrid knows"),
    "half a notebook": ('{"cells": [', "is not JSON"),
    "a kernel that is not installed": (
        notebook("1", name="julia-9.9", display_name="Julia", language="julia"),
        "asks for the kernel 'julia-9.9' (julia), which is not installed here",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_before_anything_is_sent(home: Home, name: str) -> None:
    content, sentence = REFUSED[name]
    home.write("n.ipynb", content)
    done = home.hybrid("run", "n.ipynb")
    assert done.returncode == 2, (done.stdout, done.stderr)
    assert sentence in done.stderr and done.stderr.count("\n") == 1, done.stderr
    assert "n.ipynb" in done.stderr or "kernel" in sentence
    assert home.json("jobs") == []


def run(home: Home, *options: str) -> dict[str, Any]:
    """The executed notebook of a job that completes."""
    done = home.hybrid("run", "n.ipynb", "--output", "out.ipynb", *options, timeout=240)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Traceback" not in done.stderr
    result = json.loads((home.work / "out.ipynb").read_text())
    assert isinstance(result, dict)
    return result


def printed(document: dict[str, Any]) -> list[str]:
    """What each code cell printed."""
    cells = [cell for cell in document["cells"] if cell["cell_type"] == "code"]
    return ["".join("".join(o.get("text", ())) for o in cell["outputs"]) for cell in cells]


def test_without_cells(home: Home) -> None:
    home.write("n.ipynb", notebook())
    assert run(home)["cells"] == []


def test_without_a_kernelspec(home: Home) -> None:
    """The Python of this environment runs it."""
    home.write("n.ipynb", notebook("import sys; print(sys.prefix)"))
    document = json.loads((home.work / "n.ipynb").read_text())
    assert "kernelspec" not in document["metadata"]
    assert printed(run(home)) == [sys.prefix + "\n"]


def test_a_python_kernel_that_is_not_installed(home: Home) -> None:
    """This Python runs it, and says so."""
    home.write("n.ipynb", notebook("print(1)", name="old-env", display_name="", language="python"))
    done = home.hybrid("run", "n.ipynb")
    assert done.returncode == 0 and done.stdout == "1\n"
    assert "the kernel 'old-env' is not installed here; this Python runs it" in done.stderr


def test_version_3(home: Home) -> None:
    cell = {"cell_type": "code", "language": "python", "outputs": [], "collapsed": False,
            "prompt_number": 7, "metadata": {}, "input": ["print(", "'three')"]}  # fmt: skip
    title = {"cell_type": "heading", "level": 2, "source": "Title", "metadata": {}}
    old = {"nbformat": 3, "nbformat_minor": 0, "metadata": {"name": "old"},
           "worksheets": [{"cells": [title, cell], "metadata": {}}]}  # fmt: skip
    path = home.write("n.ipynb", old)
    before = path.read_bytes()
    result = run(home)
    assert result["nbformat"] == 4 and printed(result) == ["three\n"]
    assert path.read_bytes() == before


def test_five_thousand_cells(home: Home) -> None:
    home.write("n.ipynb", notebook("x = 0", *("x += 1" for _ in range(4998)), "print(x)"))
    document = run(home)
    assert len(document["cells"]) == 5000
    assert printed(document)[-1] == "4998\n"
    assert [cell["execution_count"] for cell in document["cells"]] == list(range(1, 5001))
    assert home.json("status", "last")["cells"]["done"] == 5000


@pytest.mark.parametrize("where", ["before", "made"])
def test_an_output_of_100_mb(home: Home, where: str) -> None:
    """One that the notebook brings along, which stays behind, and one that the job makes."""
    size = 100_000_000
    data = {"text/plain": "large", "application/x-large": "x" * size}
    if where == "before":
        document = notebook("print('first')", "print('second')")
        output = {"output_type": "display_data", "metadata": {}, "data": data}
        document["cells"][0]["outputs"] = [output]
    else:
        show = (
            "from IPython.display import display\n"
            f"display({{'text/plain': 'large', 'application/x-large': 'x' * {size}}}, raw=True)"
        )
        document = notebook(f"print('first')\n{show}", "print('second')")
    home.write("n.ipynb", document)
    result = run(home)
    assert printed(result)[0].startswith("first\n") and printed(result)[1] == "second\n"
    shown = [o["data"] for o in result["cells"][0]["outputs"] if "data" in o]
    sizes = [len("".join(bundle["application/x-large"])) for bundle in shown]
    assert sizes == ([] if where == "before" else [size])
    (sent,) = Path(home.data).rglob("notebook.ipynb")
    assert sent.stat().st_size < 1_000_000
