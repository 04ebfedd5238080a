"""Records as the OpenAPI document describes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .. import api
from ..documents import job_document, parameter_document
from ..parameters.annotations import accepted_types
from ..progress.text import joined

if TYPE_CHECKING:
    from ..bundle import Bundle
    from ..comparing import Comparison
    from ..job import Job
    from ..parameters import Parameter
    from .service import Service


#: Files that a preview, or the answer about what was fetched, lists.
LISTED = 1000
#: What is listed of what was fetched.
_FETCHED = ("files", "conflicts", "deleted", "left")


def job_answer(service: Service, job: Job, listed: int = 0) -> dict[str, Any]:
    """A job, with what only this server knows: where its files are in the workspace.

    The disk may be asked for that. A list of jobs has use for the number of things that were
    fetched, and none for their names: of each kind so many are ``listed``.
    """
    workspace = service.workspace
    document = job_document(job)
    return {
        **document,
        "final": job.state.final,
        "path": workspace.below(job.spec.notebook_path),
        "cost": api.cost(service.manager, job),
        "fetched": fetched_answer(service, job.fetched, listed) if job.fetched else None,
        "submit_key": job.submit_key or None,
        "revision": job.revision,
    }


def fetched_answer(
    service: Service, fetched: Mapping[str, Any], listed: int = LISTED
) -> dict[str, Any]:
    """What came back, with contents paths beside those of this machine."""
    below = service.workspace.below
    whole = {name: fetched.get(name) or () for name in _FETCHED}
    shown = {name: list(values[:listed]) for name, values in whole.items()}
    # (contents that are no files have been asked when it was fetched)
    paths = fetched.get("paths", ())[:listed] or map(below, shown["files"])
    return {
        "path": below(fetched.get("notebook")),
        **fetched,
        **shown,
        "paths": [path for path in paths if path is not None],
        "more": {name: len(values) - len(shown[name]) for name, values in whole.items()},
    }


def notebook_answer(notebook: Mapping[str, Any]) -> dict[str, Any]:
    """A notebook with whole texts, as Jupyter's contents API has it, whoever wrote it."""
    return {**notebook, "cells": [_whole(cell) for cell in notebook["cells"]]}


def _whole(cell: Mapping[str, Any]) -> dict[str, Any]:
    whole = {**cell, "source": joined(cell.get("source", ""))}
    if "outputs" in whole:
        whole["outputs"] = [api.joined(output) for output in whole["outputs"]]
    return whole


def parameter_answer(parameter: Parameter) -> dict[str, Any]:
    """A parameter, for a field of a form."""
    accepted = accepted_types(parameter.type)
    return {
        **parameter_document(parameter),
        "value": _plain(parameter.default),
        "accepts": None if accepted is None else sorted(accepted),
    }


def comparison_answer(found: Comparison | None) -> dict[str, Any] | None:
    """Needs against an image, for a line and a list."""
    if found is None:
        return None
    keys = ("kind", "name", "here", "image", "sentence")
    rows = [{key: getattr(row, key) for key in keys} for row in found.rows]
    return {
        "image": found.image,
        "known": found.known,
        "rows": rows,
        "notes": list(found.notes),
        "added": dict(found.added),
    }


def preview_answer(document: Mapping[str, Any]) -> dict[str, Any]:
    """What would travel, where that is many files the largest of them."""
    files = document["files"]
    listed = sorted(files, key=lambda f: -f["size"])[:LISTED] if len(files) > LISTED else files
    return {**document, "files": listed, "more": len(files) - len(listed), "count": len(files)}


def sent_answer(bundle: Bundle) -> dict[str, Any]:
    """The same of what a job travelled with: all of it is there already."""
    files = [{"path": f.path, "size": f.size, "why": "", "new": 0} for f in bundle.files]
    document = {
        "files": files,
        "links": [link.path for link in bundle.links],
        "directories": list(bundle.directories),
        "size": sum(file.size for file in bundle.files),
        "new": 0,
        "notes": [],
        "refused": [],
    }
    return preview_answer(document)


def _plain(value: Any) -> Any:
    """A literal as JSON; None for what JSON has no form of."""
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    return value if isinstance(value, (str, int, float, bool)) else None
