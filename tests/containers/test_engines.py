"""The command lines of container engines, and what they answer."""

from __future__ import annotations

import subprocess
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from jupyter_hybrid.containers.engines import (
    Apptainer,
    Container,
    Docker,
    Engine,
    Mount,
    Podman,
    builders_here,
    engine_named,
    engines_here,
)
from jupyter_hybrid.errors import ConfigError, PlaceError, UsageError
from jupyter_hybrid.executors.images.commands import complaint


def container(**changes: Any) -> Container:
    values: dict[str, Any] = {
        "image": "nvcr.io/nvidia/pytorch:24.01-py3",
        "argv": ("/bin/sh", "-c", "true"),
        "name": "jh-1",
        "cwd": Path("/jobs/1"),
        "user": (1000, 100),
    }
    return Container(**{**values, **changes})


def test_docker_runs_as_the_user_and_leaves_nothing_behind() -> None:
    argv = Docker().run(container()).argv
    assert argv[:2] == ("docker", "run")
    assert {"--rm", "--pull=never", "--entrypoint=", "--name=jh-1", "--user=1000:100"} <= set(argv)
    assert argv[-4:] == ("nvcr.io/nvidia/pytorch:24.01-py3", "/bin/sh", "-c", "true")


@pytest.mark.parametrize("engine", [Docker(), Podman(), Apptainer()])
def test_no_value_of_a_variable_stands_in_the_process_list(engine: Engine) -> None:
    command = engine.run(container(env={"TOKEN": "s3cret"}))
    assert not [word for word in command.argv if "s3cret" in word]
    assert "s3cret" in command.env.values()


def test_a_variable_that_the_client_itself_obeys_is_not_given_to_it() -> None:
    command = Docker().run(container(env={"DOCKER_HOST": "tcp://x", "HOME": "/h"}))
    assert command.env == {}
    assert "--env=DOCKER_HOST=tcp://x" in command.argv


def test_limits_are_the_engine_s() -> None:
    argv = Podman().run(container(cpus=2, mem=1 << 30, network=False, read_only=True)).argv
    assert {"--cpus=2", "--memory=1073741824", "--memory-swap=1073741824"} <= set(argv)
    assert {"--network=none", "--read-only", "--tmpfs=/tmp"} <= set(argv)


def test_shared_memory_is_the_machine_s_unless_it_is_limited() -> None:
    assert "--ipc=host" in Docker().run(container()).argv
    assert "--shm-size=0" in Podman().run(container()).argv
    argv = Docker().run(container(shm=8 << 30)).argv
    assert "--shm-size=8589934592" in argv and "--ipc=host" not in argv


def test_gpus_are_named_one_by_one() -> None:
    asked = container(gpus=("0", "2"))
    assert '--gpus="device=0,2"' in Docker().run(asked).argv
    argv = Podman().run(asked).argv
    assert {"--device=nvidia.com/gpu=0", "--device=nvidia.com/gpu=2"} <= set(argv)
    command = Apptainer().run(asked)
    assert "--nv" in command.argv
    assert command.env["APPTAINERENV_CUDA_VISIBLE_DEVICES"] == "0,2"
    assert command.env["APPTAINERENV_CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"
    for engine in (Docker(), Podman(), Apptainer()):
        words = engine.run(container()).argv
        assert not [w for w in words if "gpu" in w or w == "--nv"]


def test_a_mount_may_have_any_name_that_the_engine_can_take() -> None:
    mount = Mount(Path('/a,"b'), PurePosixPath("/c:d"), read_only=True)
    (word,) = [w for w in Docker().run(container(mounts=(mount,))).argv if w.startswith("--mount")]
    assert word == '--mount=type=bind,"source=/a,""b",target=/c:d,readonly'
    with pytest.raises(UsageError, match="cannot bind"):
        Apptainer().run(container(mounts=(mount,)))


def test_podman_keeps_the_user_s_ids() -> None:
    assert "--userns=keep-id" in Podman().run(container()).argv
    assert "--userns=keep-id" not in Podman().run(container(user=(0, 0))).argv


def test_apptainer_runs_with_nothing_of_the_caller_s() -> None:
    mounts = (Mount(Path("/jobs/1"), PurePosixPath("/jobs/1")),)
    command = Apptainer(options=("--userns",)).run(container(image="/x.sif", mounts=mounts))
    words = ["apptainer", "--quiet", "exec", "--cleanenv", "--pwd=/jobs/1"]
    words += ["--bind=/jobs/1:/jobs/1", "--userns", "/x.sif", "/bin/sh", "-c", "true"]
    assert list(command.argv) == words


def test_singularity_has_names_of_its_own() -> None:
    command = engine_named("singularity").run(container(env={"A": "1"}))
    assert command.argv[0] == "singularity" and command.env == {"SINGULARITYENV_A": "1"}


#: podman 4.3.1 and Docker 24 answer the same to our format, but for the id's prefix.
INSPECTED = (
    '{"Id":"sha256:' + "a" * 64 + '","Size":728000000,"RepoDigests":["x/y@sha256:'
    + "b" * 64 + '"],"Labels":null}\n'
)  # fmt: skip


#: Docker 28 and 20.10, where a folder that is to be mounted is not there.
REFUSED = """\
WARNING: IPv4 forwarding is disabled. Networking will not work.
docker: Error response from daemon: invalid mount config for type "bind": bind source path does \
not exist: /no/such.

Run 'docker run --help' for more information
"""


@pytest.mark.parametrize("advice", ["Run 'docker run --help' for more", "See 'docker run --help'."])
def test_what_docker_says_of_its_failure_is_not_its_advice(advice: str) -> None:
    text = REFUSED.replace("Run 'docker run --help' for more", advice)
    done = subprocess.CompletedProcess(["docker"], 125, "", text)
    assert complaint(done).endswith("bind source path does not exist: /no/such.")


def test_an_image_is_read_from_what_inspect_prints() -> None:
    image = Docker().parse_inspect(INSPECTED)
    assert (image.id, image.size, image.labels) == ("a" * 64, 728_000_000, {})
    assert image.digests == ("x/y@sha256:" + "b" * 64,)
    with pytest.raises(PlaceError, match="no image"):
        Podman().parse_inspect("Error: something\n")


def test_buildah_makes_images_where_it_is_alone_and_runs_none() -> None:
    (found,) = builders_here(lambda name: f"/bin/{name}" if name == "buildah" else None)
    command = found.build(Path("/recipe"), "lab/x:1")
    assert command is not None and command.argv[:2] == ("buildah", "build")
    with pytest.raises(UsageError, match="runs none"):
        found.run(container())
    with pytest.raises(PlaceError, match="no image"):
        found.parse_inspect("Error: something\n")
    both = builders_here(lambda name: None if name == "docker" else f"/bin/{name}")
    assert [engine.name for engine in both] == ["podman", "buildah"]


def test_engines_are_found_by_name_and_by_program() -> None:
    assert engine_named("podman").name == "podman"
    with pytest.raises(ConfigError, match="choose one of: docker, podman"):
        engine_named("rkt")
    (found,) = engines_here(lambda name: f"/bin/{name}" if name == "apptainer" else None)
    assert isinstance(found, Apptainer)
    assert engines_here(lambda name: None) == []
