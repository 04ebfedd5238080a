"""A pytest plugin: engines that have the tests' images, each in a storage of its own.

A test that takes ``place`` runs by podman and by docker.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bases
import dockerd
import pytest
from jobs import a_manager

from jupyter_hybrid.manager import Manager


@dataclass(frozen=True)
class Place:
    """An engine, and what it is to be started with."""

    engine: str
    #: ``image(name)``: one of the images of ``bases``, as the engine knows it.
    image: Callable[[str], str]
    #: The engine's words for sending an image to an open registry.
    pushing: tuple[str, ...]

    def manager(self, config: dict[str, Any] | None = None, **options: object) -> Manager:
        """A manager whose target ``local`` runs images by the engine."""
        targets = {"local": {"executor": "local", "engine": self.engine, **options}}
        return a_manager(targets=targets, **(config or {}))

    def ask(self, *words: str) -> str:
        """What the engine's client prints; fails as it does."""
        command = [self.engine, *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def containers(self) -> list[str]:
        """Names of the containers that there are, whatever they do."""
        return self.ask("ps", "--all", "--format", "{{.Names}}").split()

    def push(self, image: str, name: str) -> None:
        """Send an image to an open registry as ``name``, which is unknown here afterwards."""
        self.ask("tag", image, name)
        self.ask("push", *self.pushing, name)
        self.ask("rmi", name)


@pytest.fixture(scope="session")
def _docker_daemon() -> Iterator[dockerd.Daemon]:
    with dockerd.running() as daemon:
        yield daemon


@pytest.fixture
def docker_image(
    _docker_daemon: dockerd.Daemon,
    _kept_images: Path,
    environment: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[str], str]:
    """``docker_image(name)``: the image, in a daemon that lasts as long as the run."""
    for name, value in _docker_daemon.environment.items():
        monkeypatch.setenv(name, value)
    bases.keep_images(environment, _kept_images)
    return lambda name: _imported(_docker_daemon, name)


def _imported(daemon: dockerd.Daemon, name: str) -> str:
    called = f"localhost/{name}:1"
    if not daemon.docker("images", "--quiet", called):
        changes = [word for line in bases.CONFIG[name] for word in ("--change", line)]
        daemon.docker("import", *changes, str(bases.tar_of(name)), called)
    return called


@pytest.fixture(
    params=[
        pytest.param("podman", marks=pytest.mark.needs(*bases.NEEDS)),
        pytest.param("docker", marks=pytest.mark.needs(*bases.NEEDS, *dockerd.NEEDS)),
    ]
)
def place(request: pytest.FixtureRequest) -> Place:
    """An engine that runs jobs."""
    if request.param == "podman":
        pushing = ("--quiet", "--tls-verify=false")
        return Place("podman", request.getfixturevalue("base_image"), pushing)
    # (what is on this machine docker takes without TLS)
    return Place("docker", request.getfixturevalue("docker_image"), ("--quiet",))
