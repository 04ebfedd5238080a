"""What ``--json`` prints and the server answers: their keys are kept from version to version."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from .job import Job

if TYPE_CHECKING:
    from .capture.plan import Plan, Preview
    from .executors.base import Offer
    from .parameters import Parameter
    from .request import Request


def to_text(value: Any, **options: Any) -> str:
    """The value as JSON that every program reads: most know no NaN and no infinity."""
    try:
        return json.dumps(value, allow_nan=False, **options)
    except ValueError:
        return json.dumps(_finite(value), **options)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, (list, tuple)) else value


def job_document(job: Job) -> dict[str, Any]:
    """A job. Times are seconds since the epoch, ``seconds`` is how long it ran."""
    spec = job.spec
    return {
        "id": job.id,
        "name": spec.name,
        "kind": spec.kind,
        "target": spec.target,
        "state": job.state.value,
        "wanted": job.wanted.value if job.wanted else None,
        "reason": job.reason,
        "notes": list(job.notes),
        "notebook": spec.notebook_path,
        "cell": spec.source_cell,
        "parameters": dict(spec.parameters),
        "kernel": spec.kernel,
        "image": spec.image,
        "resources": asdict(spec.resources),
        "directory": job.directory,
        "cells": {"done": job.cells_done, "total": job.cells_total, "current": job.current},
        "created_at": job.created_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
        "seconds": job.lasted(),
        "exit": job.exit.to_json() if job.exit else None,
        "fetched": dict(job.fetched) or None,
    }


def offer_document(offer: Offer) -> dict[str, Any]:
    """Hardware that a target can give. ``mem`` is bytes, ``wait`` seconds, ``price`` per hour."""
    return asdict(offer)


def parameter_document(parameter: Parameter) -> dict[str, Any]:
    """A parameter of a notebook. ``default`` is as written there."""
    return {
        "name": parameter.name,
        "type": parameter.type,
        "default": parameter.default_source,
        "help": parameter.help,
    }


def preview_document(request: Request, plan: Plan, preview: Preview) -> dict[str, Any]:
    """What a submit would send, besides its target's name. Sizes are bytes."""
    return {
        "files": [
            {"path": row.path, "size": row.size, "why": row.why, "new": row.new}
            for row in preview.rows
        ],
        "links": [link.path for link in plan.links],
        "directories": list(plan.directories),
        "size": preview.total,
        "new": preview.new,
        "notes": [*request.notes, *plan.notes],
        "refused": [{"path": r.path, "reason": r.reason} for r in plan.refused],
    }
