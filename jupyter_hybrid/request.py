"""What a door asks the manager to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .spec import Resources


@dataclass(frozen=True, kw_only=True)
class Request:
    """A job that is wanted. The manager makes spec, bundle and job of it."""

    #: ``cell`` or ``notebook``.
    kind: str
    #: The notebook to execute, nbformat 4, as JSON.
    notebook: Mapping[str, Any]
    #: What the user calls the job.
    name: str
    #: Target's name; None for the configured default.
    target: str | None = None
    #: Absolute path of the user's notebook, where one is known.
    notebook_path: Path | None = None
    #: Where the user works: relative paths and local modules are looked for here.
    directory: Path
    #: papermill parameters.
    parameters: Mapping[str, Any] = field(default_factory=dict)
    #: Kernelspec name; None for this environment's Python kernel.
    kernel: str | None = None
    language: str = "python"
    resources: Resources = field(default_factory=Resources)
    image: str | None = None
    #: Directory made by ``values.dump``; it is moved into the job.
    inputs: Path | None = None
    #: Ids of the cells whose outputs are the user's.
    shown_cells: tuple[str, ...] = ()
    #: Id, in the user's notebook, of the cell that this is.
    source_cell: str | None = None
    #: Globs of files to send besides those found in the code.
    files: tuple[str, ...] = ()
    #: Paths of files, as the preview shows them, that stay here all the same.
    exclude: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    #: Sources in which imports and file names are looked for.
    code: tuple[str, ...] = ()
    #: Modules that the kernel has loaded.
    loaded: tuple[str, ...] = ()
    #: The same for each attempt of one submit, of which there is one job; empty where none is made.
    submit_key: str = ""
    #: What the user should read before the job starts.
    notes: tuple[str, ...] = ()
