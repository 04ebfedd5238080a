"""The notebook that a job executes for a ``%%remote`` cell."""

from __future__ import annotations

import enum
import types
from typing import Any

from ..analysis import Names, reachable
from ..units import format_size
from ..values import Dumped
from .options import CellOptions, Surroundings

#: Ids of the cells that every such notebook has.
INPUTS, CELL, EXPORT = "hybrid-inputs", "hybrid-cell", "hybrid-export"
#: Also before the export: the user's cell may have reset the namespace.
IMPORT = "from jupyter_hybrid.values import inside as _hybrid"


def cell_notebook(
    inputs: str, source: str, place: Surroundings, options: CellOptions
) -> dict[str, Any]:
    """The notebook that a job executes for the cell (nbformat 4 JSON)."""
    cells = []
    if options.replay:
        cells += [_cell(f"hybrid-context-{i}", text) for i, text in enumerate(place.context)]
    cells += [
        _cell(INPUTS, inputs),
        _cell(CELL, _as_typed(source, place.line)),
        _cell(EXPORT, f"{IMPORT}\n_hybrid.give_back()"),
    ]
    return {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def _cell(cell_id: str, source: str) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "id": cell_id,
        "metadata": {},
        "source": source,
        "outputs": [],
        "execution_count": None,
    }


def _as_typed(source: str, line: str) -> str:
    """The cell with its first line as a comment, so that line numbers are those the user sees."""
    if source.lstrip().startswith("%%"):
        return source
    return f"# {line}\n{source}"


def inputs_cell(names: Names, dumped: Dumped, options: CellOptions, place: Surroundings) -> str:
    """Python that loads what the cell needs, readable to its user."""
    lines = [f"from __future__ import {feature}" for feature in place.futures]
    sent = [v for v in dumped.names if v.module is None]
    if sent:
        told = ", ".join(f"{v.name} ({v.type}, {format_size(v.size)})" for v in sent)
        lines.append(f"# from the notebook: {told}")
    lines += [import_line(name, module) for name, module in dumped.modules.items()]
    lines.append(IMPORT)
    there = {variable.name for variable in dumped.names}
    for name in names.deleted:
        if name in place.namespace and name not in there and not options.replay:
            lines.append(f"{name} = None  # the cell deletes it")
    lines.append(f"_hybrid.receive({_receive_arguments(names, dumped, options, place)})")
    return "\n".join(lines)


def import_line(name: str, module: str) -> str:
    """The statement that binds the module to the name."""
    if name == module:
        return f"import {module}"
    return f"import {module} as {name}"


def _receive_arguments(
    names: Names, dumped: Dumped, options: CellOptions, place: Surroundings
) -> str:
    arguments = []
    if place.number is not None:
        arguments.append(f"number={place.number}")
    changed = changeable(names, dumped, options, place)
    if changed:
        arguments.append(f"changed={changed!r}")
    if options.returns is not None:
        arguments.append(f"only={list(options.returns)!r}")
    if place.limit is not None:
        arguments.append(f"limit={place.limit}")
    if place.here:
        arguments.append("here=True")
    return ", ".join(arguments)


def changeable(
    names: Names, dumped: Dumped, options: CellOptions, place: Surroundings
) -> list[str]:
    """Names whose contents are compared before and after the cell: whatever it can get hold of.

    A value changes in more ways than source code shows: in functions, under other names, as
    a part of something else. One that is found to be the same stays as it is.
    """
    found = [variable.name for variable in dumped.names]
    if options.replay:
        visible = place.visible()
        used = reachable([*names.reads, *names.maybe], place.namespace)
        found += [name for name in used if name in visible]
    return [name for name in dict.fromkeys(found) if not _constant(place.namespace[name])]


def _constant(value: Any) -> bool:
    if isinstance(value, type | types.FunctionType):
        # those of a notebook have attributes and defaults that change; an Enum notes its uses
        return value.__module__ != "__main__" or isinstance(value, enum.EnumMeta)
    kinds = (int, float, complex, str, bytes, bool, type(None), range, types.ModuleType)
    return isinstance(value, kinds)
