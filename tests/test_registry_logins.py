"""Logins are found where docker, podman and NGC keep them, and are never shown."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from jupyter_hybrid.credentials import Login, registry_login
from jupyter_hybrid.errors import ConfigError

SECRET = "open-sesame"


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """The environment of somebody who has no login yet; programs of theirs are in ``bin``."""
    (tmp_path / "bin").mkdir()
    return {"HOME": str(tmp_path), "PATH": f"{tmp_path}/bin:/usr/bin:/bin"}


def basic(user: str, secret: str = SECRET) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{secret}".encode()).decode()}


def docker(home: dict[str, str], **config: Any) -> Path:
    path = Path(home["HOME"], ".docker", "config.json")
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(config))
    return path


def helper(home: dict[str, str], name: str, body: str) -> None:
    path = Path(home["HOME"], "bin", f"docker-credential-{name}")
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


async def test_without_any_there_is_none(home: dict[str, str]) -> None:
    assert await registry_login("registry.lab:5000", home) is None
    assert await registry_login("nvcr.io", home) is None


@pytest.mark.parametrize("key", ["registry.lab:5000", "https://registry.lab:5000/v1/"])
async def test_docker_logins(home: dict[str, str], key: str) -> None:
    docker(home, auths={key: basic("ada")})
    found = await registry_login("registry.lab:5000", home)
    assert found is not None
    assert (found.username, found.secret, found.is_token) == ("ada", SECRET, False)
    assert await registry_login("registry.lab", home) is None
    assert await registry_login("lab:5000", home) is None


async def test_a_secret_may_hold_a_colon(home: dict[str, str]) -> None:
    docker(home, auths={"r": basic("ada", "a:b:c")})
    found = await registry_login("r", home)
    assert found is not None and found.secret == "a:b:c"


async def test_dockers_own_registry_has_an_old_name(home: dict[str, str]) -> None:
    docker(home, auths={"https://index.docker.io/v1/": basic("ada")})
    found = await registry_login("docker.io", home)
    assert found is not None and found.username == "ada"


async def test_podmans_file_comes_before_dockers(home: dict[str, str]) -> None:
    docker(home, auths={"r": basic("docker")})
    path = Path(home["HOME"], "auth.json")
    path.write_text(json.dumps({"auths": {"r": basic("podman")}}))
    found = await registry_login("r", {**home, "REGISTRY_AUTH_FILE": str(path)})
    assert found is not None and found.username == "podman"


async def test_identity_tokens_are_told_from_passwords(home: dict[str, str]) -> None:
    docker(home, auths={"r": {**basic("00000000", ""), "identitytoken": SECRET}})
    found = await registry_login("r", home)
    assert found is not None
    assert (found.secret, found.is_token) == (SECRET, True)


async def test_a_helper_of_one_registry_and_one_of_all(home: dict[str, str]) -> None:
    # the helper must be told the registry on its standard input
    body = """read url; echo "{\\"Username\\":\\"$url\\",\\"Secret\\":\\"s\\"}" """
    helper(home, "one", body)
    helper(home, "all", "echo 'credentials not found in native keychain'; exit 1")
    docker(home, credHelpers={"r": "one"}, credsStore="all")
    found = await registry_login("r", home)
    assert found is not None and found.username == "r"
    assert await registry_login("other", home) is None


async def test_an_empty_entry_of_the_file_points_to_the_store(home: dict[str, str]) -> None:
    helper(home, "all", """echo '{"Username":"<token>","Secret":"s"}'""")
    docker(home, auths={"r": {}}, credsStore="all")
    found = await registry_login("r", home)
    assert found is not None and found.is_token


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (f"echo {SECRET}", "answered something that is not a login"),
        (f"echo {SECRET} >&2; echo {SECRET}; exit 3", "failed with status 3"),
    ],
)
async def test_broken_helpers_are_named_without_what_they_say(
    home: dict[str, str], body: str, words: str
) -> None:
    helper(home, "bad", body)
    docker(home, credHelpers={"r": "bad"})
    with pytest.raises(ConfigError, match=f"docker-credential-bad {words}") as caught:
        await registry_login("r", home)
    assert SECRET not in str(caught.value)


async def test_a_helper_that_is_not_installed_is_named(home: dict[str, str]) -> None:
    docker(home, credHelpers={"r": "gone"})
    with pytest.raises(ConfigError, match="docker-credential-gone for r cannot be started"):
        await registry_login("r", home)


@pytest.mark.parametrize("text", [f'{{"auths": {{"r": "{SECRET}', f'["{SECRET}"]'])
async def test_broken_files_are_named_without_what_they_hold(
    home: dict[str, str], text: str
) -> None:
    docker(home).write_text(text)
    with pytest.raises(ConfigError, match=r"config\.json") as caught:
        await registry_login("r", home)
    assert SECRET not in str(caught.value)


async def test_ngcs_key_from_the_environment_and_from_its_program(home: dict[str, str]) -> None:
    path = Path(home["HOME"], ".ngc", "config")
    path.parent.mkdir()
    path.write_text(";WARNING\n[CURRENT]\napikey = nvapi-50%off\nformat_type = ascii\n")
    found = await registry_login("nvcr.io", home)
    assert found is not None
    assert (found.username, found.secret) == ("$oauthtoken", "nvapi-50%off")
    found = await registry_login("nvcr.io", {**home, "NGC_API_KEY": " key\n"})
    assert found is not None and found.secret == "key"
    # it is nobody else's: not of a mirror, not of a name that looks like NVIDIA's
    for host in ("nvcr.io.lab", "mirror:5000", "127.0.0.1:5000"):
        assert await registry_login(host, {**home, "NGC_API_KEY": "key"}) is None


def test_no_representation_shows_the_secret() -> None:
    login = Login("ada", SECRET)
    assert SECRET not in f"{login!r} {login} {[login]!r}"
