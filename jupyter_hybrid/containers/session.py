"""HTTP with one registry: authorized, patient, and with words for what goes wrong.

The ``Authorization`` header goes to the registry itself and never to where it redirects. What is
worth another attempt gets one, after the time that the registry asks for.
"""

from __future__ import annotations

import contextlib
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass, field

import httpx

from .._version import __version__
from ..credentials import Login, registry_login
from ..errors import RegistryError
from . import complaints
from .authentication import Authorizer, Scopes
from .endpoints import Endpoint, is_loopback
from .patience import Patience

log = logging.getLogger(__name__)

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
#: A registry may send a blob's reader on to its storage, and that one to another region.
_MAX_REDIRECTS = 5
#: Rounds of one request with a registry that asks who we are.
_ROUNDS = 3
#: Bytes of an answer that is read whole, unless the caller expects more.
_LIMIT = 4 << 20
_TIMEOUT = httpx.Timeout(connect=10.0, read=60.0, write=60.0, pool=None)
#: What Go's and nginx's servers say to plain HTTP on a port for TLS.
_WANTS_TLS = (b"HTTPS server", b"HTTPS port")

Content = bytes | Callable[[], AsyncIterator[bytes]] | None


@dataclass(frozen=True)
class Call:
    """One request to a registry."""

    method: str
    #: Below the registry, or a whole address that it gave us.
    path: str
    scopes: Scopes
    #: What it is for, in error messages: ``nvcr.io/nvidia/pytorch:24.01-py3``.
    what: str
    headers: dict[str, str] = field(default_factory=dict)
    content: Content = None
    #: Statuses that are answers; any other one is an error.
    expect: frozenset[int] = frozenset({200})
    #: Bytes of the body at most; not for what is streamed.
    limit: int = _LIMIT


@dataclass(frozen=True)
class Answer:
    """What a registry said, read whole."""

    status: int
    headers: httpx.Headers
    body: bytes


class Session:
    """A connection to one endpoint; close it with ``aclose``."""

    def __init__(
        self,
        endpoint: Endpoint,
        patience: Patience | None = None,
        find_login: Callable[[str], Awaitable[Login | None]] = registry_login,
    ) -> None:
        self.endpoint = endpoint
        self.patience = patience or Patience()
        self._base = httpx.URL(endpoint.base)
        self._ssl = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._trusting = False
        self._client = httpx.AsyncClient(
            verify=self._ssl,
            timeout=_TIMEOUT,
            # a proxy of the site is not asked for this machine
            trust_env=not endpoint.loopback,
            headers={"User-Agent": f"jupyter-hybrid/{__version__}", "Accept-Encoding": "identity"},
            limits=httpx.Limits(max_connections=8, max_keepalive_connections=8),
        )
        self._authorizer = Authorizer(endpoint, find_login, self._ask_token)
        _keep_quiet()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def send(self, call: Call) -> Answer:
        """The answer; raises ``RegistryError``.

        Waits and asks again where the registry is busy or the network breaks.
        """
        async for attempt in self.patience.tries():
            with attempt:
                return await self.once(call)
        raise AssertionError("unreachable")

    async def once(self, call: Call) -> Answer:
        """As ``send``, with a single attempt."""
        async with self.stream(call) as response:
            return await self._read(response, call)

    @contextlib.asynccontextmanager
    async def stream(self, call: Call) -> AsyncIterator[httpx.Response]:
        """The answer to a single attempt with its body still to come; closed at the end."""
        response = await self._authorized(call)
        try:
            if response.status_code not in call.expect:
                answer = await self._read(response, call)
                raise complaints.of_answer(answer, self.endpoint, call.what, self._user)
            yield response
        finally:
            await response.aclose()

    def resolve(self, location: str) -> str:
        """The address that a ``Location`` header means.

        Registries behind a proxy that ends TLS for them often write ``http`` for themselves.
        """
        url = self._base.join(location)
        if self._base.scheme == "https" and url.scheme == "http":
            upgraded = url.copy_with(scheme="https")
            if self._ours(upgraded):
                return str(upgraded)
        return str(url)

    @property
    def _user(self) -> str:
        return self._authorizer.user

    def _ours(self, url: httpx.URL) -> bool:
        base = self._base
        return (url.scheme, url.host, url.port) == (base.scheme, base.host, base.port)

    async def _authorized(self, call: Call) -> httpx.Response:
        """Send it with what the registry wants to see, asking for a token where it wants one."""
        asked = False
        for _ in range(_ROUNDS):
            url = self._base.join(call.path)
            ours = self._ours(url)
            header = await self._authorizer.header(call.scopes) if ours else None
            if asked and header is None:
                break
            response = await self._follow(call, url, header)
            if await self._speaks_tls(response):
                continue
            if response.status_code != 401 or 401 in call.expect or not ours:
                return response
            await response.aclose()
            asked = True
            challenge = response.headers.get("WWW-Authenticate", "")
            if not self._authorizer.challenged(challenge, header, call.scopes):
                break
        await self._authorizer.login()
        raise complaints.refused(self.endpoint.host, self._user, 401, call.what)

    async def _speaks_tls(self, response: httpx.Response) -> bool:
        """True where a registry on this machine wants TLS after all; then it gets it."""
        if response.status_code != 400 or self.endpoint.scheme != "http":
            return False
        body = await response.aread()
        if self._base.scheme == "https" or not any(words in body for words in _WANTS_TLS):
            return False
        self._base = httpx.URL(f"https://{self.endpoint.host}")
        return True

    async def _follow(self, call: Call, url: httpx.URL, header: str | None) -> httpx.Response:
        """The answer behind the redirects of a read; the header stays at home."""
        for _ in range(_MAX_REDIRECTS + 1):
            headers = dict(call.headers)
            if header is not None and self._ours(url):
                headers["Authorization"] = header
            content = call.content() if callable(call.content) else call.content
            request = self._client.build_request(call.method, url, headers=headers, content=content)
            response = await self._transmit(request)
            if response.status_code not in _REDIRECTS or call.method not in ("GET", "HEAD"):
                return response
            await response.aclose()
            url = self._next(url, response, call.what)
        raise RegistryError(f"{self.endpoint.host} sends {call.what} round in circles")

    def _next(self, url: httpx.URL, response: httpx.Response, what: str) -> httpx.URL:
        target = url.join(response.headers.get("Location", ""))
        if target.scheme == "https" or (target.scheme == "http" and self._plain(url, target)):
            return target
        raise RegistryError(
            f"{self.endpoint.host} redirects {what} to {target.scheme}://{target.netloc.decode()}, "
            "which is not safe; nothing was sent there"
        )

    def _plain(self, url: httpx.URL, target: httpx.URL) -> bool:
        """Plain HTTP may go on to plain HTTP; TLS goes on to TLS."""
        return url.scheme == "http" or is_loopback(target.netloc.decode())

    async def _transmit(self, request: httpx.Request) -> httpx.Response:
        if request.url.scheme == "https" and not self._trusting:
            # a quarter of a hundredth of a second that plain HTTP need not spend
            complaints.load_trust(self._ssl, self.endpoint)
            self._trusting = True
        token = _silent.set(True)
        try:
            response = await self._client.send(request, stream=True)
        except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError) as error:
            raise complaints.of_transport(error, request.url, self.endpoint) from error
        finally:
            _silent.reset(token)
        address = request.url.copy_with(query=None)
        log.debug("%s %s: %d", request.method, address, response.status_code)
        return response

    async def _ask_token(self, request: httpx.Request) -> Answer:
        response = await self._transmit(request)
        try:
            return await self._read(response, Call("GET", "", frozenset(), "a token"))
        finally:
            await response.aclose()

    async def _read(self, response: httpx.Response, call: Call) -> Answer:
        """Read the body, which must not be endless."""
        body = bytearray()
        with complaints.reading(response.request.url, self.endpoint):
            async for part in response.aiter_bytes():
                body += part
                if len(body) > call.limit:
                    raise RegistryError(
                        f"{self.endpoint.host} answers more than {call.limit} bytes for {call.what}"
                    )
        return Answer(response.status_code, response.headers, bytes(body))


#: True while a request of ours is on its way: httpx logs whole addresses, signatures included.
_silent: ContextVar[bool] = ContextVar("_silent", default=False)
_LOGGERS = ("httpx", "httpcore.connection", "httpcore.http11", "httpcore.proxy")


def _heard(record: logging.LogRecord) -> bool:
    return not _silent.get()


def _keep_quiet() -> None:
    """Let httpx log nothing of our requests; what others send is logged as before."""
    for name in _LOGGERS:
        # the same filter is added once
        logging.getLogger(name).addFilter(_heard)
