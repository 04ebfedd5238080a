"""Notebooks in images, by the local target: podman, and docker."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path

import pytest
from container_engines import Place
from in_images import outputs, run
from jobs import a_manager, a_request, until

from jupyter_hybrid.errors import ImageError
from jupyter_hybrid.job import State
from jupyter_hybrid.manager import Manager
from jupyter_hybrid.paths import JobPaths

pytestmark = pytest.mark.timeout(300)


async def test_a_notebook_runs_in_the_image(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # (of the variables that name proxies the one that nothing here obeys)
    monkeypatch.setenv("ftp_proxy", "http://proxy.lab:3128")
    manager = place.manager()
    image = place.image("ngc")
    said = await run(
        manager,
        tmp_path,
        "import sys, os, numpy\nprint(sys.executable, numpy.__version__)",
        "print(os.environ.get('NVIDIA_ENTRYPOINT_RAN'), os.path.exists('/etc/pip/constraint.txt'))",
        "print(os.environ['ftp_proxy'])",
        "open('made.txt', 'w').write('x')",
        image=image,
    )
    assert said == "/opt/conda/bin/python3 1.26.4\nyes True\nhttp://proxy.lab:3128\n"
    job = manager.get("last")
    made = JobPaths(Path(job.directory)).work / "made.txt"
    assert made.stat().st_uid == Path(tmp_path).stat().st_uid
    # the image's banner is in the log and nowhere else
    assert b"== PyTorch ==" in await manager.log(job.id)


async def test_what_the_image_lacks_is_there_and_what_it_has_stays(
    place: Place, tmp_path: Path
) -> None:
    manager, image = place.manager(), place.image("ngc")
    code = (
        "import numpy, tqdm\nprint(numpy.__version__, tqdm.__file__)",
        "import subprocess, sys\nprint(subprocess.run([sys.executable, '-c', 'import tqdm'],"
        " capture_output=True, text=True).returncode)",
    )
    said = await run(manager, tmp_path, *code, image=image)
    assert said.startswith("1.26.4 /opt/jupyter-hybrid/environments/")
    assert said.endswith("\n0\n")
    kept = sorted(path for path in (manager.config.home / "images").rglob("*"))
    assert await run(manager, tmp_path, *code, image=image) == said
    # the second submit makes and fetches nothing
    assert sorted(path for path in (manager.config.home / "images").rglob("*")) == kept


async def test_a_rerun_has_its_packages_again(place: Place, tmp_path: Path) -> None:
    manager, image = place.manager(), place.image("ngc")
    said = await run(manager, tmp_path, "import tqdm\nprint(tqdm.__name__)", image=image)
    again = await manager.rerun("last")
    assert await outputs(manager, again.id) == said == "tqdm\n"
    # and one that ran in no image gets them for one
    await run(a_manager(), tmp_path, "import tqdm, sys\nprint(tqdm.__name__)")
    again = await manager.rerun("last", image=image)
    assert await outputs(manager, again.id) == "tqdm\n"


async def test_a_conflict_is_a_sentence_with_both_versions_and_no_job(
    place: Place, tmp_path: Path
) -> None:
    manager, image = place.manager(), place.image("ngc")
    (tmp_path / "requirements.txt").write_text("numpy==2.1.0\n")
    with pytest.raises(ImageError, match=r"asks for numpy==2\.1\.0 and the image has numpy 1\.26"):
        await manager.submit(a_request(tmp_path, "import numpy", image=image))
    assert manager.jobs() == []


async def test_a_dry_run_names_the_engine_the_image_its_layer_and_what_conflicts(
    place: Place, tmp_path: Path
) -> None:
    manager, image = place.manager(), place.image("ngc")
    request = a_request(tmp_path, "import numpy, sqlparse, nowhere_to_be_found", image=image)
    (tmp_path / "requirements.txt").write_text("sqlparse>=0.4\n")
    images = manager.config.home / "images"

    async def said() -> list[str]:
        return (await manager.describe(request, await manager.preview(request))).splitlines()

    first, kept, added, *told = await said()
    assert first == f"image: {image}, run by {place.engine}"
    assert kept.startswith("the image's own: ipykernel 6.29.5, numpy 1.26.4")
    assert added == "would be added as a layer: sqlparse>=0.4, and what they need"
    assert any(text.startswith("note: the code imports nowhere_to_be_found, wh") for text in told)
    (tmp_path / "requirements.txt").write_text("numpy==2.1.0\n")
    assert (await said())[1].startswith("conflict: requirements.txt asks for numpy==2.1.0 and the")
    assert not list(images.glob("layers/**/*sqlparse*")) and manager.jobs() == []
    # the doctor looks for the engine too
    assert await manager.executor().engine() == f"images by {place.engine}"


@pytest.mark.parametrize("force", [False, True], ids=["asked", "killed"])
async def test_a_cancelled_job_leaves_no_container(
    place: Place, force: bool, tmp_path: Path
) -> None:
    manager = place.manager()
    request = a_request(tmp_path, "import time\nprint('on')\ntime.sleep(600)", image="torch")
    manager.config.images["torch"] = place.image("ngc")
    job = await manager.submit(request)

    async def on() -> bool:
        await manager.status(job.id)
        return b'"on' in await manager.executor().read(job, "events.jsonl", 0)

    await until(on)
    assert place.containers() == [f"jupyter-hybrid-{job.id}"]
    await manager.cancel(job.id, force=force)
    assert await outputs(manager, job.id, State.CANCELLED) == "on\n"
    await until(lambda: not place.containers())


async def _over(manager: Manager, job_id: str) -> bool:
    return (await manager.status(job_id)).state.final


async def test_cancelled_while_it_is_made_it_leaves_no_container(
    place: Place, tmp_path: Path
) -> None:
    manager, image = place.manager(), place.image("ngc")
    for delay in (0.0, 0.0, 0.03, 0.06, 0.09, 0.12, 0.2, 0.3):
        job = await manager.submit(a_request(tmp_path, "import time\ntime.sleep(600)", image=image))
        await asyncio.sleep(delay)
        await manager.cancel(job.id)
        await until(lambda job=job: _over(manager, job.id))
        name = f"jupyter-hybrid-{job.id}"
        await until(lambda name=name: name not in place.containers())


async def test_a_container_outlives_the_client_that_started_it(
    place: Place, tmp_path: Path
) -> None:
    manager, image = place.manager(), place.image("ngc")
    source = "import os, time\nwhile not os.path.exists('go'): time.sleep(0.05)\nprint('went')"
    job = await manager.submit(a_request(tmp_path, source, image=image))
    paths = JobPaths(Path(job.directory))
    await until(lambda: paths.events.exists() and b"cell" in paths.events.read_bytes())
    client = json.loads((paths.directory / "spawned.json").read_bytes())["pid"]
    os.kill(client, signal.SIGKILL)
    assert (await manager.status(job.id)).state is State.RUNNING
    (paths.work / "go").touch()
    assert await outputs(manager, job.id) == "went\n"
    await until(lambda: not place.containers())
