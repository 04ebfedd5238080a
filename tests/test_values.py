"""Variables travel to a directory and back, into another process and home again."""

from __future__ import annotations

import json
import pickle
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from two_processes import round_trip

from jupyter_hybrid.errors import ResultError
from jupyter_hybrid.values import Terms, dump, load, read_manifest, sign
from jupyter_hybrid.values.contents import content_digest


def test_cached_functions_travel(tmp_path: Path) -> None:
    round_trip(
        tmp_path,
        """
        import functools
        @functools.lru_cache(maxsize=7, typed=True)
        def fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)
        class Sums:
            @functools.lru_cache
            def total(self, n): return sum(range(n)) + base
        base, sums = 1, Sums()
        """,
        ["fib", "sums", "base"],
        """
        assert fib(50) == 12586269025 and fib.cache_info().maxsize == 7
        assert fib.cache_info().hits and fib.__name__ == "fib"
        assert sums.total(4) == 7
        import functools
        made = functools.lru_cache(None)(lambda n: n + base)
        """,
        ["made"],
        "base = 2; assert made(1) == 3",
    )


def test_functions_see_the_namespace_of_the_other_side(tmp_path: Path) -> None:
    round_trip(
        tmp_path,
        """
        model = 2
        def f(): return model
        def fact(n): return 1 if n < 2 else n * fact(n - 1)
        def adder(n):
            def add(x): return x + n + model
            return add
        add = adder(10)
        """,
        ["f", "fact", "add"],
        """
        assert model == 2  # followed
        model = 3
        assert f() == 3 and f.__globals__ is main
        assert fact(5) == 120
        assert add(1) == 14
        def g(): return f() + model
        """,
        ["g"],
        """
        model = 20
        assert g() == 40 and g.__globals__ is main
        """,
    )


def test_what_functions_read_does_not_come_back_by_itself(tmp_path: Path) -> None:
    round_trip(
        tmp_path,
        "a = 1\ndef f(): return a",
        ["f"],
        "a = 2\nholder = [f]",
        ["holder"],
        # followed, as nothing restricts it
        "assert a == 2 and holder[0] is f",
    )
    namespace: dict[str, Any] = {}
    exec("a = 1\nb = 2\ndef f(): return a + b", namespace)
    namespace["f"].__module__ = "__main__"
    dumped = dump(namespace, ["f"], tmp_path / "d", follow=["b"])
    assert [v.name for v in dumped.names] == ["f", "b"]


def test_definitions_that_come_back_are_the_ones_that_left(tmp_path: Path) -> None:
    round_trip(
        tmp_path,
        """
        def f(x=1): return x
        def tally(): tally.calls = getattr(tally, "calls", 0) + 1
        g, first = f, f
        deco = lambda fn: lambda *a: fn(*a) + 1
        @deco
        def inc(x): return x
        """,
        ["f", "g", "tally", "inc"],
        "assert f is g\ntally()\nassert inc(1) == 2\nbox = [f]",
        ["box", "tally", "inc"],
        "assert box[0] is first and tally.calls == 1 and inc(1) == 2",
    )


def test_reading_that_calls_functions_of_the_notebook(tmp_path: Path) -> None:
    round_trip(
        tmp_path,
        """
        def helper(x): return x + 1
        class Odd:
            def __init__(self, v): self.v = v
            def __getstate__(self): return self.v
            def __setstate__(self, v): self.v = helper(v)
        odd = Odd(1)
        """,
        ["odd"],
        "assert odd.v == 2",
        ["odd"],
        "assert odd.v == 3",
    )


def test_tracebacks_through_travelled_functions_show_their_source(tmp_path: Path) -> None:
    script = """
    import linecache
    source = "def boom(x):\\n    return 1 / x  # here\\n"
    linecache.cache["<cell 1>"] = (len(source), None, source.splitlines(True), "<cell 1>")
    exec(compile(source, "<cell 1>", "exec"))
    """
    there = """
    import traceback
    try: boom(0)
    except ZeroDivisionError: text = traceback.format_exc()
    """
    round_trip(tmp_path, script, ["boom"], there, ["text"], "assert '# here' in text, text")


def test_identity_between_names_survives(tmp_path: Path) -> None:
    a = [1]
    dump({"a": a, "b": {"x": a}}, ["a", "b"], tmp_path)
    back: dict[str, Any] = {}
    load(tmp_path, back)
    assert back["b"]["x"] is back["a"]


def test_large_arrays_are_mapped_and_writable(tmp_path: Path) -> None:
    big = np.arange(100_000, dtype=float).reshape(100, 1000)
    fortran, small = np.asfortranarray(big), np.arange(3)
    names = {"big": big, "alias": big, "fortran": fortran, "small": small, "view": big[::2, ::3]}
    dumped = dump(names, list(names), tmp_path)
    assert {v.name: v.size for v in dumped.names}["big"] >= big.nbytes
    assert {v.name: v.size for v in dumped.names}["alias"] < 1000
    assert len(list((tmp_path / "buffers").iterdir())) == 2
    back: dict[str, Any] = {}
    load(tmp_path, back)
    for name, value in names.items():
        np.testing.assert_array_equal(back[name], value)
    for name in names:
        back[name][0] = 7
    assert back["alias"] is back["big"]
    again: dict[str, Any] = {}
    load(tmp_path, again)
    np.testing.assert_array_equal(again["big"], big)


def test_arrays_of_any_size_travel(tmp_path: Path) -> None:
    sizes = [0, 1, 8_000, 20_000, 33_000, 70_000]
    values: dict[str, Any] = {f"a{n}": np.arange(float(n)) for n in sizes}
    values["text"], values["mixed"] = "x" * 300_000, [b"y" * 300_000, bytearray(300_000)]
    dumped = dump(values, list(values), tmp_path)
    assert not dumped.refused
    back: dict[str, Any] = {}
    load(tmp_path, back)
    for name, value in values.items():
        assert (back[name] == value) if name in ("text", "mixed") else (back[name] == value).all()


def test_refusals_name_the_reason_and_spoil_nothing(tmp_path: Path) -> None:
    import threading

    shared = [1]
    values = {
        "gen": (i for i in ()),
        "holder": {"shared": shared, "lock": threading.Lock()},
        "ok": shared,
        "huge": b"x" * 100_000,
        "huge_array": np.zeros(1_000_000),
    }
    dumped = dump(values, list(values), tmp_path, terms=Terms(50_000))
    notes = {v.name: v.note for v in dumped.refused}
    assert notes == {
        "gen": "generator objects do not pickle",
        "holder": "it holds a lock, which does not pickle",
        "huge": "larger than the limit",
        "huge_array": "larger than the limit",
    }
    assert [v.name for v in dumped.names] == ["ok"]
    back: dict[str, Any] = {}
    loaded = load(tmp_path, back)
    assert back == {"ok": [1]}
    assert {v.name for v in loaded.refused} == set(notes)


def test_an_open_file_is_no_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", sys.__stdout__)
    (tmp_path / "data.csv").write_text("1\n2\n")
    with (tmp_path / "data.csv").open() as text, (tmp_path / "data.csv").open("rb") as raw:
        values = {"text": text, "raw": raw, "reader": {"file": text}, "out": sys.stdout}
        dumped = dump(values, list(values), tmp_path / "d")
    assert {v.name: v.note for v in dumped.refused} == {
        "text": "TextIOWrapper objects do not pickle",
        "raw": "BufferedReader objects do not pickle",
        "reader": "it holds a TextIOWrapper, which does not pickle",
    }
    back: dict[str, Any] = {}
    load(tmp_path / "d", back)
    assert back == {"out": sys.stdout}


def test_modules_are_names_not_values(tmp_path: Path) -> None:
    dumped = dump({"np": np, "j": json}, ["np", "j"], tmp_path)
    assert dumped.modules == {"np": "numpy", "j": "json"}
    back: dict[str, Any] = {}
    load(tmp_path, back)
    assert back["np"] is np and back["j"] is json


def test_one_name_that_cannot_be_read_spoils_no_other(tmp_path: Path) -> None:
    module = types.ModuleType("only_there")
    exec("class Thing:\n    pass", module.__dict__)
    sys.modules["only_there"] = module
    big = np.arange(100_000.0)
    thing = module.Thing()
    thing.shared, thing.big = ["s"], np.arange(50_000.0)
    values = {
        "before": big,
        "thing": thing,
        "sharing": [thing.shared],
        "after": [big, "text", {"a": 1}],
        "big": np.arange(60_000.0),
        "again": [thing],
        "last": 5,
    }
    dump(values, list(values), tmp_path)
    del sys.modules["only_there"]
    back: dict[str, Any] = {}
    loaded = load(tmp_path, back)
    notes = {v.name: v.note for v in loaded.refused}
    assert notes["thing"] == "the module only_there is not installed here"
    assert "shares objects" in notes["sharing"]
    assert set(notes) == {"thing", "sharing", "again"}
    assert back["after"][0] is back["before"]
    np.testing.assert_array_equal(back["big"], values["big"])
    assert back["after"][1:] == ["text", {"a": 1}] and back["last"] == 5


def test_reading_a_value_does_not_change_what_is_compared() -> None:
    days = pd.date_range("2020-01-01", periods=4)
    frame = pd.DataFrame({"day": days, "kind": pd.Categorical(list("abab")), "n": [1, 2, 3, 4]})
    frame["maybe"] = pd.array([1, None, 3, 4])
    values = pickle.loads(pickle.dumps([frame, frame.day, days, frame.set_index(["kind", "n"])]))
    before = [content_digest(value, {}) for value in values]
    frame, column, index, many = values
    frame.values, frame.loc[2], list(frame.iterrows()), frame.describe(), repr(frame), column[1]
    frame.groupby("kind", observed=True).n.sum(), index.is_unique, index.day, many.loc[("a", 1)]
    assert None not in before and [content_digest(value, {}) for value in values] == before
    frame.loc[0, "day"] = days[1]
    assert content_digest(frame, {}) != before[0]


def test_deleted_names_are_deleted(tmp_path: Path) -> None:
    dump({"x": 1}, ["x", "y"], tmp_path)
    namespace: dict[str, Any] = {"y": 1, "z": 2}
    assert load(tmp_path, namespace).deleted == ("y",)
    assert namespace == {"x": 1, "z": 2}


@pytest.mark.parametrize("harm", ["none", "key", "unsigned", "stream", "manifest", "buffer"])
def test_nothing_is_read_that_the_key_does_not_vouch_for(tmp_path: Path, harm: str) -> None:
    dump({"x": [1], "a": np.zeros(100_000)}, ["x", "a"], tmp_path)
    if harm != "unsigned":
        sign(tmp_path, b"another" if harm == "key" else b"key")
    path = {"stream": "variables.pkl", "manifest": "variables.json", "buffer": "buffers/0.bin"}
    if harm in path:
        content = bytearray((tmp_path / path[harm]).read_bytes())
        content[-3] ^= 1
        (tmp_path / path[harm]).write_bytes(content)
    namespace: dict[str, Any] = {}
    if harm == "none":
        load(tmp_path, namespace, key=b"key")
        assert namespace["x"] == [1]
        return
    with pytest.raises(ResultError):
        load(tmp_path, namespace, key=b"key")
    assert not namespace


def test_a_half_written_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ResultError, match="there are no variables"):
        read_manifest(tmp_path)
    (tmp_path / "variables.json").write_text("{")
    with pytest.raises(ResultError, match="incomplete"):
        load(tmp_path, {})


def test_another_python_is_named(tmp_path: Path) -> None:
    dump({"x": 1}, ["x"], tmp_path)
    manifest = read_manifest(tmp_path)
    manifest.update(python=[3, 2], code=True)
    (tmp_path / "variables.json").write_text(json.dumps(manifest))
    (tmp_path / "variables.pkl").write_bytes(b"\x80\x05broken")
    loaded = load(tmp_path, {})
    assert "Python 3.2" in loaded.refused[0].note
