"""From a ``%%remote`` cell and the live namespace to a request for a job.

The job is a notebook: context cells where they are replayed, a cell that loads what is needed, the
user's cell exactly as typed, and a cell that hands back what it made.
"""

from __future__ import annotations

import ast
import shutil
import sys
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..analysis import Names, analyse, reachable
from ..errors import UsageError
from ..request import Request
from ..values import Dumped, Terms, Variable, dump
from .notebook import CELL, EXPORT, INPUTS, cell_notebook, changeable, inputs_cell
from .options import CellOptions, Surroundings
from .sources import sources_of, texts_of

__all__ = ["CELL", "EXPORT", "INPUTS", "CellOptions", "Prepared", "Surroundings", "prepare"]


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A request, and what it would send."""

    request: Request
    sent: tuple[Variable, ...]
    #: What does not travel though something the cell uses may want it.
    stayed: tuple[Variable, ...]
    #: Names that it may bring back or delete.
    returning: frozenset[str]


def prepare(source: str, options: CellOptions, place: Surroundings, directory: Path) -> Prepared:
    """The request for a job that executes the cell; its variables are written to ``directory``.

    Raises ``SyntaxError`` where the cell is not Python, and ``UsageError`` naming each variable
    that the cell needs and that does not pickle. Then nothing is left in ``directory``.
    """
    text = place.transform(source)
    _compile(text)
    names = analyse(text, place.transform)
    visible = place.visible()
    needed = _needed(names, options, visible)
    wanted = [*needed, *(() if options.replay else _perhaps(names, needed, visible))]
    sent = reachable(wanted, visible)
    # nobody has to vouch for what a job of ours is given
    dumped = dump(place.namespace, sent, directory, follow=visible, terms=Terms(digests=False))
    missing = [variable for variable in dumped.refused if variable.name in needed]
    if missing:
        shutil.rmtree(directory, ignore_errors=True)
        raise UsageError(_refusal(missing, options))
    if not dumped.names:
        shutil.rmtree(directory, ignore_errors=True)
    inputs = inputs_cell(names, dumped, options, place)
    return Prepared(
        request=Request(
            kind="cell",
            notebook=cell_notebook(inputs, source, place, options),
            name=options.name or _name(place),
            target=options.target,
            notebook_path=place.notebook_path,
            directory=place.directory,
            kernel=options.kernel,
            resources=options.resources,
            image=options.image,
            inputs=directory if dumped.names else None,
            shown_cells=(CELL,),
            source_cell=place.cell_id,
            files=options.files,
            code=_code(source, dumped, visible, place, options),
            loaded=tuple(sys.modules),
        ),
        sent=dumped.names,
        stayed=dumped.refused,
        returning=_returning(names, dumped, options, place),
    )


def _returning(
    names: Names, dumped: Dumped, options: CellOptions, place: Surroundings
) -> frozenset[str]:
    if options.returns is not None:
        return frozenset(options.returns)
    changed = changeable(names, dumped, options, place)
    return frozenset((*names.assigned, *names.deleted, *changed))


def _compile(text: str) -> None:
    """Raise ``SyntaxError`` for what only compiling finds: better now than when the job runs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            compile(text, "<cell>", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
        except SyntaxError as error:
            # some of them leave out the line, for want of a file to look it up in
            error.text = error.text or "".join(text.splitlines(True)[(error.lineno or 1) - 1 :][:1])
            raise


def _needed(names: Names, options: CellOptions, visible: Mapping[str, Any]) -> list[str]:
    for name in options.send:
        if name not in visible:
            raise UsageError(f"-i {name}: there is no variable {name!r} in this notebook")
    read = [] if options.replay else [name for name in names.reads if name in visible]
    return list(dict.fromkeys([*read, *options.send]))


def _perhaps(names: Names, needed: Iterable[str], visible: Mapping[str, Any]) -> list[str]:
    return [name for name in names.maybe if name in visible and name not in needed]


def _refusal(missing: Sequence[Variable], options: CellOptions) -> str:
    told = "; ".join(f"{v.name} ({v.type}) cannot travel: {v.note}" for v in missing)
    if options.replay:
        return f"{told}. Leave it out of -i: the replayed cells make it there."
    return (
        f"{told}. Make it inside the cell, or add --replay: then the cells above are executed "
        "there instead of sending their values."
    )


def _name(place: Surroundings) -> str:
    stem = place.notebook_path.stem if place.notebook_path else "cell"
    return f"{stem}-{place.number}" if place.number is not None else stem


def _code(
    source: str,
    dumped: Dumped,
    visible: Mapping[str, Any],
    place: Surroundings,
    options: CellOptions,
) -> tuple[str, ...]:
    """Everything in which names of modules and files may stand."""
    modules = {*dumped.modules.values(), *dumped.references} - {"builtins", "__main__"}
    imports = "\n".join(f"import {module}" for module in sorted(modules))
    context = place.context if options.replay else ()
    sent = {variable.name: visible[variable.name] for variable in dumped.names}
    return (*context, imports, texts_of(sent), source, *sources_of(sent.values()))
