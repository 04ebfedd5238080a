"""Decides which files travel with a job: named in the code, imported by it, or named by the user.

::

    CaptureRequest ── plan_files ──> Plan ── store_plan ──> FileEntry, FileEntry, …
                      names and sizes        contents
"""

# plain strings: names in the code are strings
# ruff: noqa: PTH112, PTH118, PTH119

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ..errors import BundleError
from ..sources import parse_source
from .collect import Collector, Found
from .literals import names_in
from .modules import names_of, own_modules
from .plan import Plan, PlannedFile, Preview, PreviewRow, Refused
from .storing import store_plan
from .wishes import absolute_names, explicit_wish, named_wishes

__all__ = [
    "CaptureRequest",
    "Plan",
    "PlannedFile",
    "Preview",
    "PreviewRow",
    "Refused",
    "plan_files",
    "store_plan",
]


@dataclass(frozen=True)
class CaptureRequest:
    """What a job's files are found by."""

    #: Where the notebook is: relative paths and local modules are looked for here.
    directory: Path
    #: The cells' sources.
    code: tuple[str, ...] = ()
    #: ``--files``: globs relative to the directory.
    files: tuple[str, ...] = ()
    #: Bytes that may travel without having been named by ``files``.
    limit: int = 2**30
    #: The notebook itself, which travels in another way.
    notebook: Path | None = None
    language: str = "python"
    #: Other files and directories that must not travel.
    exclude: tuple[Path, ...] = ()


def plan_files(request: CaptureRequest) -> Plan:
    """What would travel; reads code, names and sizes, no contents of data.

    Raises ``BundleError`` where a glob of the user's matches nothing, or more than the limit
    would travel without having been named.
    """
    directory = os.path.realpath(request.directory)
    if not os.path.isdir(directory):
        raise BundleError(
            f"{str(request.directory)!r} is not a directory (any more); "
            "submit from the directory that the notebook is in"
        )
    exclude = [os.path.realpath(path) for path in request.exclude]
    if request.notebook is not None:
        folder = os.path.realpath(request.notebook.parent)
        exclude.append(os.path.join(folder, request.notebook.name))
    collector = Collector(directory, exclude)
    collector.take(_look(request, directory))
    return collector.plan(request.limit)


def _look(request: CaptureRequest, directory: str) -> Found:
    """Read the code, and the code that it imports, for files and modules."""
    explicit = [explicit_wish(text, directory) for text in request.files]
    sources = [parse_source(text, request.language) for text in request.code]
    names = names_in(sources)
    roots = [os.path.normpath(os.path.join(directory, root)) for root in names.import_roots]
    modules = own_modules(sources, Path(directory), [Path(root) for root in roots])
    named = list(named_wishes(names, directory, "the code"))
    for module in modules:
        if module.beside:
            for path, inner in names_of(module):
                named += named_wishes(inner, directory, os.path.basename(path))
    notes = [
        f"{text} is an absolute path: it does not travel and must exist at the target"
        for text in absolute_names(names)
    ]
    return Found(explicit, named, modules, roots, notes)
