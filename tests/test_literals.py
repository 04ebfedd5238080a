import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_hybrid.capture.literals import Name, names_in
from jupyter_hybrid.sources import parse_source


def texts(code: str, *, complete: bool = True) -> list[Name]:
    return list(names_in([parse_source(code)], complete=complete).files)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("x = 'a'", [Name("a")]),
        ("Path('a') / 'b'", [Name("a/b")]),
        ("Path('a') / x / 'b'", [Name("a/*/b", True)]),
        ("f'a/{x}{y}.csv'", [Name("a/*.csv", True)]),
        ("f'[1]/{x}.csv'", [Name("[[]1]/*.csv", True)]),
        ("'a/%03d.png' % n", [Name("a/*.png", True)]),
        ("os.path.join('a', 'b', '/c')", [Name("/c")]),
        ("Path('a').parent / 'b'", [Name("a/../b")]),
        ("str(Path('a').resolve() / 'b')", [Name("a/b")]),
        ("D = 'a'\nopen(D + '/b')", [Name("a/b")]),
        # all of the directory is wanted where one use does not say which file
        ("D = 'a'\nopen(D + '/b'); os.listdir(D)", [Name("a/b"), Name("a")]),
        ("D = 'a'", [Name("a")]),
        # assigned twice: it may be either
        ("D = 'a'\nD = 'b'\nopen(D + '/c')", [Name("a"), Name("b"), Name("/c")]),
        ("f'{x}/a.csv'", []),
        ("f'loss {x}'", []),
        ("'a' * 3", [Name("a")]),
    ],
)
def test_names(code: str, expected: list[Name]) -> None:
    assert texts(code) == expected


def test_directory_of_a_module_may_be_used_elsewhere() -> None:
    code = "D = 'a'\nopen(D + '/b')"
    assert texts(code, complete=False) == [Name("a/b"), Name("a")]


def test_import_roots() -> None:
    code = "sys.path.append('../src'); sys.path.insert(0, Path('..') / 'lib'); sys.path.append(x)"
    names = names_in([parse_source(code)])
    assert list(names.import_roots) == ["../src", "../lib"]
    assert not names.files


def test_cells_know_the_variables_of_other_cells() -> None:
    cells = [parse_source("D = Path('a')"), parse_source("%time open(D / 'b')")]
    assert Name("a/b") in names_in(cells).files


words = st.text("ab.", min_size=1, max_size=3)
expressions = st.recursive(
    words.map(lambda word: f"Path({word!r})"),
    lambda inner: st.one_of(
        st.tuples(inner, words).map(lambda p: f"({p[0]} / {p[1]!r})"),
        st.tuples(inner, words, words).map(lambda p: f"{p[0]}.joinpath({p[1]!r}, {p[2]!r})"),
        st.tuples(inner, words).map(lambda p: f"Path(os.path.join({p[0]}, {p[1]!r}))"),
        inner.map(lambda p: f"Path(str({p}))"),
        st.tuples(inner, words).map(lambda p: f"Path(os.fspath({p[0]}) + '/' + {p[1]!r})"),
    ),
    max_leaves=6,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(code=expressions)
def test_a_composed_path_is_what_python_makes_of_it(code: str) -> None:
    made = eval(code, {"Path": Path, "os": os})
    (name,) = texts(code)
    assert not name.pattern
    assert Path(name.text) == made
