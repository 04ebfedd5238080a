"""Notebooks in images, by the local target and podman."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import bases
import pytest
from jobs import a_manager, a_request, until

from jupyter_hybrid.job import State
from jupyter_hybrid.manager import Manager
from jupyter_hybrid.paths import JobPaths

pytestmark = [pytest.mark.needs(*bases.NEEDS), pytest.mark.timeout(300)]


def a_podman_manager(**options: object) -> Manager:
    return a_manager(targets={"local": {"executor": "local", "engine": "podman", **options}})


async def run(manager: Manager, directory: Path, *sources: str, **options: object) -> str:
    """Submit, wait for a good end, and return what the notebook printed."""
    job = await manager.submit(a_request(directory, *sources, **options))
    return await outputs(manager, job.id)


async def outputs(manager: Manager, job_id: str, state: State = State.COMPLETED) -> str:
    async def final() -> bool:
        return (await manager.status(job_id)).state.final

    await until(final, timeout=60)
    job = manager.get(job_id)
    assert job.state is state, (job.exit, (await manager.log(job_id)).decode())
    notebook = await manager.notebook(job_id)
    texts = [o.get("text", "") for c in notebook["cells"] for o in c.get("outputs", ())]
    return "".join("".join(text) for text in texts)


async def test_a_notebook_runs_in_the_image(
    base_image: Callable[[str], str], tmp_path: Path
) -> None:
    manager = a_podman_manager()
    image = base_image("ngc")
    said = await run(
        manager,
        tmp_path,
        "import sys, os, numpy\nprint(sys.executable, numpy.__version__)",
        "print(os.environ.get('NVIDIA_ENTRYPOINT_RAN'), os.path.exists('/etc/pip/constraint.txt'))",
        "open('made.txt', 'w').write('x')",
        image=image,
    )
    assert said == "/opt/conda/bin/python3 1.26.4\nyes True\n"
    job = manager.get("last")
    made = JobPaths(Path(job.directory)).work / "made.txt"
    assert made.stat().st_uid == Path(tmp_path).stat().st_uid
    # the image's banner is in the log and nowhere else
    assert b"== PyTorch ==" in await manager.log(job.id)
