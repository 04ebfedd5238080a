"""Notebooks in images, by the local target and Apptainer; the image comes from a registry."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import apptainers
import bases
import hpc
import pytest
import smi
from hpc import Cluster
from jobs import a_manager, a_request, until
from registries import Options, start

from jupyter_hybrid.bundle import read_job_directory, write_job_directory
from jupyter_hybrid.cli import main
from jupyter_hybrid.containers.engines import Apptainer
from jupyter_hybrid.executors.images.settings import ImageSettings
from jupyter_hybrid.executors.images.starting import Start, container
from jupyter_hybrid.executors.local import LocalExecutor
from jupyter_hybrid.job import Job, State
from jupyter_hybrid.manager import Manager
from jupyter_hybrid.paths import JobPaths
from jupyter_hybrid.spec import Resources

pytestmark = [
    pytest.mark.needs(*bases.NEEDS, *hpc.NEEDS, "apt:docker-registry"),
    pytest.mark.timeout(600),
]


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    daemon = start(tmp_path_factory.mktemp("registry") / "open", Options("open"))
    yield daemon.host
    daemon.stop()


@pytest.fixture
def image(
    registry: str,
    base_image: Callable[[str], str],
    cluster: Cluster,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> str:
    """An image with Python and nothing else, in a registry; and Apptainer on the PATH."""
    apptainers.write_program(tmp_path / "bin", cluster.directory / "rootfs")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    name = f"{registry}/lab/base:1"
    push = ["podman", "push", "--quiet", "--tls-verify=false", base_image("base"), name]
    subprocess.run(push, check=True, capture_output=True)
    return name


def an_apptainer_manager(**more: object) -> Manager:
    options = {"engine": "apptainer", "engine_options": list(apptainers.OPTIONS), **more}
    return a_manager(targets={"local": {"executor": "local", **options}})


async def ended(manager: Manager, job: Job, state: State) -> str:
    async def final() -> bool:
        return (await manager.status(job.id)).state.final

    await until(final, timeout=90)
    assert manager.get(job.id).state is state, (await manager.log(job.id)).decode()
    notebook = await manager.notebook(job.id)
    texts = [o.get("text", "") for c in notebook["cells"] for o in c.get("outputs", ())]
    return "".join("".join(text) for text in texts)


async def test_a_notebook_runs_in_a_sif_that_is_made_once(image: str, tmp_path: Path) -> None:
    managers = [an_apptainer_manager() for _ in range(2)]
    source = "import os, sys, tqdm\nprint(tqdm.__file__, os.environ['APPTAINER_CONTAINER'])"
    requests = [a_request(tmp_path, source, image=image) for _ in managers]
    jobs = await asyncio.gather(*(m.submit(r) for m, r in zip(managers, requests, strict=True)))
    for manager, job in zip(managers, jobs, strict=True):
        module, container = (await ended(manager, job, State.COMPLETED)).split()
        assert module.startswith("/opt/jupyter-hybrid/environments/")
        assert container.endswith(".sif")
    directory = managers[0].config.home / "images"
    assert len(list(directory.glob("sif/*.sif"))) == 1
    assert not list(directory.glob("pulls/*"))


async def test_cancel_ends_everything_and_keeps_what_was_printed(
    image: str, tmp_path: Path
) -> None:
    manager = an_apptainer_manager()
    source = "import time, tqdm\nprint('on')\ntime.sleep(600)"
    job = await manager.submit(a_request(tmp_path, source, image=image))
    paths = JobPaths(Path(job.directory))
    await until(lambda: paths.events.exists() and b'"on' in paths.events.read_bytes())
    await manager.cancel(job.id)
    assert await ended(manager, job, State.CANCELLED) == "on\n"


#: Ask the driver's library, as torch does, and its program.
ASK = """
import ctypes, os, subprocess
nvml, count = ctypes.CDLL("libnvidia-ml.so.1"), ctypes.c_uint()
assert nvml.nvmlInit_v2() == nvml.nvmlDeviceGetCount_v2(ctypes.byref(count)) == 0
ask = ["nvidia-smi", "--query-gpu=driver_version"]
driver = subprocess.run(ask, capture_output=True, text=True, check=True).stdout.split()[0]
print(count.value, driver, os.environ["CUDA_VISIBLE_DEVICES"])
"""


@pytest.mark.needs("apt:gcc")
@pytest.mark.usefixtures("nvidia_smi")
async def test_the_driver_comes_along_where_gpus_are_asked_for(
    image: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Apptainer's own --nv, for a machine with a stand-in of a driver."""
    for name, value in apptainers.write_driver(tmp_path / "driver").items():
        monkeypatch.setenv(name, value)
    manager = an_apptainer_manager()
    wanted = a_request(tmp_path, ASK, image=image, resources=Resources(gpus=1))
    job = await manager.submit(wanted)
    assert await ended(manager, job, State.COMPLETED) == f"2 470.82.01 {smi.IDLE}\n"
    # without a GPU nothing of the driver is there
    source = "import ctypes\ntry: ctypes.CDLL('libnvidia-ml.so.1')\nexcept OSError: print('none')"
    job = await manager.submit(a_request(tmp_path, source, image=image))
    assert await ended(manager, job, State.COMPLETED) == "none\n"


async def test_no_network_where_the_site_gives_none(image: str, tmp_path: Path) -> None:
    source = "import socket\nprint([name for _, name in socket.if_nameindex()])"
    for network, expected in ((True, [name for _, name in socket.if_nameindex()]), (False, ["lo"])):
        manager = an_apptainer_manager(network=network)
        job = await manager.submit(a_request(tmp_path, source, image=image))
        assert await ended(manager, job, State.COMPLETED) == f"{expected}\n"


async def test_the_same_command_runs_as_an_unprivileged_user_of_a_cluster(
    image: str, cluster: Cluster, tmp_path: Path
) -> None:
    """What a batch script would start there: image, layers and job below a user's home."""
    manager = an_apptainer_manager()
    request = a_request(tmp_path, "import os, tqdm\nprint(tqdm.__name__, os.getuid())", image=image)
    await ended(manager, await manager.submit(request), State.COMPLETED)
    kept = manager.config.home / "images"
    executor = manager.executor()
    assert isinstance(executor, LocalExecutor)
    old = manager.get("last")
    bundle = read_job_directory(Path(old.directory))
    ready = await executor.prepared_images().prepare(image, old.spec, bundle.environment)

    folder = cluster.home / "images-test"
    there = Path("/home", cluster.user, folder.name)
    try:
        shutil.copytree(kept / "unpacked", folder / "unpacked")
        shutil.copy(ready.interior.image, folder / "image.sif")
        write_job_directory(folder / "job", old.spec, bundle, b"key")
        (folder / "blobs").mkdir()
        for path in (folder, *folder.rglob("*")):
            shutil.chown(path, *[cluster.home.stat().st_uid] * 2)
        interior = ready.layers.interior(str(there / "image.sif"), there / "unpacked")
        start = Start("job", there / "job", there / "blobs", Resources(time=60.0))
        command = Apptainer().run(container(interior, start, ImageSettings(network=True)))
        exports = [f"{name}={value}" for name, value in command.env.items()]
        await asyncio.to_thread(cluster.ssh, shlex.join(["env", *exports, *command.argv]))
        result = json.loads((folder / "job" / "result.ipynb").read_bytes())
        (output,) = result["cells"][0]["outputs"]
        assert "".join(output["text"]) == f"tqdm {cluster.home.stat().st_uid}\n"
    finally:
        shutil.rmtree(folder)


def test_images_and_recipes_become_files(
    image: str,
    registry: str,
    base_image: Callable[[str], str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    name, file = f"{registry}/lab/tiny:1", tmp_path / "tiny.sif"
    push = ["podman", "push", "--quiet", "--tls-verify=false", base_image("no-python"), name]
    subprocess.run(push, check=True, capture_output=True)
    assert main(["image", "convert", name, str(file)]) == 0
    assert main(["image", "convert", name, str(file)]) == 2
    assert "is there already" in capsys.readouterr().err

    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "train.py").write_text("EPOCHS = 3\n")
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "README").write_text("NVIDIA's\n")
    base = f"{registry}/lab/tiny:2"
    assert main(["image", "push", name, base, str(tmp_path / "theirs"), "workspace"]) == 0
    recipe = tmp_path / "recipe.yml"
    recipe.write_text(
        f"base: {base}\nfiles: {{code: /workspace}}\nenv: {{LAB: physics}}\n"
        'entrypoint: [/bin/sh, -c, "cat /workspace/README /workspace/train.py; echo $LAB"]\n'
    )
    built = tmp_path / "built.sif"
    assert main(["image", "build", str(recipe), str(built)]) == 0
    command = ["apptainer", "--quiet", "run", *apptainers.OPTIONS, "--cleanenv", str(built)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == "NVIDIA's\nEPOCHS = 3\nphysics\n", done.stderr
    assert not [*tmp_path.glob("*.part"), *tmp_path.glob("*.lock")]

    (tmp_path / "code" / "train.py").unlink()
    recipe.write_text(f"base: {name}\nfiles: {{code/train.py: /x}}\n")
    assert main(["image", "build", str(recipe), str(tmp_path / "no.sif")]) == 2
    assert not (tmp_path / "no.sif").exists()
