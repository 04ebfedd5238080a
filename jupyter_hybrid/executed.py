"""The executed notebook of a job, in whatever state the job is or died."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .blocking import aside
from .errors import ResultError
from .events import Event, parse_events
from .paths import JobPaths
from .tailing import Tail, read_all

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .executors.base import Executor
    from .job import Job
    from .runner.assemble import Assembly

#: Where a notebook keeps what its widgets were.
STATES = "application/vnd.jupyter.widget-state+json"
#: Events that are put into a notebook at once: a job may have told of hundreds of thousands.
PART = 5000
#: Output widgets in output widgets that are looked into.
DEPTH = 4


def executed_notebook(paths: JobPaths) -> dict[str, Any]:
    """The ended job's notebook; made from the events where the runner could not write it.

    Raises ``ResultError`` where the directory holds neither.
    """
    try:
        left = _parse(paths.result.read_bytes())
    except OSError:
        left = None
    if left is not None:
        return left
    try:
        notebook = json.loads(paths.notebook.read_bytes())
    except (OSError, ValueError) as error:
        raise ResultError(
            f"{paths.directory} holds neither a result nor the notebook that was sent ({error}); "
            "submit it again"
        ) from error
    try:
        events, _ = parse_events(paths.events.read_bytes())
    except OSError:
        events = []
    from .runner.assemble import assemble

    assembled: dict[str, Any] = assemble(notebook, events, paths.event_blobs)
    return assembled


async def notebook_left(executor: Executor, job: Job) -> dict[str, Any] | None:
    """What the ended job's runner wrote, without its files; None where the place has no such.

    Raises ``PlaceError`` where the place does not answer.
    """
    content = await read_all(executor, job, JobPaths(Path()).result.name)
    # (a hundred megabytes take a second)
    return await asyncio.to_thread(_parse, content)


async def notebook_sent(executor: Executor, job: Job) -> dict[str, Any]:
    """The running job's notebook before it has shown anything."""
    return (await _begun(executor, job)).end()


async def _begun(executor: Executor, job: Job) -> Assembly:
    from .runner.assemble import Assembly

    content = await read_all(executor, job, JobPaths(Path()).notebook.name)
    return await aside(lambda: Assembly(json.loads(content)))


async def notebook_so_far(executor: Executor, job: Job) -> dict[str, Any]:
    """The running job's notebook with the outputs that it has sent until now."""
    assembly = await _begun(executor, job)
    part: list[Event] = []
    async for event in Tail(executor, job).new():
        part.append(event)
        if len(part) >= PART:
            await aside(assembly.take, part)
            part = []
    await aside(assembly.take, part)
    return await aside(assembly.end)


def without_widgets(notebook: Mapping[str, Any]) -> dict[str, Any]:
    """The notebook for who has not the kernel of its widgets: as its job's events say them.

    Progress bars are HTML, output widgets are what they hold, others are their texts.
    """
    metadata = dict(notebook.get("metadata") or {})
    kept = metadata.pop("widgets", None)
    models = _dict(_dict(_dict(kept).get(STATES)).get("state"))
    states = {name: _dict(_dict(model).get("state")) for name, model in models.items()}

    def shown(cell: Mapping[str, Any]) -> Mapping[str, Any]:
        if not cell.get("outputs"):
            return cell
        outputs = [one for output in cell["outputs"] for one in _static(output, states)]
        return {**cell, "outputs": outputs}

    cells = [shown(cell) for cell in notebook["cells"]]
    return {**notebook, "metadata": metadata, "cells": cells}


def _static(
    output: Mapping[str, Any], states: Mapping[str, Mapping[str, Any]], depth: int = DEPTH
) -> list[Mapping[str, Any]]:
    from .runner.widgets import VIEW, has_progress, static_form

    data = _dict(output.get("data"))
    if VIEW not in data:
        return [output]
    model = str(_dict(data[VIEW]).get("model_id"))
    state = states.get(model, {})
    if state.get("_model_name") == "OutputModel" and depth:
        held = state.get("outputs") or ()
        return [shown for one in held for shown in _static(_dict(one), states, depth - 1)]
    try:
        if has_progress(states, model):
            return [{**output, "data": static_form(states, model)}]
    except (TypeError, ValueError):
        pass  # a state that is none: its text is left
    return [{**output, "data": {mime: said for mime, said in data.items() if mime != VIEW}}]


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _parse(content: bytes) -> dict[str, Any] | None:
    try:
        notebook = json.loads(content)
    except ValueError:
        return None
    return notebook if isinstance(notebook, dict) else None
