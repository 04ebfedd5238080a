"""HTTP connections to a cluster's API server, with credentials: one session for each event loop."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import socket
import time
import weakref
from abc import ABC, abstractmethod
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from typing import TYPE_CHECKING, Any

from ...errors import ConfigError, HybridError
from .kubeconfig import Access, find_access, in_cluster, kubeconfig_path
from .settings import Settings

if TYPE_CHECKING:
    from aiohttp import ClientSession
    from kubernetes_asyncio.client import ApiClient

#: Seconds for which a token that was read from a file is good.
TOKEN_AGE = 60.0
#: Seconds between two questions to a provider that gives no token.
ASK_AGAIN = 5.0
#: Rounds that an event loop may take to see that its sockets have ended.
ROUNDS = 50


class Connection:
    """An HTTP session with credentials; closed with its event loop, or at the process's end."""

    session: ClientSession

    def __init__(self, name: str, settings: Settings) -> None:
        self._name, self._settings = name, settings
        self._login: _Login | None = None
        self._old: list[_Login] = []
        self._keeper: asyncio.Task[None] | None = None

    async def log_in(self) -> None:
        """Read the credentials (again); raises ``ConfigError``."""
        try:
            access = find_access(self._settings)
            token = await _token(access) if access is not None else ""
        except (OSError, ValueError, KeyError) as error:
            raise _no_login(self._name, error) from error
        old = self._login
        if access is not None:
            self._login = _Simple(access, token)
        else:
            self._login = await _library(self._name, self._settings)
        self.session, self.extra = self._login.session, self._login.extra
        if self._keeper is None:
            self._keeper = asyncio.get_running_loop().create_task(self._keep())
            _keepers.add((asyncio.get_running_loop(), self._keeper))
        if old is not None:
            # streams that are open go on until they end by themselves
            self._old.append(old)
            loop = asyncio.get_running_loop()
            loop.call_later(300.0, lambda: loop.create_task(self._close_old(old)))

    def url(self, path: str) -> str:
        """The address of a path of the API."""
        assert self._login is not None
        return self._login.base + path

    async def headers(self) -> dict[str, str]:
        """Headers that say who asks; a token that is about to end is renewed."""
        assert self._login is not None
        return await self._login.headers()

    async def _keep(self) -> None:
        # asyncio.run cancels what is left at its end: that closes the session in its own loop
        try:
            await asyncio.Event().wait()
        finally:
            for login in (*self._old, self._login):
                if login is not None:
                    await _close(login)

    async def _close_old(self, login: _Login) -> None:
        self._old.remove(login)
        await _close(login)


class _Login(ABC):
    """A session with the credentials that it was made for."""

    session: ClientSession
    base: str

    def __init__(self) -> None:
        #: Further arguments of each request.
        self.extra: dict[str, Any] = {}

    @abstractmethod
    async def headers(self) -> dict[str, str]:
        """Headers that say who asks."""

    async def close(self) -> None:
        """End it."""
        await self.session.close()


class _Sockets:
    """The sockets of a session, to be closed whatever they are about.

    A connection that is left in the middle of an answer, as streams are, is no more the session's:
    TLS waits for up to half a minute for the server's goodbye, and nothing that is public ends it.
    """

    def __init__(self) -> None:
        self._made: weakref.WeakSet[socket.socket] = weakref.WeakSet()

    def make(self, address: tuple[Any, ...]) -> socket.socket:
        """A socket for one of ``getaddrinfo``'s answers."""
        made = socket.socket(*address[:3])
        self._made.add(made)
        return made

    async def close(self) -> None:
        """End them, and let the event loop find that out."""
        for _ in range(ROUNDS):
            left = [made for made in self._made if made.fileno() >= 0]
            if not left:
                return
            for made in left:
                with contextlib.suppress(OSError):
                    made.shutdown(socket.SHUT_RDWR)
            await asyncio.sleep(0.002)


class _Simple(_Login):
    def __init__(self, access: Access, token: str) -> None:
        from aiohttp import ClientSession, TCPConnector

        super().__init__()
        self.base, self._access = access.server, access
        self._sockets = _Sockets()
        # a stream for each running job, besides what is asked meanwhile
        connector = TCPConnector(
            limit=0,
            ssl=access.tls if access.tls is not None else True,
            socket_factory=self._sockets.make,
        )
        self.session = ClientSession(connector=connector, trust_env=True)
        if access.hostname:
            self.extra["server_hostname"] = access.hostname
        self._token, self._read = token, time.monotonic()

    async def headers(self) -> dict[str, str]:
        provider, age = self._access.provider, time.monotonic() - self._read
        if (age > ASK_AGAIN and not provider.fresh) if provider else age > TOKEN_AGE:
            self._read = time.monotonic()
            # (whoever writes a new one may take the old one away first)
            with contextlib.suppress(OSError, HybridError):
                self._token = await _token(self._access)
        return {"authorization": f"Bearer {self._token}"} if self._token else {}

    async def close(self) -> None:
        await super().close()
        await self._sockets.close()


async def _token(access: Access) -> str:
    """The token that counts now; a provider is asked beside the event loop."""
    return await asyncio.to_thread(access.read_token) if access.provider else access.read_token()


class _Library(_Login):
    def __init__(self, configuration: Any) -> None:
        from kubernetes_asyncio.client import ApiClient

        super().__init__()
        self._client: ApiClient = ApiClient(configuration)
        rest = self._client.rest_client
        self.session, self.base = rest.pool_manager, str(configuration.host).rstrip("/")
        if rest.proxy:
            self.extra["proxy"] = rest.proxy
        if rest.server_hostname:
            self.extra["server_hostname"] = rest.server_hostname

    async def headers(self) -> dict[str, str]:
        headers: dict[str, str] = {}
        await self._client.update_params_for_auth(headers, [], ["BearerToken"])
        return headers

    async def close(self) -> None:
        await self._client.close()


async def _library(name: str, settings: Settings) -> _Library:
    """Log in by kubernetes_asyncio, which knows programs and clouds' providers."""
    try:
        from kubernetes_asyncio import config
        from kubernetes_asyncio.client import Configuration
    except ImportError as error:
        raise ConfigError(
            f"the target {name!r} is on Kubernetes and {error.name} is not installed; "
            "install jupyter-hybrid[kubernetes]"
        ) from error
    configuration = Configuration()
    configuration.connection_pool_maxsize = 0
    try:
        if in_cluster(settings):
            config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
        else:
            await config.load_kube_config(
                config_file=kubeconfig_path(settings),
                context=settings.context,
                client_configuration=configuration,
            )
    except (config.ConfigException, OSError) as error:
        raise _no_login(name, error) from error
    return _Library(configuration)


def _no_login(name: str, error: Exception) -> ConfigError:
    said = f"it has no {error}" if isinstance(error, KeyError) else str(error)
    return ConfigError(
        f"the target {name!r} cannot log in to its cluster: {said}; "
        "name a kubeconfig that kubectl can use"
    )


_keepers: set[tuple[asyncio.AbstractEventLoop, asyncio.Task[None]]] = set()


async def _close(login: _Login) -> None:
    """Close all connections, without a farewell that nobody would wait for."""
    # what is being ended beside us lets go of its connections first
    await asyncio.sleep(0.005)
    connector: Any = login.session.connector
    if connector is not None:
        await connector.close(abort_ssl=True)
    await login.close()
    # transports tell of their end in the loop's next rounds
    for _ in range(3):
        await asyncio.sleep(0.002)


@atexit.register
def _close_all() -> None:
    """A loop in a background thread ends with the process: nothing is complained of then."""
    for loop, keeper in list(_keepers):
        if loop.is_running() and not keeper.done():
            done: Future[None] = Future()

            def end(keeper: asyncio.Task[None] = keeper, done: Future[None] = done) -> None:
                keeper.add_done_callback(lambda _: done.set_result(None))
                keeper.cancel()

            loop.call_soon_threadsafe(end)
            try:
                done.result(timeout=1.0)
            # (no built-in TimeoutError before Python 3.11)
            except NotYet:
                return
