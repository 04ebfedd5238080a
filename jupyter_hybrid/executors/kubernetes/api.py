"""The one door to the API server: JSON in, JSON out, and streams.

What the server says stays the dicts that it is; credentials are ``connection``'s.
"""

from __future__ import annotations

import asyncio
import json
import re
import weakref
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from ...blocking import within
from ...errors import ConfigError, PlaceError
from .connection import Connection
from .kubeconfig import own_namespace
from .settings import Settings

if TYPE_CHECKING:
    from aiohttp import ClientResponse

#: Seconds for a connection, for an answer that is no stream, and for the beginning of one that is.
CONNECT, ANSWER, BEGIN = 10.0, 60.0, 20.0
#: Seconds after which a stream that says nothing is broken.
SILENCE = 300.0
#: Bytes of one line of a watch.
LONGEST = 1 << 21
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
        self._connections: weakref.WeakKeyDictionary[Any, asyncio.Task[Connection]]
        self._connections = weakref.WeakKeyDictionary()
        self._namespace: str | None = settings.namespace
        self._minor: int | None = None

    @property
    def namespace(self) -> str:
        """Where jobs run: the target's, the context's or this pod's."""
        if self._namespace is None:
            self._namespace = own_namespace(self._settings)
        return self._namespace

    async def minor(self) -> int:
        """The cluster's version: 28 is Kubernetes 1.28, 0 one that it does not tell."""
        if self._minor is None:
            try:
                said = str((await self.get("/version")).get("minor"))
            except ApiError as error:
                if error.code != 403:
                    raise
                said = ""
            # (some have "28+")
            found = re.match(r"\d+", said)
            self._minor = int(found[0]) if found else 0
        return self._minor

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
    async def stream(
        self, path: str, *, silence: float = SILENCE, **query: Any
    ) -> AsyncIterator[ClientResponse]:
        """An answer that goes on: a watch or a log. Raises ``ApiError``.

        After ``silence`` seconds without a word it counts as broken: of a connection that a network
        has forgotten, or from before this machine slept, nobody is told.
        """
        async with self._translated(path):
            response = await self._request("GET", path, query, silence=silence)
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
            opened = await self._websocket(path, query)
            try:
                yield opened
            finally:
                await opened.close()

    async def _websocket(self, path: str, query: list[tuple[str, str]]) -> Any:
        from aiohttp import WSServerHandshakeError

        for attempt in (1, 2):
            connection = await self._connection()
            headers = await connection.headers()
            websocket = connection.session.ws_connect(
                connection.url(path), params=query, headers=headers, max_msg_size=0,
                protocols=("v4.channel.k8s.io",), **connection.extra,
            )  # fmt: skip
            try:
                return await within(BEGIN, websocket)
            except WSServerHandshakeError as error:
                if error.status != 401 or attempt == 2:
                    raise
                # as below: what gave the token may give another
                await connection.log_in()
        raise AssertionError

    async def _json(
        self, method: str, path: str, query: Mapping[str, Any], body: Any = None
    ) -> Any:
        async with self._translated(path):
            response = await self._request(method, path, query, body)
            async with response:
                return await response.json(content_type=None)

    async def _request(
        self, method: str, path: str, query: Mapping[str, Any], body: Any = None,
        *, silence: float | None = None,
    ) -> ClientResponse:  # fmt: skip
        """An answer; with ``silence`` one that goes on until it says nothing for so long."""
        from aiohttp import ClientTimeout

        total = None if silence else ANSWER
        timeout = ClientTimeout(total, connect=CONNECT, sock_read=silence)
        # (a node that has just come back may take a request and never answer it)
        begin = BEGIN if silence else None
        for attempt in (1, 2):
            connection = await self._connection()
            headers = await connection.headers()
            if body is not None:
                headers["Content-Type"] = _PATCH if method == "PATCH" else "application/json"
            asked = connection.session.request(
                method, connection.url(path), params={k: str(v) for k, v in query.items()},
                data=None if body is None else json.dumps(body),
                headers=headers, timeout=timeout, read_bufsize=LONGEST, **connection.extra,
            )  # fmt: skip
            response = await within(begin, asked)
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

    async def _connection(self) -> Connection:
        """This event loop's connection, made by the first who needs it."""
        loop = asyncio.get_running_loop()
        making = self._connections.get(loop)
        if making is None or (making.done() and (making.cancelled() or making.exception())):
            making = loop.create_task(self._connect())
            self._connections[loop] = making
        return await asyncio.shield(making)

    async def _connect(self) -> Connection:
        try:
            import aiohttp  # noqa: F401
        except ImportError as error:
            raise ConfigError(
                f"the target {self._name!r} is on Kubernetes and {error.name} is not installed; "
                "install jupyter-hybrid[kubernetes]"
            ) from error
        connection = Connection(self._name, self._settings)
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
