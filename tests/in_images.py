"""Jobs in images by podman, and what they printed."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from jobs import a_manager, a_request, until

from jupyter_hybrid.job import State
from jupyter_hybrid.manager import Manager


def a_podman_manager(config: dict[str, Any] | None = None, **options: object) -> Manager:
    """A manager whose target ``local`` runs images by podman."""
    targets = {"local": {"executor": "local", "engine": "podman", **options}}
    return a_manager(targets=targets, **(config or {}))


async def run(manager: Manager, directory: Path, *sources: str, **options: object) -> str:
    """Submit, wait for a good end, and return what the notebook printed."""
    job = await manager.submit(a_request(directory, *sources, **options))
    return await outputs(manager, job.id)


async def outputs(manager: Manager, job_id: str, state: State = State.COMPLETED) -> str:
    """Wait for the end, which is to be this one, and return what the notebook printed."""

    async def final() -> bool:
        return (await manager.status(job_id)).state.final

    await until(final, timeout=60)
    job = manager.get(job_id)
    assert job.state is state, (job.exit, (await manager.log(job_id)).decode())
    notebook = await manager.notebook(job_id)
    texts = [o.get("text", "") for c in notebook["cells"] for o in c.get("outputs", ())]
    return "".join("".join(text) for text in texts)


def containers() -> list[str]:
    """Names of the containers that podman has, whatever they do."""
    command = ["podman", "ps", "--all", "--format", "{{.Names}}"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
