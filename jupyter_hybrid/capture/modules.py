"""Modules of the user's own that code imports, and those that they import."""

# plain strings: packages may be large
# ruff: noqa: PTH118

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ..environment import EDITABLE, LOCAL, Located, find_module, imports_of
from ..sources import Source, parse_source
from .ignore import ALWAYS
from .literals import Names, names_in

#: What is there at every place, and must not be shadowed by a copy.
_OURS = {"jupyter_hybrid", "jupyter_hybrid_spawner"}
#: Files of one package in which imports are looked for; a package that has more is data.
_MOST_FILES = 2000


@dataclass(frozen=True)
class OwnModule:
    """A module that must travel."""

    located: Located
    #: Python files of the module.
    sources: tuple[str, ...]

    @property
    def beside(self) -> bool:
        """True where file names in it are relative to the notebook: it is no installed project."""
        return self.located.kind == LOCAL


def own_modules(
    sources: Iterable[Source], directory: Path, roots: Sequence[Path] = ()
) -> list[OwnModule]:
    """Modules that are neither in the standard library nor in site-packages, with what they import.

    In the order in which they are met. Modules that are not found are left out: the code may
    well catch that.
    """
    pending = [name for source in sources for name in imports_of(source)]
    seen: set[str] = set(_OURS)
    found: list[OwnModule] = []
    while pending:
        top = pending.pop(0).partition(".")[0]
        if top in seen:
            continue
        seen.add(top)
        located = find_module(top, directory, roots)
        if located.kind not in (LOCAL, EDITABLE):
            continue
        files = tuple(python_files(located))
        found.append(OwnModule(located, files))
        for path in files:
            pending += _read(path)[0]
    return found


def python_files(located: Located) -> Iterator[str]:
    """The Python files of a module or package, at most two thousand."""
    count = 0
    for top in located.files:
        if top.suffix == ".py":
            yield str(top)
        for folder, folders, names in os.walk(top):
            folders[:] = sorted(name for name in folders if name not in ALWAYS)
            for name in sorted(names):
                if name.endswith(".py"):
                    count += 1
                    if count > _MOST_FILES:
                        return
                    yield os.path.join(folder, name)


def names_of(module: OwnModule) -> Iterator[tuple[str, Names]]:
    """For each file of the module, the file names in it."""
    for path in module.sources:
        yield path, _read(path)[1]


def _read(path: str) -> tuple[tuple[str, ...], Names]:
    try:
        found = Path(path).stat()
        return _parsed(path, found.st_mtime_ns, found.st_size)
    except OSError:
        return (), Names()  # the tree refuses it by name


@lru_cache(maxsize=4096)
def _parsed(path: str, _mtime_ns: int, _size: int) -> tuple[tuple[str, ...], Names]:
    text = Path(path).read_bytes().decode("utf-8", "replace")
    source = parse_source(text)
    return tuple(imports_of(source)), names_in([source], complete=False)
