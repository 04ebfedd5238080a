"""Several notebooks by one command: a job each, all results beside their notebooks."""

from __future__ import annotations

import io
import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from commands import Home, notebook

from jupyter_hybrid.cli.several import Labelled


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path)
    home.write("a.ipynb", notebook("print('of a', rate)", parameters="rate = 1"))
    home.write("b.ipynb", notebook("print('of b', rate)", parameters="rate = 1"))
    yield home
    home.clean()


def test_each_line_says_whose_it_is() -> None:
    out = io.StringIO()
    stream = Labelled(out, "a")
    stream.write("one\ntw")
    assert out.getvalue() == "a | one\n"
    stream.write("o\n\nthree")
    stream.end()
    stream.end()
    assert out.getvalue() == "a | one\na | two\na | \na | three\n"


def test_each_notebook_is_a_job_with_the_same_parameters(home: Home) -> None:
    done = home.hybrid("run", "a.ipynb", "b.ipynb", "-p", "rate", "2")
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.splitlines()) == ["a | of a 2", "b | of b 2"]
    assert done.stderr.count("completed") == 2
    assert len(list(home.work.glob("[ab].*.ipynb"))) == 2


def test_a_sweep_is_a_job_for_each_combination(home: Home) -> None:
    source = "print(type(rate).__name__, rate, word)"
    home.write("c.ipynb", notebook(source, parameters="rate = 1.0\nword = ''"))
    sweep = ("--sweep", "rate=-1,0.5", "--sweep", 'word=["x, y"]')
    done = home.hybrid("run", "c.ipynb", *sweep, "-o", "{rate}.ipynb")
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.splitlines()) == [
        "c rate=-1 word=x, y | int -1 x, y",
        "c rate=0.5 word=x, y | float 0.5 x, y",
    ]
    assert {path.name for path in home.work.glob("*[15].ipynb")} == {"-1.ipynb", "0.5.ipynb"}


def test_one_that_fails_fails_the_command_and_no_other_job(home: Home) -> None:
    home.write("bad.ipynb", notebook("1 / 0", parameters="rate = 1"))
    done = home.hybrid("run", "a.ipynb", "bad.ipynb", "--json")
    assert done.returncode == 1
    states = [job["state"] for job in json.loads(done.stdout)]
    assert states == ["COMPLETED", "FAILED"], done.stderr
    assert "ZeroDivisionError" in done.stderr


def test_detached_they_are_named_in_their_order(home: Home) -> None:
    done = home.hybrid("run", "a.ipynb", "b.ipynb", "--detach")
    assert done.returncode == 0, done.stderr
    names = [home.json("attach", job)["name"] for job in done.stdout.split()]
    assert names == ["a", "b"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("a.ipynb gone.ipynb", "there is no notebook"),
        ("a.ipynb b.ipynb -o one.ipynb", "--output one.ipynb is one file, and there are 2 jobs"),
        ("a.ipynb b.ipynb -p speed 3", "no parameter 'speed'"),
        ("a.ipynb --sweep rate=1,2 -p rate 3", "'rate' is set, and swept as well"),
        ("a.ipynb --sweep speed=1,2", "no parameter 'speed'"),
        ("a.ipynb --sweep rate=[]", "--sweep rate=… is wanted once, with at least one value"),
        ("- -", "standard input is one notebook"),
        ("a.ipynb b.ipynb --help-notebook", "one notebook at a time"),
    ],
)
def test_all_are_refused_where_one_is(home: Home, words: str, sentence: str) -> None:
    done = home.hybrid("run", *words.split())
    assert (done.returncode, sentence in done.stderr) == (2, True), done.stderr
    assert home.json("jobs") == []


def test_a_dry_run_lists_each(home: Home) -> None:
    (home.work / "table.csv").write_text("1")
    home.write("c.ipynb", notebook("open('table.csv')", parameters="rate = 1"))
    done = home.hybrid("run", "a.ipynb", "c.ipynb", "--dry-run")
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.split("\nc\n")
    assert first.startswith("a\n") and "table.csv" not in first and "table.csv" in second
    assert len(home.json("run", "a.ipynb", "c.ipynb", "--dry-run")) == 2


def test_ctrl_c_twice_cancels_all(home: Home) -> None:
    source = "import time\nprint('up', flush=True)\ntime.sleep(60)"
    for name in ("x.ipynb", "y.ipynb"):
        home.write(name, notebook(source))
    with home.started("run", "x.ipynb", "y.ipynb") as process:
        assert process.stdout is not None and process.stderr is not None
        seen = {process.stdout.readline() for _ in range(2)}
        assert seen == {"x | up\n", "y | up\n"}
        process.send_signal(signal.SIGINT)
        while "Detached; the jobs go on" not in process.stderr.readline():
            pass
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 1
    assert [job["state"] for job in home.json("jobs", "--all")] == ["CANCELLED"] * 2
