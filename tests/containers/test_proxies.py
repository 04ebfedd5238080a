"""A site's proxy is used for what is outside, and never for this machine."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from images import documents
from impatience import QUICK
from liar import Liar, Reply

from jupyter_hybrid.containers.endpoints import RegistrySettings
from jupyter_hybrid.containers.references import parse_reference
from jupyter_hybrid.containers.registry import RegistryClient
from jupyter_hybrid.errors import RegistryError

MANIFEST = documents([])[0]
PATH = "/v2/lab/x/manifests/1"


class Proxy:
    """An HTTP proxy that knows where ``registry.lab`` is; nobody else does."""

    def __init__(self, target: str) -> None:
        host, _, port = target.rpartition(":")
        self._target = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        #: First lines of the requests that came.
        self.asked: list[str] = []

    def __enter__(self) -> Proxy:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(near,), daemon=True).start()

    def _carry(self, near: socket.socket) -> None:
        with near, socket.create_connection(self._target) as far:
            head = b""
            while b"\r\n\r\n" not in head:
                head += near.recv(65536)
            first, _, rest = head.partition(b"\r\n")
            self.asked.append(first.decode())
            method, address, _ = first.split(b" ")
            if method == b"CONNECT":
                near.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                path = b"/" + address.split(b"/", 3)[3]
                far.sendall(method + b" " + path + b" HTTP/1.1\r\n" + rest)
            back = threading.Thread(target=_pipe, args=(far, near), daemon=True)
            back.start()
            _pipe(near, far)
            back.join()


def _pipe(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


@pytest.fixture
def plain() -> Iterator[Liar]:
    with Liar() as server:
        server.say("GET", PATH, Reply(200, MANIFEST))
        yield server


async def test_plain_http_through_the_proxy(plain: Liar, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = RegistrySettings(insecure_registries=["registry.lab"])
    with Proxy(plain.host) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        async with RegistryClient(settings, QUICK) as client:
            await client.manifest(parse_reference("registry.lab/lab/x:1"))
    assert proxy.asked == [f"GET http://registry.lab{PATH} HTTP/1.1"]


async def test_tls_through_the_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Liar(tmp_path, names=("registry.lab",)) as server, Proxy(server.host) as proxy:
        server.say("GET", PATH, Reply(200, MANIFEST))
        settings = RegistrySettings(registry_certificates={"registry.lab": server.authority})
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        async with RegistryClient(settings, QUICK) as client:
            await client.manifest(parse_reference("registry.lab/lab/x:1"))
    # the proxy sees the host and nothing else
    assert proxy.asked == ["CONNECT registry.lab:443 HTTP/1.1"]


async def test_this_machine_is_not_asked_for_through_the_proxy(
    plain: Liar, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    async with RegistryClient(patience=QUICK) as client:
        await client.manifest(parse_reference(f"{plain.host}/lab/x:1"))


async def test_a_proxy_that_is_away_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://ada:open-sesame@127.0.0.1:9")
    async with RegistryClient(patience=QUICK) as client:
        with pytest.raises(RegistryError, match="through the proxy of HTTPS_PROXY") as caught:
            await client.manifest(parse_reference("registry.lab/lab/x:1"))
    assert "open-sesame" not in str(caught.value)
