"""Parameters keep their types, and what a notebook cannot take is refused."""

from __future__ import annotations

import math
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from jupyter_hybrid import parameters
from jupyter_hybrid.errors import ParameterError
from jupyter_hybrid.notebooks import Notebook, from_content
from jupyter_hybrid.parameters.cell import read_cell

COMPLEX = """\
%matplotlib inline
msg = None
a: float = 2.25 # Variable a
b = [
    'Hello', # First element
# Dummy comment
    'World'
] # type: List[str] Nice list

# Interesting c variable
c: "NoneType" = None
# Not introspectable line
d = a == 3
# Broken name definition
= 2
e: int
f = g = -1
h, (i, *j) = 1, ("x", 2, 3)
if a:
    k = 5
def function(): local = 1
name = "n" # the name
name = "m"
"""


def notebook(source: str | None, language: str = "python") -> Notebook:
    cell = {"cell_type": "code", "source": source or "", "metadata": {"tags": ["parameters"]}}
    cells = [cell] if source is not None else []
    return from_content({"cells": cells, "metadata": {"kernelspec": {"language": language}}})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2", 2),
        ("-1", -1),
        ("0.5", 0.5),
        ("1e3", 1000.0),
        ("True", True),
        ("true", True),
        ("False", False),
        ("null", None),
        ("None", None),
        ('"2"', "2"),
        ("[1, 2]", [1, 2]),
        ('{"a": [true]}', {"a": [True]}),
        ("2024-01-31", "2024-01-31"),
        ("hello", "hello"),
        ("", ""),
        ("[not json", "[not json"),
        ('"half', '"half'),
        ("'2'", "'2'"),
    ],
)
def test_typed_values(text: str, value: object) -> None:
    parsed = parameters.parse_value(text)
    assert parsed == value
    assert type(parsed) is type(value)


@pytest.mark.parametrize(
    "text", ["True", "False", "None", "13.3", "10", "-8.2", "hello world", "😍", "inf", "1_000"]
)
def test_typed_values_agree_with_papermill(text: str) -> None:
    from papermill.cli import _resolve_type

    assert parameters.parse_value(text) == _resolve_type(text)


def test_nan_is_a_number() -> None:
    assert math.isnan(parameters.parse_value("nan"))


def test_what_is_nested_too_deeply_is_text() -> None:
    deep = "[" * 100_000
    assert parameters.parse_value(deep) == deep


def test_yaml_keeps_dates_as_text() -> None:
    values = parameters.parse_yaml("d: 2024-01-31\nt: 2024-01-31T10:00:00\nn: [1, x]", "-y")
    assert values == {"d": "2024-01-31", "t": "2024-01-31T10:00:00", "n": [1, "x"]}
    assert parameters.parse_yaml("", "-y") == {}


@pytest.mark.parametrize(("text", "message"), [("a: [", "not YAML"), ("- 1", "must be a mapping")])
def test_bad_yaml(text: str, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        parameters.parse_yaml(text, "-y")


def test_parameter_files(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text("a: 1\nb: {c: null}")
    assert parameters.read_parameter_file(path) == {"a": 1, "b": {"c": None}}
    with pytest.raises(ParameterError, match=r"q\.yaml cannot be read: No such file"):
        parameters.read_parameter_file(tmp_path / "q.yaml")


def test_objects_become_json() -> None:
    import numpy

    values = parameters.to_json(
        {
            "date": date(2024, 1, 31),
            "time": datetime(2024, 1, 31, 10),
            "path": Path("a/b"),
            "tuple": (1, (2,)),
            "scalar": numpy.float32(0.5),
            "array": numpy.arange(3),
            "dict": {1: date(2024, 1, 1)},
        }
    )
    assert values == {
        "date": "2024-01-31",
        "time": "2024-01-31T10:00:00",
        "path": "a/b",
        "tuple": [1, [2]],
        "scalar": 0.5,
        "array": [0, 1, 2],
        "dict": {"1": "2024-01-01"},
    }
    with pytest.raises(ParameterError, match="'o' is an object"):
        parameters.to_json({"o": object()})


def test_cell_is_read_by_its_syntax() -> None:
    found = {p.name: p for p in read_cell(COMPLEX)}
    assert list(found) == ["msg", *"abcdefghijk", "name"]
    assert (found["a"].type, found["a"].default, found["a"].help) == ("float", 2.25, "Variable a")
    assert (found["b"].type, found["b"].help) == ("List[str]", "Nice list")
    assert found["b"].default == ["Hello", "World"]
    assert (found["d"].type, found["d"].default_source) == (None, "a == 3")
    assert (found["e"].type, found["e"].default_source) == ("int", "")
    assert (found["f"].default, found["g"].default, found["f"].type) == (-1, -1, "int")
    assert (found["h"].default, found["i"].default, found["j"].type) == (1, None, None)
    assert found["k"].type is None
    assert (found["name"].default, found["name"].help) == ("m", "")


@pytest.mark.parametrize(
    "source", ["", "= = =", "(", "'''", "x = (", "\x00", "def f(:\n  pass\ny = 1"]
)
def test_broken_cells_do_no_harm(source: str) -> None:
    assert {p.name for p in read_cell(source)} <= {"y"}


def test_unknown_names_are_refused_naming_the_closest() -> None:
    with pytest.raises(ParameterError, match=r"no parameter 'epoch'.*'epochs'.*epochs, rate"):
        parameters.check({"epoch": 1}, notebook("epochs = 1\nrate = 0.1"))
    parameters.check({"epoch": 1, "rate": "x"}, notebook("rate = 1"), unchecked=True)
    with pytest.raises(ParameterError, match="assigns nothing"):
        parameters.check({"x": 1}, notebook("# nothing"))


def test_without_a_cell_all_names_are_taken_with_a_note() -> None:
    (note,) = parameters.check({"x": 1}, notebook(None))
    assert "no cell is tagged 'parameters'" in note
    (note,) = parameters.check({"x": 1}, notebook("x = 1", language="R"))
    assert "R notebooks are not checked" in note
    assert parameters.check({}, notebook(None)) == ()


@pytest.mark.parametrize("name", ["a b", "1a", "class", "a-b", "", "a;b"])
def test_names_that_are_no_names_are_refused(name: str) -> None:
    with pytest.raises(ParameterError, match="cannot be the name of a parameter"):
        parameters.check({name: 1}, notebook(None))


def test_names_in_other_languages() -> None:
    parameters.check_names(["a.b"], "R")
    with pytest.raises(ParameterError):
        parameters.check_names(["a b"], "R")


@pytest.mark.parametrize(
    ("declaration", "value"),
    [
        ("x = 0.1", 2),
        ("x = 1", None),
        ("x = None", "anything"),
        ("x = (1, 2)", [1]),
        ("x = {1, 2}", [1]),
        ("x = a == 3", 4),
        ("x: Optional[int] = None", 4),
        ("x: 'int | str' = 1", "a"),
        ("x: typing.Union[int, List[str]] = 1", ["a"]),
        ("x: Path = 'a'", "b"),
        ("x: Any = 1", "b"),
        ("x: int | None = 1", None),
        ("x = f'{1}'", "text"),
    ],
)
def test_types_that_will_do(declaration: str, value: Any) -> None:
    parameters.check({"x": value}, notebook(declaration))


@pytest.mark.parametrize(
    ("declaration", "value", "message"),
    [
        ("x = 1", "a", r"'x' is an int \(default 1\), but \"a\" is a str"),
        ("x = 1", True, "is a bool"),
        ("x = 1", 2.5, "x: float"),
        ("x = True", 1, "is a bool.*is an int"),
        ("x = 'a'", 2024, "write -r x 2024"),
        ("x = 'a'", [1], "is a list"),
        ("x: float = 1", "a", "is a float"),
        ("x: Optional[int] = None", "a", r"is an Optional\[int\]"),
        ("x = []", {"a": 1}, "is a list.*is a dict"),
        ("x = 1 # type: float", "a", "is a float"),
    ],
)
def test_types_that_will_not(declaration: str, value: Any, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        parameters.check({"x": value}, notebook(declaration))
