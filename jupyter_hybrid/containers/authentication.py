"""Authorization at a registry: what it asks for, and what it is given.

A registry answers 401 with a challenge (RFC 9110, 11.6.1): ``Basic``, or ``Bearer`` with the
address of a token service ("Token Authentication Specification" and "OAuth 2" of the distribution
project). Tokens are kept for as long as they hold, by scope.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx

from ..credentials import Login
from ..errors import RegistryError
from .complaints import phrase, refused
from .endpoints import Endpoint, is_loopback

if TYPE_CHECKING:
    from .session import Answer

#: Seconds a token holds that does not say for how long (the specification's default).
_DEFAULT_LIFE = 60.0
#: Seconds before its end after which a token is not used any more.
_MARGIN = 5.0
_PARAMETER = re.compile(r'([a-zA-Z_]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')
#: Who asks, for a token service's logs.
_CLIENT = "jupyter-hybrid"

#: Asks a token service, with an ``Authorization`` header or without.
Ask = Callable[[httpx.Request], Awaitable["Answer"]]
Scopes = frozenset[str]


def pull(repository: str) -> Scopes:
    """The scope for reading a repository."""
    return frozenset({f"repository:{repository}:pull"})


def push(repository: str) -> Scopes:
    """The scope for writing to a repository."""
    return frozenset({f"repository:{repository}:pull,push"})


@dataclass(frozen=True)
class Challenge:
    """What a registry wants: ``basic`` or ``bearer``, and its parameters."""

    scheme: str
    parameters: Mapping[str, str] = field(default_factory=dict)


def parse_challenges(header: str) -> list[Challenge]:
    """The challenges in a ``WWW-Authenticate`` header; those of unknown schemes are left out."""
    found = []
    starts = list(re.finditer(r"(?:^|,)\s*(basic|bearer)(?=\s|,|$)", header, re.IGNORECASE))
    for start, following in zip(starts, [*starts[1:], None], strict=True):
        text = header[start.end() : following.start() if following else None]
        parameters = {
            name.lower(): re.sub(r"\\(.)", r"\1", quoted) or bare
            for name, quoted, bare in _PARAMETER.findall(text)
        }
        found.append(Challenge(start[1].lower(), parameters))
    return found


@dataclass(frozen=True)
class _Token:
    value: str = field(repr=False)
    until: float = 0.0


class Authorizer:
    """Knows what to write into the ``Authorization`` header for one registry."""

    def __init__(
        self, endpoint: Endpoint, find: Callable[[str], Awaitable[Login | None]], ask: Ask
    ) -> None:
        self._endpoint = endpoint
        self._find = find
        self._ask = ask
        self._challenge: Challenge | None = None
        self._tokens: dict[Scopes, _Token] = {}
        self._lock = asyncio.Lock()
        self._login: Login | None = None
        self._looked = False

    @property
    def user(self) -> str:
        """Who is logged in, for messages; empty where nobody is."""
        return self._login.username or "a token" if self._login else ""

    async def header(self, scopes: Scopes) -> str | None:
        """The header for a request, by what is known; None where nothing is wanted so far."""
        if self._challenge is None:
            return None
        if self._challenge.scheme == "basic":
            login = await self.login()
            return basic(login) if login and not login.is_token else None
        # one of many requests at once fetches the token, the others wait for it
        async with self._lock:
            token = self._tokens.get(scopes)
            if token is None or token.until < time.monotonic():
                token = self._tokens[scopes] = await self._fetch(self._challenge, scopes)
        return f"Bearer {token.value}"

    def challenged(self, header: str, sent: str | None, scopes: Scopes) -> bool:
        """Take in a 401; True where another attempt with a new header makes sense."""
        challenges = parse_challenges(header)
        # a token is worth more than a password: it is for one repository and a minute
        order = sorted(challenges, key=lambda c: c.scheme != "bearer")
        if not order:
            return False
        known = self._challenge
        self._challenge = order[0]
        if sent is None:
            return True
        if known is not None and known.scheme != order[0].scheme:
            return True
        if order[0].scheme == "bearer":
            token = self._tokens.get(scopes)
            if token is not None and f"Bearer {token.value}" == sent:
                del self._tokens[scopes]
            return True
        return False

    async def login(self) -> Login | None:
        """The user's login here, looked up at the first use."""
        if not self._looked:
            self._login = await self._find(self._endpoint.host)
            self._looked = True
        return self._login

    async def _fetch(self, challenge: Challenge, scopes: Scopes) -> _Token:
        realm = self._realm(challenge)
        login = await self.login()
        service = challenge.parameters.get("service", "")
        wanted = sorted(scopes) or challenge.parameters.get("scope", "").split()
        if login is not None and login.is_token:
            form = {"grant_type": "refresh_token", "refresh_token": login.secret}
            form |= {"service": service, "scope": " ".join(wanted), "client_id": _CLIENT}
            request = httpx.Request("POST", realm, data=form)
        else:
            query = [*realm.params.multi_items(), *(("scope", scope) for scope in wanted)]
            query += [("service", service)] if service else []
            query += [("account", login.username)] if login else []
            url = realm.copy_with(params=httpx.QueryParams(tuple(query)))
            headers = {"Authorization": basic(login)} if login else {}
            request = httpx.Request("GET", url, headers=headers)
        answer = await self._ask(request)
        return self._token(answer, realm)

    def _realm(self, challenge: Challenge) -> httpx.URL:
        """The token service's address; a password goes there, so it must be a safe one."""
        text = challenge.parameters.get("realm", "")
        try:
            realm = httpx.URL(text)
        except httpx.InvalidURL:
            realm = httpx.URL()
        host = realm.netloc.decode()
        allowed = realm.scheme == "https" or (
            realm.scheme == "http" and (self._endpoint.scheme == "http" or is_loopback(host))
        )
        if not allowed or not realm.host:
            raise RegistryError(
                f"{self._endpoint.host} wants a token from {text!r}, which is no https address; "
                "your login is not sent there"
            )
        return realm

    def _token(self, answer: Answer, realm: httpx.URL) -> _Token:
        where = f"{realm.scheme}://{realm.netloc.decode()}{realm.path}"
        if answer.status in (401, 403):
            raise refused(self._endpoint.host, self.user, answer.status)
        if answer.status != 200:
            raise RegistryError(
                f"the token service {where} of {self._endpoint.host} answered "
                f"{answer.status} {phrase(answer.status)}",
                transient=answer.status >= 500,
            )
        try:
            document: Any = json.loads(answer.body)
            value = document.get("token") or document["access_token"]
            life = float(document.get("expires_in") or _DEFAULT_LIFE)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise RegistryError(
                f"the token service {where} of {self._endpoint.host} answered without a token"
            ) from None
        return _Token(str(value), time.monotonic() + life - _MARGIN)


def basic(login: Login) -> str:
    """The header of RFC 7617."""
    pair = f"{login.username}:{login.secret}".encode()
    return "Basic " + base64.b64encode(pair).decode()
