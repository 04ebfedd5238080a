"""OpenID Connect as kubectl has it: an id token, renewed by a refresh token before it ends.

What the provider gives is written back to the kubeconfig, as kubectl does: many providers take a
refresh token once, and whoever comes with an old one has to log in again.
"""

from __future__ import annotations

import base64
import contextlib
import json
import ssl
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import ConfigError, HybridError, PlaceError
from ...files import replacing

if TYPE_CHECKING:
    import httpx

#: Seconds before its end in which a token is renewed.
EARLY = 30.0
#: Seconds for an answer of the provider.
PATIENCE = 15.0


class Provider:
    """A user of a kubeconfig who logs in by OpenID Connect."""

    def __init__(self, path: Path, user: str) -> None:
        self._path, self._user = path, user
        self._known: dict[str, Any] = {}

    @property
    def fresh(self) -> bool:
        """Whether the token that is known can be used for a while."""
        return good(self._known)

    def token(self) -> str:
        """The id token that counts now, from the provider if need be.

        Raises ``ConfigError`` where the user has to log in again, ``PlaceError`` where the provider
        does not answer, and ``OSError``.
        """
        if not self.fresh:
            kept = self._kept()
            # (where the file cannot be written, what is known here is newer)
            self._known = kept if good(kept) or not self._known else self._known
        if not self.fresh:
            try:
                self._known = {**self._known, **renewed(self._known, self._path.parent)}
            except HybridError:
                # another process may have been faster
                if not good(kept := self._kept()):
                    raise
                self._known = kept
            else:
                self._keep()
        return str(self._known["id-token"])

    def _kept(self) -> dict[str, Any]:
        return dict(_login(_read(self._path), self._user))

    def _keep(self) -> None:
        """Write the tokens where they were read; whoever may not write there asks again later."""
        with contextlib.suppress(OSError):
            import yaml

            config = _read(self._path)
            login = _login(config, self._user)
            for name in ("id-token", "refresh-token"):
                login[name] = self._known[name]
            text = yaml.safe_dump(config, sort_keys=False)
            with replacing(self._path.resolve(), self._path.stat().st_mode & 0o777) as file:
                file.write(text.encode())


def is_login(user: Mapping[str, Any]) -> bool:
    """Whether a kubeconfig's user logs in like this."""
    found = user.get("auth-provider") or {}
    return found.get("name") == "oidc" and "idp-issuer-url" in (found.get("config") or {})


def good(config: Mapping[str, Any]) -> bool:
    """Whether the id token can be used for a while; one that does not tell its end can."""
    try:
        middle = str(config["id-token"]).split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
        return float(claims.get("exp", "inf")) > time.time() + EARLY
    except (KeyError, IndexError, ValueError, AttributeError):
        return False


def renewed(config: Mapping[str, Any], base: Path) -> dict[str, str]:
    """New tokens by the refresh token (OpenID Connect Core 1.0, section 12)."""
    import httpx

    issuer = str(config["idp-issuer-url"]).rstrip("/")
    if not config.get("refresh-token"):
        raise _again(issuer, "the kubeconfig has no refresh token")
    try:
        with httpx.Client(verify=_authorities(config, base), timeout=PATIENCE) as client:
            known = client.get(f"{issuer}/.well-known/openid-configuration")
            known.raise_for_status()
            form, login = _identified(config, known.json())
            answer = client.post(known.json()["token_endpoint"], data=form, auth=login)
    except (httpx.HTTPError, ValueError, KeyError) as error:
        raise PlaceError(f"{issuer} does not renew a login: {error!r}", transient=True) from error
    try:
        found = answer.json()
    except ValueError:
        found = {}
    if answer.status_code != 200 or not found.get("id_token"):
        said = (
            found.get("error_description") or found.get("error") or f"status {answer.status_code}"
        )
        raise _again(issuer, str(said))
    again = found.get("refresh_token") or config["refresh-token"]
    return {"id-token": str(found["id_token"]), "refresh-token": str(again)}


def _identified(
    config: Mapping[str, Any], provider: Mapping[str, Any]
) -> tuple[dict[str, str], httpx.Auth]:
    """The form, and how this client tells who it is: as the provider wants it (section 9)."""
    import httpx

    form = {"grant_type": "refresh_token", "refresh_token": str(config["refresh-token"])}
    client, secret = str(config["client-id"]), str(config.get("client-secret") or "")
    ways = provider.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
    if secret and "client_secret_basic" in ways:
        return form, httpx.BasicAuth(client, secret)
    form |= {"client_id": client, **({"client_secret": secret} if secret else {})}
    return form, httpx.Auth()


def _authorities(config: Mapping[str, Any], base: Path) -> ssl.SSLContext:
    data, file = (config.get(f"idp-certificate-authority{end}") for end in ("-data", ""))
    text = base64.b64decode(data).decode() if data else None
    return ssl.create_default_context(cadata=text, cafile=str(base / file) if file else None)


def _again(issuer: str, said: str) -> ConfigError:
    return ConfigError(f"{issuer} does not renew the login: {said}; log in to the cluster again")


def _read(path: Path) -> Any:
    import yaml

    return yaml.safe_load(path.read_text(encoding="utf-8"))


def _login(config: Any, user: str) -> dict[str, Any]:
    """The part of a kubeconfig in which the user's tokens are."""
    for entry in config["users"]:
        if entry["name"] == user:
            found: dict[str, Any] = entry["user"]["auth-provider"]["config"]
            return found
    raise ConfigError(f"there is no user {user!r} in the kubeconfig any more")
