import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_hybrid.environment import editable_projects, imports_of, locate


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("import os, a.b as c", ["os", "a.b"]),
        ("from a.b import c", ["a.b"]),
        ("from . import x\nfrom ..y import z", []),
        ("try:\n    import a\nexcept ImportError:\n    import b", ["a", "b"]),
        ("def f():\n    import late", ["late"]),
        ("importlib.import_module('x.y'); __import__('z'); import_module(name)", ["x.y", "z"]),
        ("importlib.import_module('.x', 'pkg'); __import__('')", []),
        ("!pip list\nimport a", ["a"]),
        ("%time import a", ["a"]),
        ("%%time\nimport a\n!ls", ["a"]),
        ("%%remote gpu --gpus 1\n%%capture\nimport a", ["a"]),
        ("%load_ext my_magics", ["my_magics"]),
        ("%%bash\nimport a", []),
        ("%%writefile x.py\nimport a", []),
        ("import a\nimport a", ["a"]),
        ("x = await f()\nimport a", ["a"]),
        ("import (", []),
        (r"s = '\d'" + "\nimport a", ["a"]),
    ],
)
def test_imports(code: str, expected: list[str]) -> None:
    assert imports_of(code) == expected


def test_standard_library_and_distributions(tmp_path: Path) -> None:
    for name in ("os", "sys", "json.decoder", "zlib"):
        assert locate(name, tmp_path).kind == "stdlib"
    found = locate("hypothesis.strategies", tmp_path)
    assert (found.name, found.kind, found.distribution) == (
        "hypothesis",
        "distribution",
        "hypothesis",
    )
    assert found.version
    assert found.files == ()
    # the module's name is not the distribution's
    assert locate("yaml", tmp_path).distribution in ("PyYAML", "pyyaml")
    assert locate("no_such_module", tmp_path).kind == "missing"


def test_local_modules(tmp_path: Path) -> None:
    (tmp_path / "a.py").touch()
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "__init__.py").touch()
    (tmp_path / "space").mkdir()
    (tmp_path / "space" / "x.py").touch()
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "x.csv").touch()
    assert locate("a.b", tmp_path).files == (tmp_path / "a.py",)
    assert locate("pkg", tmp_path).files == (tmp_path / "pkg",)
    found = locate("space.x", tmp_path)
    assert (found.kind, found.namespace, found.files) == ("local", True, (tmp_path / "space",))
    assert locate("tables", tmp_path).kind == "missing"


def test_the_notebooks_directory_comes_first(tmp_path: Path) -> None:
    # as in the kernel, whose sys.path begins there; a directory without __init__ comes last
    (tmp_path / "colorsys.py").touch()
    (tmp_path / "json").mkdir()
    (tmp_path / "json" / "x.py").touch()
    (tmp_path / "hypothesis").mkdir()
    (tmp_path / "hypothesis" / "x.py").touch()
    assert locate("colorsys", tmp_path).kind == "local"
    assert locate("json", tmp_path).kind == "stdlib"
    assert locate("hypothesis", tmp_path).kind == "distribution"


def test_roots_that_the_code_adds(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "m.py").touch()
    assert locate("m", tmp_path).kind == "missing"
    assert locate("m", tmp_path, [tmp_path / "src"]).files == (tmp_path / "src" / "m.py",)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    site = tmp_path / "site-packages"
    site.mkdir()
    monkeypatch.syspath_prepend(site)
    return site


def install(site: Path, project: Path, name: str, *, editable: bool = True) -> None:
    info = site / f"{name}-1.2.dist-info"
    info.mkdir()
    record = {"url": project.as_uri(), "dir_info": {"editable": editable}}
    (info / "direct_url.json").write_text(json.dumps(record))


def test_editable_install_by_path(
    tmp_path: Path, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "my project" / "src" / "plain_pkg"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    install(site, tmp_path / "my project", "plain_pkg")
    monkeypatch.syspath_prepend(package.parent)  # what its .pth file does
    found = locate("plain_pkg", tmp_path)
    assert (found.kind, found.distribution, found.version) == ("editable", "plain-pkg", "1.2")
    assert found.files == (package,)


@pytest.fixture
def finder(tmp_path: Path, site: Path) -> Iterator[Path]:
    """A project that setuptools has installed by a finder of its own."""
    package = tmp_path / "project" / "lib" / "found_pkg"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    install(site, tmp_path / "project", "found_pkg")
    before = list(sys.meta_path)
    from setuptools.command.editable_wheel import _finder_template

    text = _finder_template("found", {"found_pkg": str(package)}, {})
    module: dict[str, object] = {"__name__": "__editable___found_finder"}
    exec(compile(text, "finder", "exec"), module)
    module["install"]()  # type: ignore[operator]
    yield package
    sys.meta_path[:] = before
    sys.path_hooks[:] = [h for h in sys.path_hooks if "found" not in str(h)]


def test_editable_install_by_finder(tmp_path: Path, finder: Path) -> None:
    found = locate("found_pkg.sub", tmp_path)
    assert (found.kind, found.distribution, found.files) == ("editable", "found-pkg", (finder,))
    assert "found_pkg" not in sys.modules


def test_what_is_installed_in_place(tmp_path: Path, site: Path) -> None:
    install(site, tmp_path / "a", "a")
    install(site, tmp_path / "b", "b", editable=False)
    (site / "c-1.dist-info").mkdir()
    (site / "c-1.dist-info" / "direct_url.json").write_text("{")
    assert editable_projects([str(site), str(tmp_path / "gone")]) == [(tmp_path / "a", "a", "1.2")]


def test_own_checkout_is_found_where_it_is_developed(tmp_path: Path) -> None:
    here = Path(__file__).parents[1] / "jupyter_hybrid"
    found = locate("jupyter_hybrid", tmp_path)
    if found.kind == "distribution":
        assert found.distribution == "jupyter-hybrid"
    else:
        assert (found.kind, found.files) == ("editable", (here,))
