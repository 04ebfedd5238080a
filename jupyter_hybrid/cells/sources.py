"""Sources of what a notebook defined, and of the cells above a cell."""

from __future__ import annotations

import functools
import inspect
import re
import types
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePath
from typing import Any

from ..errors import NotebookError
from ..notebooks import Notebook, read_notebook, tags_of

#: Cells with this tag are for the user's own machine.
LOCAL = "local"
#: Characters of a path (PATH_MAX), and members of a collection that may be a list of files.
LONGEST, MANY = 4096, 10_000
_CACHED: Any = type(functools.lru_cache(None)(len))


def sources_of(values: Iterable[Any]) -> tuple[str, ...]:
    """Sources of the functions and classes among the values and of the values' own classes."""
    found: dict[str, None] = {}
    for value in values:
        for definition in _definitions(value):
            try:
                found[inspect.getsource(definition)] = None
            except (OSError, TypeError):  # made by exec, or not in a cell
                continue
    return tuple(found)


def _definitions(value: Any) -> Iterator[types.FunctionType]:
    if isinstance(value, _CACHED):
        value = value.__wrapped__
    if isinstance(value, types.FunctionType):
        yield value
        return
    cls = value if isinstance(value, type) else type(value)
    if cls.__module__ == "__main__":
        # of a class of a notebook, only its methods know where they stand
        yield from (v for v in vars(cls).values() if isinstance(v, types.FunctionType))


def texts_of(values: Mapping[str, Any]) -> str:
    """Assignments of the texts and paths among the values, in which names of files may stand.

    ``DATA = "data"`` above a cell says as much as ``"data"`` in it.
    """
    found = [(name, _texts(value)) for name, value in values.items()]
    return "\n".join(f"{name} = {texts!r}" for name, texts in found if texts)


def _texts(value: Any) -> str | list[str]:
    """The text, or those in a collection; empty where there are none, or too many to be files."""
    if isinstance(value, str | PurePath):
        return _text(value)
    if type(value) not in (list, tuple, set, frozenset, dict) or len(value) > MANY:
        return ""
    members = value.values() if type(value) is dict else value
    texts = [_text(member) for member in members if isinstance(member, str | PurePath)]
    return [text for text in texts if text]


def _text(value: str | PurePath) -> str:
    # a plain string: subclasses have any repr they like
    text = "".join(value) if isinstance(value, str) else str(value)
    return text if len(text) <= LONGEST else ""


def cells_above(
    path: Path | None, cell_id: str | None, source: str, history: Iterable[str]
) -> tuple[str, ...]:
    """Code to be executed before the cell: the notebook's cells above it, as far as it is saved.

    Where the notebook is not to be read, or does not hold the cell, the cells this kernel has
    executed so far. Cells tagged ``local`` are left out.
    """
    notebook = _read(path)
    if notebook is not None:
        cells = list(notebook.cells())
        position = _position(cells, cell_id, source)
        if position is not None:
            above = (c["source"] for c in cells[:position] if LOCAL not in tags_of(c))
            return tuple(filter(None, map(replayable, above)))
    return tuple(filter(None, map(replayable, history)))


def _read(path: Path | None) -> Notebook | None:
    if path is None:
        return None
    try:
        return read_notebook(path)
    except NotebookError:
        return None


def _position(cells: list[dict[str, Any]], cell_id: str | None, source: str) -> int | None:
    for number, cell in enumerate(cells):
        if cell_id is not None and cell["id"] == cell_id:
            return number
    same = [n for n, cell in enumerate(cells) if cell["source"].strip() == source.strip()]
    return same[-1] if same else None


def replayable(source: str) -> str:
    """The cell without jupyter-hybrid's own magics; empty where nothing is left.

    A ``%%remote`` cell's body is executed where the replay is.
    """
    text = re.sub(r"\A\s*%%remote\b[^\n]*\n?", "", source)
    lines = [
        line
        for line in text.split("\n")
        if not re.match(
            r"\s*%(remote\b|load_ext\s+jupyter_hybrid|reload_ext\s+jupyter_hybrid)", line
        )
    ]
    text = "\n".join(lines)
    return text if text.strip() else ""
