"""What a ``%%remote`` line asks for, and where its cell stands: records only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..spec import Resources


@dataclass(frozen=True, kw_only=True)
class CellOptions:
    """What the ``%%remote`` line asks for."""

    target: str | None = None
    resources: Resources = field(default_factory=Resources)
    image: str | None = None
    kernel: str | None = None
    #: Names to send besides those that the cell reads.
    send: tuple[str, ...] = ()
    #: Names that come back; None for all that the cell assigns.
    returns: tuple[str, ...] | None = None
    files: tuple[str, ...] = ()
    #: Execute the notebook's cells above instead of sending the values they made.
    replay: bool = False
    name: str | None = None


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """Where the cell stands."""

    #: The user's namespace: the globals of every function the notebook defined.
    namespace: dict[str, Any]
    #: Names that are the shell's own, with the values that make them so.
    hidden: Mapping[str, Any] = field(default_factory=dict)
    #: Turns IPython's syntax into Python.
    transform: Callable[[str], str] = lambda text: text
    #: The first line of the cell, as typed.
    line: str = "%%remote"
    #: Execution count of the cell.
    number: int | None = None
    #: Features of ``__future__`` that are on in the notebook.
    futures: tuple[str, ...] = ()
    notebook_path: Path | None = None
    #: The cell's id in the notebook.
    cell_id: str | None = None
    directory: Path = field(default_factory=Path.cwd)
    #: Sources of the cells to replay.
    context: tuple[str, ...] = ()
    #: Bytes that one variable may have on the way back.
    limit: int | None = None
    #: The job's directory is one of this machine's, and what it writes needs no digests.
    here: bool = False

    def visible(self) -> dict[str, Any]:
        """The user's own variables."""
        nothing = object()
        return {
            name: value
            for name, value in self.namespace.items()
            if self.hidden.get(name, nothing) is not value
        }
