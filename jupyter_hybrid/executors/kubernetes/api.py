"""The one door to the API server: JSON in, JSON out, and streams. By kubernetes_asyncio.

Its credentials (contexts, certificates, tokens, exec plugins, OIDC, a pod's own account) and its
HTTP client are used, not its models: what the server says stays the dicts that it is.
"""

from __future__ import annotations

import asyncio
import atexit
import json
import os
import weakref
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import Future
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import ConfigError, PlaceError
from .settings import Settings

if TYPE_CHECKING:
    from aiohttp import ClientResponse
    from kubernetes_asyncio.client import ApiClient

#: Seconds for a connection, and for an answer that is no stream.
CONNECT, ANSWER = 10.0, 60.0
#: Where a pod finds its own account.
ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_PATCH = "application/strategic-merge-patch+json"


class ApiError(PlaceError):
    """The API server refused."""

    def __init__(self, message: str, *, code: int = 0, reason: str = "") -> None:
        super().__init__(message, transient=code in (0, 429, 500, 502, 503, 504))
        #: HTTP status; 0 where there was no answer.
        self.code = code
        #: The server's own word, as ``AlreadyExists``.
        self.reason = reason


class Api:
    """The API server of one target, from any event loop."""

    def __init__(self, name: str, settings: Settings) -> None:
        self._name, self._settings = name, settings
        self._connections: weakref.WeakKeyDictionary[Any, asyncio.Task[_Connection]]
        self._connections = weakref.WeakKeyDictionary()
        self._namespace: str | None = settings.namespace

    @property
    def namespace(self) -> str:
        """Where jobs run: the target's, the context's or this pod's."""
        if self._namespace is None:
            self._namespace = _own_namespace(self._settings)
        return self._namespace

    # -- requests -------------------------------------------------------------------------------

    async def get(self, path: str, **query: Any) -> Any:
        """An object or a list; raises ``ApiError``."""
        return await self._json("GET", path, query)

    async def post(self, path: str, body: Mapping[str, Any], **query: Any) -> Any:
        """Create an object; raises ``ApiError``, with code 409 where there is one of that name."""
        return await self._json("POST", path, query, body)

    async def patch(self, path: str, body: Mapping[str, Any]) -> Any:
        """Change some fields of an object."""
        return await self._json("PATCH", path, {}, body)

    async def delete(self, path: str, body: Mapping[str, Any] | None = None) -> None:
        """Remove an object; none there is none."""
        try:
            await self._json("DELETE", path, {}, body or {})
        except ApiError as error:
            if error.code != 404:
                raise

    @asynccontextmanager
    async def stream(self, path: str, **query: Any) -> AsyncIterator[ClientResponse]:
        """An answer that goes on: a watch or a log. Raises ``ApiError``."""
        async with self._translated(path):
            response = await self._request("GET", path, query, None, stream=True)
            try:
                yield response
            finally:
                response.close()

    @asynccontextmanager
    async def execute(
        self, pod: str, command: list[str], *, stdin: bool = False
    ) -> AsyncIterator[Any]:
        """Run a command in the pod's container: channels by the first byte of each message."""
        query = [("command", word) for word in command]
        query += [("container", "job"), ("stdout", "true"), ("stderr", "true")]
        query += [("stdin", "true")] if stdin else []
        path = f"/api/v1/namespaces/{self.namespace}/pods/{pod}/exec"
        async with self._translated(path):
            connection = await self._connection()
            headers = await connection.headers()
            websocket = connection.session.ws_connect(
                connection.url(path), params=query, headers=headers, max_msg_size=0,
                protocols=("v4.channel.k8s.io",), **connection.extra,
            )  # fmt: skip
            async with websocket as opened:
                yield opened

    async def _json(
        self, method: str, path: str, query: Mapping[str, Any], body: Any = None
    ) -> Any:
        async with self._translated(path):
            response = await self._request(method, path, query, body)
            async with response:
                return await response.json(content_type=None)

    async def _request(
        self, method: str, path: str, query: Mapping[str, Any], body: Any, *, stream: bool = False
    ) -> ClientResponse:
        from aiohttp import ClientTimeout

        timeout = ClientTimeout(None if stream else ANSWER, connect=CONNECT)
        for attempt in (1, 2):
            connection = await self._connection()
            headers = await connection.headers()
            if body is not None:
                headers["Content-Type"] = _PATCH if method == "PATCH" else "application/json"
            response = await connection.session.request(
                method, connection.url(path), params={k: str(v) for k, v in query.items()},
                data=None if body is None else json.dumps(body),
                headers=headers, timeout=timeout, **connection.extra,
            )  # fmt: skip
            if response.status == 401 and attempt == 1:
                # a token that ended: what gave it may give another
                response.close()
                await connection.log_in()
                continue
            break
        if response.status >= 400:
            raise await self._refusal(response)
        return response

    # -- connections ----------------------------------------------------------------------------

    async def _connection(self) -> _Connection:
        """This event loop's connection, made by the first who needs it."""
        loop = asyncio.get_running_loop()
        making = self._connections.get(loop)
        if making is None or (making.done() and (making.cancelled() or making.exception())):
            making = loop.create_task(self._connect())
            self._connections[loop] = making
        return await asyncio.shield(making)

    async def _connect(self) -> _Connection:
        try:
            import kubernetes_asyncio  # noqa: F401
        except ImportError as error:
            raise ConfigError(
                f"the target {self._name!r} is on Kubernetes and {error.name} is not installed; "
                "install jupyter-hybrid[kubernetes]"
            ) from error
        connection = _Connection(self._name, self._settings)
        await connection.log_in()
        return connection

    @asynccontextmanager
    async def _translated(self, path: str) -> AsyncIterator[None]:
        from aiohttp import ClientError, WSServerHandshakeError

        try:
            yield
        except WSServerHandshakeError as error:
            words = (
                f"{self._name} refused to run a command in a pod: {error.status} {error.message}"
            )
            raise ApiError(words, code=error.status) from error
        except (ClientError, asyncio.TimeoutError, OSError) as error:
            said = str(error) or type(error).__name__
            raise ApiError(f"the API server of {self._name} does not answer: {said}") from error

    async def _refusal(self, response: ClientResponse) -> ApiError:
        async with response:
            text = await response.text()
        try:
            status = json.loads(text)
        except ValueError:
            status = {"message": text.strip()[:500]}
        said = str(status.get("message") or response.reason)
        hint = ""
        if response.status == 401:
            hint = "; log in to the cluster again (does kubectl work?)"
        elif response.status == 403:
            hint = "; ask the cluster's administrators for that right"
        reason = str(status.get("reason") or "")
        return ApiError(f"{self._name}: {said}{hint}", code=response.status, reason=reason)


class _Connection:
    """An HTTP session with credentials; closed with its event loop, or at the process's end."""

    def __init__(self, name: str, settings: Settings) -> None:
        self._name, self._settings = name, settings
        self._client: ApiClient | None = None
        self._keeper: asyncio.Task[None] | None = None

    async def log_in(self) -> None:
        """Read the credentials (again); raises ``ConfigError``."""
        from kubernetes_asyncio.client import ApiClient, Configuration

        configuration = Configuration()
        # a stream for each running job, besides what is asked meanwhile
        configuration.connection_pool_maxsize = 0
        await _load(self._name, self._settings, configuration)
        old, self._client = self._client, ApiClient(configuration)
        rest = self._client.rest_client
        self.session = rest.pool_manager
        self._base = str(configuration.host).rstrip("/")
        self.extra: dict[str, Any] = {}
        if rest.proxy:
            self.extra["proxy"] = rest.proxy
        if rest.server_hostname:
            self.extra["server_hostname"] = rest.server_hostname
        if self._keeper is None:
            self._keeper = asyncio.get_running_loop().create_task(self._keep())
            _keepers.add((asyncio.get_running_loop(), self._keeper))
        if old is not None:
            # streams that are open go on until they end by themselves
            asyncio.get_running_loop().call_later(300.0, _close_later, old)

    def url(self, path: str) -> str:
        """The address of a path of the API."""
        return self._base + path

    async def headers(self) -> dict[str, str]:
        """Headers that say who asks; a token that is about to end is renewed."""
        assert self._client is not None
        headers: dict[str, str] = {}
        await self._client.update_params_for_auth(headers, [], ["BearerToken"])
        return headers

    async def _keep(self) -> None:
        # asyncio.run cancels what is left at its end: that closes the session in its own loop
        try:
            await asyncio.Event().wait()
        finally:
            if self._client is not None:
                await _close(self._client)


_keepers: set[tuple[asyncio.AbstractEventLoop, asyncio.Task[None]]] = set()


async def _close(client: ApiClient) -> None:
    """Close all connections, without a farewell that nobody would wait for."""
    # what is being ended beside us lets go of its connections first
    await asyncio.sleep(0.005)
    connector: Any = client.rest_client.pool_manager.connector
    if connector is not None:
        await connector.close(abort_ssl=True)
    await client.close()
    # transports tell of their end in the loop's next rounds
    for _ in range(3):
        await asyncio.sleep(0.002)


def _close_later(client: ApiClient) -> None:
    asyncio.get_running_loop().create_task(_close(client))


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
            except TimeoutError:
                return


async def _load(name: str, settings: Settings, configuration: Any) -> None:
    from kubernetes_asyncio import config
    from kubernetes_asyncio.config import ConfigException

    try:
        if settings.kubeconfig is None and settings.context is None and _in_cluster():
            config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
            return
        file = settings.kubeconfig or os.environ.get("KUBECONFIG") or "~/.kube/config"
        await config.load_kube_config(
            config_file=os.path.expanduser(file),  # noqa: PTH111  (several, with colons)
            context=settings.context,
            client_configuration=configuration,
        )
    except (ConfigException, OSError) as error:
        raise ConfigError(
            f"the target {name!r} cannot log in to its cluster: {error}; "
            "name a kubeconfig that kubectl can use"
        ) from error


def _in_cluster() -> bool:
    mine = os.environ.get("KUBECONFIG") or Path("~/.kube/config").expanduser().exists()
    return not mine and "KUBERNETES_SERVICE_HOST" in os.environ and (ACCOUNT / "token").exists()


def _own_namespace(settings: Settings) -> str:
    if settings.kubeconfig is None and settings.context is None and _in_cluster():
        return (ACCOUNT / "namespace").read_text(encoding="utf-8").strip()
    from kubernetes_asyncio.config import ConfigException, list_kube_config_contexts

    file = settings.kubeconfig or os.environ.get("KUBECONFIG") or "~/.kube/config"
    try:
        contexts, active = list_kube_config_contexts(os.path.expanduser(file))  # noqa: PTH111
    except (ConfigException, OSError, TypeError):
        return "default"
    if settings.context is not None:
        active = next((c for c in contexts if c["name"] == settings.context), active)
    return str((active or {}).get("context", {}).get("namespace") or "default")
