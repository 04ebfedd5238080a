"""What only Docker has: a daemon that is root, and its own words for GPUs and limits."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import bases
import dockerd
import pytest
import smi
import somebody
from in_images import outputs, run
from jobs import a_manager, a_request, until
from somebody import User

from jupyter_hybrid.job import State
from jupyter_hybrid.manager import Manager
from jupyter_hybrid.paths import JobPaths
from jupyter_hybrid.spec import Resources

pytestmark = [pytest.mark.needs(*bases.NEEDS, *dockerd.NEEDS), pytest.mark.timeout(300)]


def a_docker_manager(**options: object) -> Manager:
    return a_manager(targets={"local": {"executor": "local", "engine": "docker", **options}})


@pytest.mark.needs(*somebody.NEEDS)
def test_a_job_s_files_are_the_user_s_though_the_daemon_is_root(
    docker_image: Callable[[str], str], somebody: User
) -> None:
    image, socket = docker_image("ngc"), Path(os.environ["DOCKER_HOST"].removeprefix("unix://"))
    # as for members of the group docker
    for path in (socket.parent, socket.parent.parent):
        path.chmod(0o711)
    socket.chmod(0o666)
    somebody.environ["DOCKER_HOST"] = os.environ["DOCKER_HOST"]
    somebody.hello("docker", image)


async def test_what_a_job_may_have_is_what_docker_holds_it_to(
    docker_image: Callable[[str], str], tmp_path: Path
) -> None:
    manager = a_docker_manager(network=False, read_only=True)
    source = "import os, time\nwhile not os.path.exists('go'): time.sleep(0.05)"
    resources = Resources(mem=1 << 30, cpus=2)
    request = a_request(tmp_path, source, image=docker_image("ngc"), resources=resources)
    job = await manager.submit(request)
    paths = JobPaths(Path(job.directory))
    await until(lambda: paths.events.exists() and b"cell" in paths.events.read_bytes())
    words = ["docker", "inspect", "--format={{json .HostConfig}}", f"jupyter-hybrid-{job.id}"]
    asked = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE)
    held = json.loads((await asked.communicate())[0])
    assert held["NetworkMode"] == "none" and held["ReadonlyRootfs"] is True
    assert held["Memory"] == held["MemorySwap"] > 1 << 30 and held["NanoCpus"] == 2 * 10**9
    (paths.work / "go").touch()
    await outputs(manager, job.id)


async def test_a_job_has_the_machine_s_network_where_the_site_gives_it(
    docker_image: Callable[[str], str], tmp_path: Path
) -> None:
    source = "import os\nprint(sorted(os.listdir('/sys/class/net')))"
    manager = a_docker_manager(engine_options=["--network=host"])
    said = await run(manager, tmp_path, source, image=docker_image("ngc"))
    assert said == f"{sorted(os.listdir('/sys/class/net'))}\n"


@pytest.mark.usefixtures("nvidia_smi")
async def test_docker_gets_the_gpu_that_nobody_uses(
    docker_image: Callable[[str], str], tmp_path: Path
) -> None:
    source = "import os\nprint({n: v for n, v in os.environ.items() if n.startswith('NVIDIA_V')})"
    image = docker_image("ngc")
    manager = a_docker_manager()
    said = await run(manager, tmp_path, source, image=image, resources=Resources(gpus=1))
    assert said == f"{{'NVIDIA_VISIBLE_DEVICES': '{smi.IDLE}'}}\n"
    # and none where none is asked for
    assert await run(manager, tmp_path, source, image=image) == "{}\n"


@pytest.fixture
def without_gpus(monkeypatch: pytest.MonkeyPatch) -> Iterator[dockerd.Daemon]:
    with dockerd.running(gpus=False) as daemon:
        for name, value in daemon.environment.items():
            monkeypatch.setenv(name, value)
        yield daemon


@pytest.mark.usefixtures("nvidia_smi")
async def test_a_docker_that_knows_no_gpus_is_told_with_the_way_out(
    without_gpus: dockerd.Daemon, tmp_path: Path
) -> None:
    tar = str(bases.tar_of("base"))
    await asyncio.to_thread(without_gpus.docker, "import", tar, "localhost/base:1")
    manager = a_docker_manager()
    wanted = {"image": "localhost/base:1", "resources": Resources(gpus=1)}
    job = await manager.submit(a_request(tmp_path, "1", **wanted))
    await outputs(manager, job.id, State.FAILED)
    assert "nvidia-ctk runtime configure --runtime=docker" in manager.get(job.id).reason
