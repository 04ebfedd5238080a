"""What comes back from a ``%%remote`` cell, in a real kernel: what changed, and that alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from live_kernel import Live, live_kernel


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("magics")


@pytest.fixture(scope="module")
def kernel(directory: Path) -> Iterator[Live]:
    with live_kernel(directory, JUPYTER_HYBRID_DIR=str(directory / "hybrid")) as live:
        live.run("import os, numpy as np, pandas as pd")
        yield live


def test_definitions_come_home(kernel: Live) -> None:
    kernel.run(
        "class Net:\n    def __init__(self, w): self.w = w\n"
        "    def out(self): return self.w * gain\ngain = 10\nnets = [Net(1)]"
    )
    kernel.run("%%remote\nnets.append(Net(2))\nouts = [n.out() for n in nets]\nother = Net(3)")
    assert kernel.value("outs") == [10, 20]
    assert kernel.value("all(isinstance(n, Net) for n in [*nets, other]) and len(nets)") == 2
    kernel.run("gain = 100")
    assert kernel.value("other.out()") == 300


def test_only_what_changed_comes_back(kernel: Live) -> None:
    kernel.run(
        "df = pd.DataFrame({'a': np.arange(100_000)})\nd = {'k': 1}\ngone = 1\nl = [1]\nkeep = df"
    )
    result = kernel.run("%%remote\ndf.head()\nd['k'] = 2\ndel gone\nl += [2]")
    assert "df" not in result.text
    assert kernel.value("df is keep and (d, l, 'gone' in globals())") == ({"k": 2}, [1, 2], False)
    assert "deleted: gone" in result.text


def test_what_is_changed_out_of_sight_comes_back(kernel: Live, directory: Path) -> None:
    (directory / "training.py").write_text("def step(m):\n    m['w'] += 1\n    return m['w']\n")
    kernel.run(
        "import heapq, training\nlines, heap, model = [], [1, 2], {'w': 0}\n"
        "def log(text): lines.append(text)"
    )
    result = kernel.run("%%remote\nlog('hello')\nn = len(lines)")
    assert kernel.value("(n, lines)") == (1, ["hello"]), result.text
    result = kernel.run("%%remote\nfirst = heapq.heappop(heap)\nw = training.step(model)")
    assert kernel.value("(first, heap, w, model)") == (1, [2], 1, {"w": 1}), result.text
    kernel.run("models, many, text = [{'w': 1}, {'w': 2}], np.zeros(100_000), ['as it was']")
    kernel.run("keep = many, text")
    result = kernel.run(
        "%%remote\nscores = [m.update(w=9) for m in models]\nprint(len(text), many.sum())\n"
        "w = list(map(training.step, models))"
    )
    assert kernel.value("(w, models)") == ([10, 10], [{"w": 10}, {"w": 10}]), result.text
    # what was compared, and is the same, stays as it is
    assert kernel.value("keep[0] is many and keep[1] is text")
    assert "many" not in result.text and "text (" not in result.text


def test_what_definitions_of_the_notebook_hold_comes_back(kernel: Live) -> None:
    kernel.run(
        "class Config:\n    rate, seen, other = 1, [], {}\n"
        "    def go(self, x): Config.seen.append(x)\n"
        "    def keep(self, x, cache={}): cache[x] = 1; return len(cache)\n"
        "def calls(): calls.count += 1\ncalls.count = 0\n"
        "def memo(x, known={}): known[x] = 1; return len(known)\n"
        "def counter():\n    n = 0\n    def count():\n        nonlocal n\n        n += 1\n"
        "        return n\n    return count\n"
        "count, config, other = counter(), Config(), Config.other\ncount_too = count\n"
        "was = Config, Config.go, calls, config\ndef quiet(): return Config.rate"
    )
    result = kernel.run(
        "%%remote\nConfig.rate = 2\nconfig.go(3)\ncalls()\nmemo(4)\ncount()\n"
        "seen = quiet(), config.keep(5)"
    )
    now = "Config.rate, Config.seen, calls.count, memo(9), count(), count_too(), config.keep(6)"
    assert kernel.value(now) == (2, [3], 1, 2, 2, 3, 2), result.text
    assert kernel.value("(Config, Config.go, calls) == was[:3] and isinstance(config, Config)")
    assert kernel.value("Config.other is other") and "quiet" not in result.text
    result = kernel.run("%%remote\nrate = quiet(), Config.rate, Config.seen, Config, calls, memo")
    assert result.text.strip().endswith("back: rate (tuple)"), result.text


def test_what_is_changed_in_place_changes_under_all_its_names(kernel: Live) -> None:
    kernel.run("data = pd.DataFrame({'a': [0]}); same = data; rows = [1]; also = more = rows")
    result = kernel.run("%%remote\ndata.loc[0, 'a'] = 7\nrows += [2]")
    assert kernel.value("int(same.loc[0, 'a']), also, rows is also is more") == (7, [1, 2], True)
    told = "also: same (the same object as data), also, more (the same object as rows)"
    assert told in result.text
    # another object under the same name is none of theirs
    result = kernel.run("%%remote\nrows = [*rows, 3]\ndata = data.assign(a=8)")
    assert kernel.value("int(same.loc[0, 'a']), also, rows") == (7, [1, 2], [1, 2, 3])
    assert "also:" not in result.text


def test_a_cell_may_reset_its_namespace(kernel: Live) -> None:
    kernel.run("wiped = 1")
    result = kernel.run(
        "%%remote\nwiped += 1\nget_ipython().run_line_magic('reset', '-f')\nnew = 5"
    )
    assert kernel.value("new, 'wiped' in globals()") == (5, False)
    assert "deleted: wiped" in result.text


def test_returns_are_restricted_and_what_stays_is_named(kernel: Live) -> None:
    kernel.run("a = b = 0")
    result = kernel.run("%%remote -o a,never\na = 1\nb = 2")
    assert kernel.value("(a, b)") == (1, 0)
    assert "stayed: never (the cell did not assign it)" in result.text
    result = kernel.run("%%remote\ngen = (i for i in ())\na = 3")
    assert "stayed: gen (generator objects do not pickle)" in result.text
    assert kernel.value("a") == 3


def test_a_class_that_a_replayed_cell_made_stays_there(kernel: Live, directory: Path) -> None:
    from test_cells import write_notebook

    above, remote = "class Made:\n    rate = 1", "%%remote --replay\nMade.rate = 2"
    write_notebook(directory / "made.ipynb", ("a", above, []), ("b", remote, []))
    kernel.run(f"{above}\nwas = Made\nos.environ['JPY_SESSION_NAME'] = 'made.ipynb'")
    result = kernel.run(remote)
    kernel.run("del os.environ['JPY_SESSION_NAME']")
    assert kernel.value("Made is was and Made.rate") == 1
    told = "stayed: Made (a class that was made anew there, and changed; -o Made brings that one)"
    assert result.text.strip().endswith(told), result.text
