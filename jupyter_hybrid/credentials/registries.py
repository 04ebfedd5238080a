"""Logins at registries of images: where docker, podman and NGC keep them.

In the order in which they are asked:

* ``NGC_API_KEY`` or ``NGC_CLI_API_KEY`` for nvcr.io, whose user name is always ``$oauthtoken``;
* podman's file (``REGISTRY_AUTH_FILE``, containers-auth.json(5)) and docker's
  (``DOCKER_CONFIG/config.json``), each with its credential helpers;
* ``~/.ngc/config``, which the ``ngc`` program writes, for nvcr.io.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..blocking import within
from ..errors import ConfigError

NGC = "nvcr.io"
#: NGC's one user name (NGC documentation, "Docker login").
NGC_USER = "$oauthtoken"
#: Docker's old name for its own registry is still the key of its logins.
_DOCKER_KEYS = ("https://index.docker.io/v1/", "index.docker.io", "docker.io")
#: What a helper says where it has nothing (docker-credential-helpers, credentials/error.go).
_NOTHING = "credentials not found"
#: The user name that stands for a token in a helper's answer (docker-credential-helpers, README).
_TOKEN_USER = "<token>"
#: Seconds a credential helper has; some ask the desktop's key ring.
_PATIENCE = 30.0


@dataclass(frozen=True)
class Login:
    """A user name and its secret, which no representation shows."""

    username: str
    secret: str = field(repr=False)
    #: True where the secret is a refresh token of OAuth 2 rather than a password.
    is_token: bool = False
    #: Where it was found, for messages.
    source: str = ""


async def registry_login(host: str, environment: Mapping[str, str] = os.environ) -> Login | None:
    """The login for a registry (``nvcr.io``, ``localhost:5000``); None where there is none.

    Raises ``ConfigError`` naming the file or the helper that is broken; never with a secret in it.
    """
    if host == NGC:
        for name in ("NGC_API_KEY", "NGC_CLI_API_KEY"):
            if key := environment.get(name, "").strip():
                return Login(NGC_USER, key, source=name)
    for path in _files(environment):
        if path.is_file():
            login = await _from_file(path, host, environment)
            if login is not None:
                return login
    return _from_ngc(environment) if host == NGC else None


def _files(environment: Mapping[str, str]) -> Iterator[Path]:
    home = Path(environment.get("HOME") or Path.home())
    if named := environment.get("REGISTRY_AUTH_FILE"):
        yield Path(named)
    if runtime := environment.get("XDG_RUNTIME_DIR"):
        yield Path(runtime, "containers", "auth.json")
    config = environment.get("XDG_CONFIG_HOME") or home / ".config"
    yield Path(config, "containers", "auth.json")
    yield Path(environment.get("DOCKER_CONFIG") or home / ".docker", "config.json")


def _keys(host: str) -> tuple[str, ...]:
    """Names under which a login for the host may be kept."""
    if host in ("docker.io", "registry-1.docker.io"):
        return _DOCKER_KEYS
    return (host, f"https://{host}", f"http://{host}", f"https://{host}/v1/", f"https://{host}/v2/")


async def _from_file(path: Path, host: str, environment: Mapping[str, str]) -> Login | None:
    try:
        config = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"the logins in {path} cannot be read ({type(error).__name__}); mend or remove it"
        ) from None
    if not isinstance(config, dict):
        raise ConfigError(f"{path} holds no JSON object; mend or remove it")
    helpers = config.get("credHelpers") or {}
    auths = config.get("auths") or {}
    for key in _keys(host):
        if helper := helpers.get(key):
            return await _from_helper(helper, key, environment)
    for key in _keys(host):
        if (entry := auths.get(key)) and (login := parse_auth(entry, f"{path} ({key})")):
            return login
    if store := config.get("credsStore"):
        for key in _keys(host):
            if login := await _from_helper(store, key, environment):
                return login
    return None


def parse_auth(entry: Mapping[str, Any], source: str) -> Login | None:
    """The login in an entry of ``auths``; None where the entry only names the registry.

    ``auth`` is base64 of ``user:password`` (docker's config file, docker-config-json(5)).
    """
    if token := entry.get("identitytoken"):
        return Login(entry.get("username") or "", token, is_token=True, source=source)
    if entry.get("username") and entry.get("password"):
        return Login(entry["username"], entry["password"], source=source)
    if not (auth := entry.get("auth")):
        return None
    try:
        user, colon, secret = base64.b64decode(auth, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        colon = ""
    if not colon:
        raise ConfigError(f"the login in {source} is damaged; log in again (docker login)")
    return Login(user, secret.rstrip("\0"), source=source)


async def _from_helper(name: str, key: str, environment: Mapping[str, str]) -> Login | None:
    """Ask ``docker-credential-NAME get``, with the registry on its standard input."""
    program = f"docker-credential-{name}"
    try:
        process = await asyncio.create_subprocess_exec(
            *(program, "get"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=dict(environment),
        )
    except OSError as error:
        raise ConfigError(
            f"the credential helper {program} for {key} cannot be started ({error.strerror}); "
            "install it or log in again without it"
        ) from error
    try:
        said, _ = await within(_PATIENCE, process.communicate(key.encode()))
    except (TimeoutError, asyncio.TimeoutError):
        raise ConfigError(
            f"{program} did not answer within {_PATIENCE:.0f} s; does it wait for a key ring?"
        ) from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return parse_helper(said.decode(errors="replace"), process.returncode or 0, program)


def parse_helper(text: str, status: int, program: str) -> Login | None:
    """The login in a helper's answer; None where it has none for that registry."""
    if status != 0:
        if _NOTHING in text:
            return None
        raise ConfigError(f"{program} failed with status {status}; run '{program} list' to see why")
    try:
        answer = json.loads(text)
        user, secret = answer["Username"], answer["Secret"]
    except (ValueError, KeyError, TypeError):
        # what it printed may be a secret: it is not repeated
        raise ConfigError(f"{program} answered something that is not a login") from None
    return Login(user, secret, is_token=user == _TOKEN_USER, source=program)


def _from_ngc(environment: Mapping[str, str]) -> Login | None:
    import configparser

    path = Path(environment.get("HOME") or Path.home(), ".ngc", "config")
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError, configparser.Error) as error:
        raise ConfigError(f"{path} cannot be read ({type(error).__name__}); mend it") from None
    key = parser.get("CURRENT", "apikey", fallback="").strip()
    return Login(NGC_USER, key, source=str(path)) if key else None
