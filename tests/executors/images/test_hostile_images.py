"""Images that were not made for notebooks: jobs run in them, or a sentence says why not."""

from __future__ import annotations

import asyncio
import os
from collections import namedtuple
from collections.abc import Callable, Iterator
from pathlib import Path

import bases
import pytest
from container_engines import Place
from in_images import a_podman_manager, run
from jobs import a_request
from registries import Options, start

from jupyter_hybrid.errors import HybridError, ImageError, RegistryError, UsageError
from jupyter_hybrid.job import State
from jupyter_hybrid.telling import listening

pytestmark = [pytest.mark.needs(*bases.NEEDS), pytest.mark.timeout(300)]

WHO = "import getpass, os, sys, tqdm\nprint(os.getuid(), getpass.getuser(), sys.version_info[:2])"


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    daemon = start(tmp_path_factory.mktemp("registry") / "open", Options("open"))
    yield daemon.host
    daemon.stop()


async def test_another_user_no_pip_and_an_entry_point_that_fails(
    place: Place, tmp_path: Path
) -> None:
    manager = place.manager(read_only=True, network=False)
    said = await run(manager, tmp_path, WHO, image=place.image("hostile"))
    assert said.startswith("0 root (3, ")
    job = manager.get("last")
    assert {path.lstat().st_uid for path in Path(job.directory).rglob("*")} == {0}


if bases.PYTHON38:  # (no Debian of today has it)

    async def test_python_3_8(base_image: Callable[[str], str], tmp_path: Path) -> None:
        manager = a_podman_manager()
        said = await run(manager, tmp_path, WHO, image=base_image("python3.8"))
        assert said == "0 root (3, 8)\n"


async def test_no_python(place: Place, tmp_path: Path) -> None:
    manager, image = place.manager(), place.image("no-python")
    with pytest.raises(ImageError, match="no-python:1: the image has no Python, and a notebook"):
        await manager.submit(a_request(tmp_path, "1", image=image))
    assert manager.jobs() == []


async def test_no_such_image(
    base_image: Callable[[str], str], registry: str, tmp_path: Path
) -> None:
    manager = a_podman_manager()
    base_image("no-python")
    with pytest.raises((ImageError, RegistryError), match="lab/nothing"):
        await manager.submit(a_request(tmp_path, "1", image=f"{registry}/lab/nothing:1"))
    assert not list((manager.config.home / "images").glob("pulls/*/index.json"))


async def test_an_image_comes_from_its_registry_once_where_there_is_room(
    place: Place,
    registry: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    usage = namedtuple("usage", "total used free")
    # the site's mirror stands for a registry that no engine here could reach
    name = "nvcr.io/lab/base:1"
    await asyncio.to_thread(place.push, place.image("base"), f"{registry}/lab/base:1")
    mirrors = {"registry_mirrors": {"nvcr.io": f"http://{registry}"}}
    managers = [place.manager(mirrors) for _ in range(2)]
    request = a_request(tmp_path, WHO, image=name)
    said = await managers[0].describe(request, await managers[0].preview(request))
    assert said.startswith(f"image: {name}, run by {place.engine}\nit is not on this machine: ")
    with monkeypatch.context() as patch:
        patch.setattr("shutil.disk_usage", lambda path: usage(1 << 40, 1 << 40, 300 << 20))
        with pytest.raises(ImageError, match=r"unpacked, needs .* where 300 MB are free.*prune"):
            await managers[0].submit(a_request(tmp_path, WHO, image=name))
    assert not list((managers[0].config.home / "images").glob("pulls/*/blobs"))
    told: list[str] = []
    with listening(lambda what, _: told.append(what)):
        printed = await asyncio.gather(
            *(run(manager, tmp_path, WHO, image=name) for manager in managers)
        )
    assert len(set(printed)) == 1
    assert told.count(f"{place.engine} unpacks {name}") == 1 and f"pulling {name}" in told
    assert not list((managers[0].config.home / "images").glob("pulls/*"))


async def test_a_mount_that_is_not_there_fails_the_job_in_the_engine_s_words(
    place: Place, tmp_path: Path
) -> None:
    manager = place.manager(mounts=["/no/such/folder"])
    job = await manager.submit(a_request(tmp_path, "1", image=place.image("ngc")))
    while not (job := await manager.status(job.id)).state.final:
        await asyncio.sleep(0.05)
    assert job.state is State.FAILED
    assert "started no container" in job.reason and "/no/such/folder" in job.reason


async def test_gpus_that_are_not_there_are_told_before_anything_is_pulled(tmp_path: Path) -> None:
    from jupyter_hybrid.spec import Resources

    request = a_request(tmp_path, "1", image="nvcr.io/a/b:1", resources=Resources(gpus=2))
    with pytest.raises(UsageError, match="has no GPUs that nvidia-smi shows, not 2"):
        await a_podman_manager().submit(request)


async def test_a_target_without_an_engine_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = a_request(tmp_path, "1", image="nvcr.io/a/b:1")
    with pytest.raises(UsageError, match="'engine' is 'none'"):
        await a_podman_manager(engine="none").submit(request)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="neither docker, podman nor apptainer"):
        await a_podman_manager(engine="").submit(request)
    with pytest.raises(HybridError, match="podman cannot be started"):
        await a_podman_manager().submit(request)


async def test_docker_without_its_daemon_is_passed_over(
    base_image: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    docker = tmp_path / "bin" / "docker"
    docker.write_text("#!/bin/sh\necho 'Cannot connect to the Docker daemon' >&2\nexit 1\n")
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    said = await run(a_podman_manager(engine=""), tmp_path, "print(1)", image=base_image("ngc"))
    assert said == "1\n"
