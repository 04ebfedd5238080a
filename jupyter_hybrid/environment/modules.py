"""What code imports, and where that is installed. Nothing is imported to find out.

::

    source ── imports_of ──> module names ── locate ──> stdlib | distribution | local | editable
"""

from __future__ import annotations

import ast
import importlib.machinery
import json
import os
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from ..sources import Source, parse_source

STDLIB, DISTRIBUTION, LOCAL, EDITABLE = "stdlib", "distribution", "local", "editable"
MISSING = "missing"

#: What ``%load_ext`` finds in IPython itself.
_IPYTHON = ("autoreload", "storemagic")

_SUFFIXES = tuple(importlib.machinery.all_suffixes())


@dataclass(frozen=True)
class Located:
    """Where a top-level module is."""

    #: The top-level name.
    name: str
    #: ``stdlib``, ``distribution``, ``local``, ``editable`` or ``missing``.
    kind: str
    #: The distribution's name and version, of ``distribution`` and ``editable`` ones.
    distribution: str | None = None
    version: str | None = None
    #: The module's file or its package's directory (several for a namespace package), of
    #: ``local`` and ``editable`` ones.
    files: tuple[Path, ...] = ()
    #: True for a package without ``__init__``.
    namespace: bool = False


def imports_of(source: str | Source, *, deep: bool = False) -> list[str]:
    """Names of the modules that the code imports: ``a.b`` for ``from a.b import c``, in order.

    ``deep`` says ``a.b.c`` instead, which may be a module and may be anything in ``a.b``.
    Relative imports stay within their package and are left out.
    """
    parsed = parse_source(source) if isinstance(source, str) else source
    names = dict.fromkeys(name for tree in parsed.trees for name in _imports(tree, deep))
    names.update(dict.fromkeys(e for e in parsed.extensions if e not in _IPYTHON))
    return list(names)


def _imports(tree: ast.AST, deep: bool) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            parts = [alias.name for alias in node.names if alias.name != "*"] if deep else []
            yield from (f"{node.module}.{part}" for part in parts)
            if not parts:
                yield node.module
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            function = node.func
            called = function.id if isinstance(function, ast.Name) else None
            called = function.attr if isinstance(function, ast.Attribute) else called
            name = node.args[0].value
            dynamic = called in ("import_module", "__import__")
            if dynamic and isinstance(name, str) and name and not name.startswith("."):
                yield name


def imports_at_run_time(source: str | Source) -> bool:
    """True where the code imports what cannot be read in it: ``import_module(name)``, ``exec``."""
    parsed = parse_source(source) if isinstance(source, str) else source
    return any(_unreadable(node) for tree in parsed.trees for node in ast.walk(tree))


def _unreadable(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call) or not node.args:
        return False
    function = node.func
    called = function.id if isinstance(function, ast.Name) else getattr(function, "attr", None)
    written = isinstance(node.args[0], ast.Constant)
    return called in ("import_module", "__import__", "exec") and not written


def locate(name: str, directory: Path, roots: Sequence[Path] = ()) -> Located:
    """Where the module would be imported from by a kernel that starts in the directory.

    ``roots`` are directories that the code adds to ``sys.path``.
    """
    found = find_module(name, directory, roots)
    if found.kind == DISTRIBUTION:
        known = _distribution(found.name)
        return replace(found, distribution=known[0], version=known[1]) if known else found
    return found


def find_module(name: str, directory: Path, roots: Sequence[Path] = ()) -> Located:
    """``locate`` without the names of distributions in site-packages, which take long to find."""
    top = name.partition(".")[0]
    if top in sys.builtin_module_names:
        return Located(top, STDLIB)
    spaces = []
    for root in (directory, *roots):
        regular, space = _beside(top, root)
        if regular is not None:
            # also where the standard library has that name: the kernel's directory comes first
            return Located(top, LOCAL, files=(regular,))
        spaces += [space] if space else []
    if top in sys.stdlib_module_names:
        return Located(top, STDLIB)
    found = _installed(top)
    if found.namespace or found.kind == MISSING:
        portions = dict.fromkeys((*spaces, *found.files))
        if portions and found.kind in (MISSING, LOCAL):
            return Located(top, LOCAL, files=tuple(portions), namespace=True)
    return found


def _beside(top: str, root: Path) -> tuple[Path | None, Path | None]:
    """The module or package in the directory, and the directory that may be a namespace package."""
    package = root / top
    try:
        is_directory = package.is_dir()
        if is_directory and any((package / f"__init__{s}").is_file() for s in _SUFFIXES):
            return package, None
        for suffix in _SUFFIXES:
            if package.with_name(top + suffix).is_file():
                return package.with_name(top + suffix), None
    except (OSError, ValueError):
        return None, None
    # "import data" beside a folder of tables is not a package
    return None, package if is_directory and holds_modules(package) else None


def holds_modules(directory: Path) -> bool:
    """True where a Python file is in the directory or one level below."""
    return any(True for pattern in ("*.py", "*/*.py") for _ in directory.glob(pattern))


def _installed(top: str) -> Located:
    spec = _find_spec(top)
    if spec is None:
        return Located(top, MISSING)
    if spec.origin in ("built-in", "frozen"):
        return Located(top, STDLIB)
    is_namespace = spec.loader is None or spec.origin is None
    if spec.submodule_search_locations is not None:
        files = [Path(p) for p in spec.submodule_search_locations if Path(p).is_dir()]
    else:
        files = [Path(spec.origin)] if spec.origin else []
    outside = tuple(f for f in files if not _is_installed(f))
    if not outside:
        return Located(top, DISTRIBUTION, namespace=is_namespace)
    for project, name, version in editable_projects():
        if outside[0].is_relative_to(project):
            return Located(top, EDITABLE, name, version, outside, is_namespace)
    return Located(top, LOCAL, files=outside, namespace=is_namespace)


def _find_spec(top: str) -> importlib.machinery.ModuleSpec | None:
    for finder in list(sys.meta_path):
        find = getattr(finder, "find_spec", None)
        try:
            spec = find(top, None) if find else None
        except (ImportError, AttributeError, ValueError, OSError):
            continue  # somebody else's finder, which knows more modules than this one
        if spec is not None:
            return spec  # type: ignore[no-any-return]
    return None


@lru_cache(maxsize=1)
def _site_directories() -> tuple[Path, ...]:
    paths = {sysconfig.get_path(name) for name in ("purelib", "platlib", "stdlib", "platstdlib")}
    return tuple(Path(path) for path in paths if path)


def _is_installed(path: Path) -> bool:
    if not path.exists() or {"site-packages", "dist-packages"} & set(path.parts):
        return True  # what is in a zip archive does not exist as a file
    return any(path.is_relative_to(directory) for directory in _site_directories())


def editable_projects(paths: Iterable[str] | None = None) -> list[tuple[Path, str, str]]:
    """Directories that are installed in place (``pip install -e``), with name and version.

    Read from ``direct_url.json`` (PEP 610) in the directories of ``sys.path``.
    """
    projects = []
    for directory in sys.path if paths is None else paths:
        try:
            names = os.listdir(directory or ".")
        except OSError:
            continue
        for name in names:
            if not name.endswith(".dist-info"):
                continue
            project = _project_of(Path(directory, name, "direct_url.json"))
            if project is not None:
                distribution, _, version = name.removesuffix(".dist-info").partition("-")
                projects.append((project, distribution.replace("_", "-"), version))
    return projects


def _project_of(path: Path) -> Path | None:
    try:
        record = json.loads(path.read_bytes())
        if not record["dir_info"].get("editable"):
            return None
        from urllib.parse import unquote, urlsplit

        return Path(unquote(urlsplit(record["url"]).path))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _distribution(top: str) -> tuple[str, str] | None:
    from importlib import metadata

    try:
        # mostly the names are the same, and reading all records takes a second
        guess = metadata.distribution(top)
        if any(file.parts[0] in (top, f"{top}.py") for file in guess.files or ()):
            return guess.metadata["Name"], guess.version
    except metadata.PackageNotFoundError:
        pass
    for name in _owners(tuple(sys.path)).get(top, ()):
        return name, metadata.version(name)
    return None


@lru_cache(maxsize=1)
def _owners(_path: tuple[str, ...]) -> dict[str, list[str]]:
    from importlib import metadata

    return dict(metadata.packages_distributions())
