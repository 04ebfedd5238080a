"""Notebooks, bundles and jobs for tests that run the real thing."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jupyter_hybrid.bundle import Bundle
from jupyter_hybrid.config import Hybrid
from jupyter_hybrid.credentials import job_key
from jupyter_hybrid.job import Job, new_job_id
from jupyter_hybrid.manager import Manager
from jupyter_hybrid.paths import job_directory
from jupyter_hybrid.request import Request
from jupyter_hybrid.spec import JobSpec, Resources
from jupyter_hybrid.store import Store, default_directory


def notebook(*sources: str) -> dict[str, Any]:
    """A notebook of code cells, with ids c0, c1, …"""
    cells: list[dict[str, Any]] = [
        {
            "cell_type": "code",
            "id": f"c{number}",
            "metadata": {},
            "source": source,
            "outputs": [],
            "execution_count": None,
        }
        for number, source in enumerate(sources)
    ]
    return {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


_ids = [""]


def a_job(
    root: Path, *sources: str, home: Path | None = None, **resources: Any
) -> tuple[Job, Bundle]:
    """A job of these cells, not submitted, and its bundle; ``home`` is for a root elsewhere."""
    # several in a millisecond sort as they were made, as a manager's do
    job_id = new_job_id(after=_ids[-1])
    _ids.append(job_id)
    spec = JobSpec(
        name="test", target="local", kind="notebook", resources=Resources(**resources), grace=5.0
    )
    job = Job(
        id=job_id, spec=spec, directory=str(job_directory(root, job_id)), created_at=time.time()
    )
    content = json.dumps(notebook(*sources)).encode()
    return job, Bundle(content, key=job_key(home or root, job_id))


def a_manager(**config: Any) -> Manager:
    """A manager over the test's own directory, without configuration files."""
    directory = default_directory()
    return Manager(Hybrid(directory=str(directory), **config), Store.open(directory))


def a_request(directory: Path, *sources: str, **options: Any) -> Request:
    """A request for a notebook of these cells."""
    values: dict[str, Any] = {"kind": "notebook", "name": "test", "code": tuple(sources)}
    return Request(notebook=notebook(*sources), directory=directory, **{**values, **options})


async def until(condition: Callable[[], Any], timeout: float = 90.0) -> Any:
    """Wait until the condition (a function, perhaps async) is true; returns its value."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if asyncio.iscoroutine(value):
            value = await value
        if value:
            return value
        assert time.monotonic() < deadline, "did not happen in time"
        await asyncio.sleep(0.02)
