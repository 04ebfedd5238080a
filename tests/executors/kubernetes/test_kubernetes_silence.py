"""A server of which nothing is heard any more, and words that come out of turn.

No real server can be made to do so at the right moment: this one says what the test wants.
"""

from __future__ import annotations

import asyncio
import gc
import json
import ssl
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import registries
from aiohttp import web
from jobs import until

from jupyter_hybrid.errors import PlaceError
from jupyter_hybrid.executors.kubernetes import delivery, following, pods
from jupyter_hybrid.executors.kubernetes.api import Api, ApiError
from jupyter_hybrid.executors.kubernetes.following import Follower
from jupyter_hybrid.executors.kubernetes.mirror import Mirror
from jupyter_hybrid.executors.kubernetes.pods import Pods
from jupyter_hybrid.executors.kubernetes.settings import Settings


def pod(name: str, phase: str, version: int) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name, "uid": name, "resourceVersion": str(version)}
    metadata |= {"labels": {"jupyter-hybrid/job": name}, "creationTimestamp": "now"}
    return {"metadata": metadata, "status": {"phase": phase}, "spec": {}}


def told(name: str, phase: str, version: int) -> bytes:
    return json.dumps({"type": "MODIFIED", "object": pod(name, phase, version)}).encode() + b"\n"


@contextmanager
def a_server(watches: list[bytes], keys: Path | None = None) -> Iterator[tuple[str, list[str]]]:
    """A server that says this in one watch after the other, and then nothing; what it was asked.

    With ``keys``, the directory of a certificate, by TLS.
    """
    asked: list[str] = []
    over = threading.Event()

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            if "watch=true" in self.path:
                self.wfile.write(watches.pop(0) if watches else b"")
                self.wfile.flush()
                over.wait(60)
            else:
                found = {"metadata": {"resourceVersion": "1"}, "items": [pod("a", "Pending", 1)]}
                self.wfile.write(json.dumps(found).encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        if keys is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(keys / "server.pem", keys / "server.key")
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http{'s' if keys else ''}://127.0.0.1:{server.server_port}", asked
        finally:
            over.set()
            server.shutdown()
            thread.join()


def an_api(address: str, directory: Path, token: Path | None = None, **cluster: str) -> Api:
    config = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u", "namespace": "x"}}],
        "clusters": [{"name": "c", "cluster": {"server": address, **cluster}}],
        "users": [{"name": "u", "user": {"tokenFile": str(token)} if token else {"token": "t"}}],
    }
    (directory / "config").write_text(json.dumps(config))
    return Api("cloud", Settings(kubeconfig=str(directory / "config")))


async def test_a_watch_that_has_fallen_silent_is_begun_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pods, "SILENCE", 0.3)
    long = told("a", "x" * 300_000, 3)
    with a_server([told("a", "Running", 2), long, b'{"type": "MODI\n']) as (address, asked):
        known = Pods(an_api(address, tmp_path))
        await known.sync()

        def phase() -> str:
            found = known.get("a")
            return str(found["status"]["phase"]) if found is not None else ""

        await until(lambda: phase() == "Running")
        # one line may be long; it goes on from what it knows
        await until(lambda: phase().startswith("xxx"))
        assert any("resourceVersion=2" in path for path in asked if "watch" in path)
        # and begins anew where it cannot be read
        await until(lambda: phase() == "Pending")
        assert known._task is not None and not known._task.done()
        known._task.cancel()
        await asyncio.wait([known._task])


async def test_a_log_that_says_nothing_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    with a_server([]) as (address, _):
        api = an_api(address, tmp_path)
        with pytest.raises(ApiError, match="does not answer") as raised:
            async with api.stream("/log", silence=0.2, watch="true") as response:
                await asyncio.wait_for(response.read(), 20)
        assert raised.value.transient


def test_a_stream_that_is_left_is_closed_with_its_loop(tmp_path: Path) -> None:
    """Also where the server does not answer TLS's goodbye: it may be busy, or gone."""
    authority = str(registries.certify(tmp_path))
    with a_server([told("a", "Running", 2)], tmp_path) as (address, _):
        api = an_api(address, tmp_path, **{"certificate-authority": authority})

        async def look() -> None:
            async with api.stream("/watch", watch="true") as response:
                await response.content.readline()

        with warnings.catch_warnings(record=True) as complaints:
            warnings.simplefilter("always")
            # what earlier tests have left is not this one's
            gc.collect()
            complaints.clear()
            asyncio.run(look())
            gc.collect()
    assert [str(complaint.message) for complaint in complaints] == []


class _Slow:
    """An API server whose list of pods is on its way while a watch tells something newer."""

    namespace = "x"

    def __init__(self) -> None:
        api: Any = self
        self.known = Pods(api)

    async def get(self, path: str, **query: str) -> Any:
        self.known.live = True
        self.known._take(json.loads(told("a", "Running", 2)))
        return {"metadata": {"resourceVersion": "1"}, "items": [pod("a", "Pending", 1)]}


async def test_a_list_does_not_take_back_what_a_watch_has_told_meanwhile() -> None:
    known = _Slow().known
    await known._list()
    found = known.get("a")
    assert found is not None and found["status"]["phase"] == "Running"


async def test_what_a_log_lacks_is_read_once_the_node_lets_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nodes refuse commands for moments: a line that is missing then is not given up."""
    monkeypatch.setattr(following, "AGAIN", (0.0, 0.0))
    lines = [json.dumps({"seq": n, "kind": "note"}).encode() + b"\n" for n in (1, 2, 3)]
    attempts: list[int] = []

    async def read(offset: int) -> bytes:
        attempts.append(offset)
        if len(attempts) < 3:
            raise PlaceError("the node is busy", transient=True)
        return b"".join(lines)[offset:]

    api: Any = None
    follower = Follower(api, "pod", Mirror(tmp_path), read)
    await follower._take(lines[0])
    await follower._take(lines[2])
    assert follower.mirror.path.read_bytes() == b"".join(lines)


async def test_a_command_of_whom_the_token_has_ended(tmp_path: Path) -> None:
    """Streams outlive tokens; the first to need another may be a command."""
    seen: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        seen.append(request.headers["authorization"])
        if seen[-1] != "Bearer new":
            return web.Response(status=401)
        socket = web.WebSocketResponse(protocols=("v4.channel.k8s.io",))
        await socket.prepare(request)
        await socket.send_bytes(b"\x03" + json.dumps({"status": "Success"}).encode())
        await socket.close()
        return socket

    application = web.Application()
    application.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        host, port = runner.addresses[0][:2]
        api = an_api(f"http://{host}:{port}", tmp_path, token=tmp_path / "token")
        (tmp_path / "token").write_text("old")
        await (await api._connection()).headers()
        (tmp_path / "token").write_text("new")
        async with api.execute("pod", ["true"]) as socket:
            await delivery.finished(socket, quiet=20)
    finally:
        await runner.cleanup()
    assert seen == ["Bearer old", "Bearer new"]
