"""Registries that run while tests of images do, and nobody's logins."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from images import put_image
from registries import Daemon, Options, start
from token_service import TokenService

from jupyter_hybrid.containers.endpoints import RegistrySettings


@pytest.fixture(autouse=True)
def no_logins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who is logged in nowhere and has no proxy."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("NGC_API_KEY", "NGC_CLI_API_KEY", "REGISTRY_AUTH_FILE", "DOCKER_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    for name in (
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "NO_PROXY",
        "XDG_CONFIG_HOME",
        "XDG_RUNTIME_DIR",
    ):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("registries")


@pytest.fixture(scope="session")
def open_registry(folder: Path) -> Iterator[Daemon]:
    """Anybody may do anything; it has ``nvidia/pytorch:24.01-py3``, of three layers."""
    daemon = start(folder / "open", Options("open"))
    layers = [{f"usr/lib/base{n}": bytes([n]) * 70_000} for n in range(3)]
    put_image(daemon.host, "nvidia/pytorch:24.01-py3", layers, docker=True)
    put_image(daemon.host, "nvidia/pytorch:23.12-py3", layers[:1], docker=True)
    yield daemon
    daemon.stop()


@pytest.fixture(scope="session")
def secure_registry(folder: Path) -> Iterator[Daemon]:
    daemon = start(folder / "secure", Options("secure"))
    yield daemon
    daemon.stop()


@pytest.fixture(scope="session")
def mirror(folder: Path, open_registry: Daemon) -> Iterator[Daemon]:
    """A pull-through cache of the open registry."""
    daemon = start(folder / "mirror", Options("mirror", upstream=open_registry.host))
    yield daemon
    daemon.stop()


@pytest.fixture(scope="session")
def token_service(folder: Path) -> Iterator[TokenService]:
    with TokenService(folder) as service:
        yield service


@pytest.fixture(scope="session")
def token_registry(folder: Path, token_service: TokenService) -> Iterator[Daemon]:
    daemon = start(folder / "token", Options("token", token=token_service.settings))
    yield daemon
    daemon.stop()


@pytest.fixture
def login(tmp_path: Path) -> Callable[[str, str, str], None]:
    """``login(host, user, password)``: what ``docker login`` leaves behind."""
    import base64
    import json

    def write(host: str, user: str, password: str) -> None:
        path = tmp_path / ".docker" / "config.json"
        path.parent.mkdir(exist_ok=True)
        auth = base64.b64encode(f"{user}:{password}".encode()).decode()
        known = json.loads(path.read_text())["auths"] if path.exists() else {}
        path.write_text(json.dumps({"auths": {**known, host: {"auth": auth}}}))

    return write


@pytest.fixture
def trusting(secure_registry: Daemon) -> RegistrySettings:
    """Settings of a site that has named the secure registry's authority."""
    return RegistrySettings(registry_certificates={secure_registry.host: secure_registry.authority})


@pytest.fixture
def podman(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """podman's words with a storage of its own, which is gone afterwards."""
    import podman as service

    with service.storage() as (words, environment):
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        yield words
