"""From a cell and a namespace to a request: what travels, what is refused, what is executed."""

from __future__ import annotations

import json
import re
import textwrap
import threading
from pathlib import Path
from typing import Any

import pytest

from jupyter_hybrid.admission import environment_of
from jupyter_hybrid.cells import CellOptions, Prepared, Surroundings, prepare
from jupyter_hybrid.cells.line import cell_options, cell_parser
from jupyter_hybrid.cells.sources import cells_above, replayable
from jupyter_hybrid.errors import UsageError


def made(
    tmp_path: Path, source: str, namespace: dict[str, Any], **options: Any
) -> tuple[Prepared, dict[str, str]]:
    place = options.pop("place", {})
    prepared = prepare(
        source,
        CellOptions(**options),
        Surroundings(namespace=namespace, directory=tmp_path, number=7, **place),
        tmp_path / "staging",
    )
    cells = prepared.request.notebook["cells"]
    return prepared, {cell["id"]: cell["source"] for cell in cells}


def defined(code: str) -> dict[str, Any]:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(textwrap.dedent(code), namespace)
    return namespace


def test_what_the_cell_reads_travels(tmp_path: Path) -> None:
    namespace = defined("import json as j, os\nx = 1\nunused = 2\nlimit = 3\ndef f(): return limit")
    prepared, cells = made(tmp_path, "y = f() + x\nj.dumps(y)", namespace)
    assert {v.name for v in prepared.sent} == {"x", "f", "limit", "j"}
    assert list(cells) == ["hybrid-inputs", "hybrid-cell", "hybrid-export"]
    assert "import json as j" in cells["hybrid-inputs"]
    assert "os" not in cells["hybrid-inputs"].split("jupyter_hybrid")[0].replace("json", "")
    assert cells["hybrid-cell"] == "# %%remote\ny = f() + x\nj.dumps(y)"
    assert prepared.request.shown_cells == ("hybrid-cell",)
    assert prepared.request.inputs == tmp_path / "staging"
    assert prepared.request.name == "cell-7"
    for source in cells.values():
        compile(source, "cell", "exec")


def test_names_are_those_that_python_makes_of_them() -> None:
    options = cell_options(cell_parser().parse_line("-i ｘ,学習率 -o ﬁt,fit"))
    assert (options.send, options.returns) == (("x", "学習率"), ("fit",))


def test_the_job_knows_which_cell_it_is(tmp_path: Path) -> None:
    prepared, _ = made(tmp_path, "x = 1", {}, place={"cell_id": "4f1c"})
    assert prepared.request.source_cell == "4f1c"


def test_what_only_shows_when_it_runs_may_be_anything_that_the_kernel_has_loaded(
    tmp_path: Path,
) -> None:
    def whys(source: str) -> set[str]:
        request = made(tmp_path, source, {})[0].request
        return {need.why for need in environment_of(request).needs}

    # (this process has loaded pytest and more, which no session loads for itself)
    asked = "import importlib\nmodule = importlib.import_module('py' + 'test')"
    assert whys(asked) == {"loaded in the kernel"}
    assert whys("import json") == set()


def test_nothing_to_send_leaves_nothing(tmp_path: Path) -> None:
    prepared, _ = made(tmp_path, "x = 1", {})
    assert prepared.request.inputs is None and not (tmp_path / "staging").exists()


def test_a_cell_magic_stays_on_the_first_line(tmp_path: Path) -> None:
    _, cells = made(tmp_path, "%%bash\nls", {}, place={"transform": lambda text: "pass"})
    assert cells["hybrid-cell"] == "%%bash\nls"


def test_what_does_not_pickle_is_refused_by_name(tmp_path: Path) -> None:
    namespace = {"lock": threading.Lock(), "x": 1}
    with pytest.raises(UsageError, match=r"lock \(lock\) cannot travel: .*--replay"):
        made(tmp_path, "lock.acquire()\nx", namespace)
    with pytest.raises(UsageError, match=r"lock \(lock\) cannot travel"):
        made(tmp_path, "x", namespace, send=("lock",))
    with pytest.raises(UsageError, match="there is no variable 'nothing'"):
        made(tmp_path, "x", namespace, send=("nothing",))
    assert not (tmp_path / "staging").exists()


def test_what_is_perhaps_not_needed_does_not_stop_the_cell(tmp_path: Path) -> None:
    namespace = defined("import threading\nlock = threading.Lock()\ndef f(): return lock")
    prepared, _ = made(tmp_path, "if f:\n    pass", namespace)
    assert [v.name for v in prepared.stayed] == ["lock"]
    prepared, _ = made(tmp_path, "for i in []: lock = 1\nlock", namespace)
    assert [v.name for v in prepared.stayed] == ["lock"]


def test_the_shells_own_names_stay(tmp_path: Path) -> None:
    own = threading.Lock()
    prepared, _ = made(
        tmp_path, "display(x)", {"display": own, "x": 1}, place={"hidden": {"display": own}}
    )
    assert [v.name for v in prepared.sent] == ["x"]


def test_replay_sends_cells_not_values(tmp_path: Path) -> None:
    namespace = {"lock": threading.Lock(), "x": 1, "y": 2}
    prepared, cells = made(
        tmp_path, "lock, x", namespace, replay=True, send=("y",), place={"context": ("a", "b")}
    )
    assert [v.name for v in prepared.sent] == ["y"]
    assert list(cells) == [
        "hybrid-context-0", "hybrid-context-1", "hybrid-inputs", "hybrid-cell", "hybrid-export",
    ]  # fmt: skip
    assert prepared.request.code[:2] == ("a", "b")


def test_a_big_value_that_is_only_deleted_does_not_travel(tmp_path: Path) -> None:
    prepared, cells = made(tmp_path, "del big", {"big": threading.Lock()})
    assert not prepared.sent and "big = None" in cells["hybrid-inputs"]


def test_changed_and_returned_names(tmp_path: Path) -> None:
    namespace = defined("cache = {}\nmodel = [1]\nx = 1\ndef f(): cache[1] = 2")
    _, cells = made(tmp_path, "model.append(x)\nf()", namespace, returns=("a", "b"))
    assert "changed=['f', 'model', 'cache']" in cells["hybrid-inputs"]
    assert "only=['a', 'b']" in cells["hybrid-inputs"]


@pytest.mark.parametrize("replay", [False, True])
@pytest.mark.parametrize(
    "source",
    [
        "run(1)",
        "run(1)\nprint(len(found))",
        "n = module.pop(found)",
        "r = list(map(dict.popitem, found))",
        "[f.clear() for f in found]",
        "best = max(found, key=len)\nbest.clear()",
        "a, b = found, 1\na.append(b)",
    ],
)
def test_whatever_the_cell_can_get_hold_of_may_be_changed(
    tmp_path: Path, source: str, replay: bool
) -> None:
    namespace = defined(
        "import heapq as module\nfound, unused = [{}], []\ndef run(x): found.append(x)"
    )
    prepared, cells = made(tmp_path, source, namespace, replay=replay)
    assert re.search(r"changed=\[[^]]*'found'", cells["hybrid-inputs"])
    assert "found" in prepared.returning and "unused" not in prepared.returning


def test_futures_of_the_notebook_are_the_cells(tmp_path: Path) -> None:
    _, cells = made(tmp_path, "x = 1", {}, place={"futures": ("annotations",)})
    assert cells["hybrid-inputs"].startswith("from __future__ import annotations\n")


def test_sources_in_which_modules_and_files_are_looked_for(tmp_path: Path) -> None:
    import decimal

    namespace = {"d": decimal.Decimal(1), "p": Path()}
    prepared, _ = made(tmp_path, "open('data.csv')\nd, p", namespace)
    code = "\n".join(prepared.request.code)
    assert "open('data.csv')" in code and "import decimal" in code and "jupyter_hybrid" not in code


def test_files_that_variables_name_are_looked_for(tmp_path: Path) -> None:
    namespace = {
        "one": "it's.csv", "folder": Path("data"), "many": [Path("a"), "b", 3], "named": {"k": "c"},
        "text": "x" * 5000, "lots": ["d"] * 10_001, "number": 1, "other": "unread.csv",
    }  # fmt: skip
    source = "one, folder, many, named, text, lots, number"
    prepared, _ = made(tmp_path, source, namespace)
    scope: dict[str, Any] = {}
    exec("\n".join(text for text in prepared.request.code if text != source), scope)
    found = {name: scope[name] for name in namespace if name in scope}
    assert found == {"one": "it's.csv", "folder": "data", "many": ["a", "b"], "named": ["c"]}


def test_a_cell_that_is_not_python(tmp_path: Path) -> None:
    with pytest.raises(SyntaxError):
        made(tmp_path, "x = = 1", {})


def write_notebook(path: Path, *cells: tuple[str, str, list[str]]) -> None:
    content = {
        "cells": [
            {"cell_type": "code", "id": i, "source": s, "metadata": {"tags": t}, "outputs": [],
             "execution_count": None}
            for i, s, t in cells
        ],
        "metadata": {}, "nbformat": 4, "nbformat_minor": 5,
    }  # fmt: skip
    path.write_text(json.dumps(content))


def test_cells_above(tmp_path: Path) -> None:
    path = tmp_path / "n.ipynb"
    write_notebook(
        path, ("a", "x = 1", []), ("b", "plot()", ["local"]), ("c", "%%remote dgx\ny = 2", []),
        ("d", "%load_ext jupyter_hybrid\n%remote jobs", []), ("e", "%%remote --replay\nz", []),
        ("f", "later", []),
    )  # fmt: skip
    expected = ("x = 1", "y = 2")
    assert cells_above(path, "e", "", ["h"]) == expected
    assert cells_above(path, None, "%%remote --replay\nz\n", ["h"]) == expected
    assert cells_above(path, "unknown", "not saved yet", ["h", "%remote jobs"]) == ("h",)
    assert cells_above(None, None, "", ["h"]) == ("h",)
    assert cells_above(tmp_path / "gone.ipynb", None, "", ["h"]) == ("h",)


def test_replayable_keeps_other_magics() -> None:
    assert replayable("%matplotlib inline\nx = 1\n%remote jobs") == "%matplotlib inline\nx = 1"
    assert replayable("%%remote_other\nx") == "%%remote_other\nx"
