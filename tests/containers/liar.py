"""A server that says what a test wants of it: half a blob, a page, another's address, nothing."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from registries import certify


@dataclass(frozen=True)
class Asked:
    """One request that came."""

    method: str
    path: str
    headers: Message
    body: bytes


@dataclass(frozen=True)
class Reply:
    """One answer; a ``length`` that is a lie about the body ends the connection."""

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    length: int | None = None


Answer = Reply | Callable[[Asked], Reply]


class Liar:
    """A context manager; ``host`` is its address."""

    def __init__(
        self,
        folder: Path | None = None,
        address: str = "127.0.0.1",
        names: tuple[str, ...] = (),
    ) -> None:
        #: Answers by method and path (without the query), in turn; the last one stays.
        self.answers: dict[tuple[str, str], list[Answer]] = {}
        self.asked: list[Asked] = []
        self._server = _Server((address, 0), _handler(self))
        self.host = f"{address}:{self._server.server_port}"
        self.authority = ""
        if folder is not None:
            self.authority = certify(folder, *names)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(folder / "server.pem", folder / "server.key")
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)

    def __enter__(self) -> Liar:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def say(self, method: str, path: str, *answers: Answer) -> None:
        """Answer requests of the path in this way, the last way for ever."""
        self.answers[method, path] = list(answers)

    def reply(self, asked: Asked) -> Reply:
        self.asked.append(asked)
        answers = self.answers.get((asked.method, asked.path.partition("?")[0]))
        if not answers:
            return Reply(404)
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        return answer(asked) if callable(answer) else answer


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Whoever is lied to may hang up."""


def _handler(liar: Liar) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            asked = Asked(self.command, self.path, self.headers, body)
            self._say(liar.reply(asked))

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _any

        def _say(self, reply: Reply) -> None:
            length = len(reply.body) if reply.length is None else reply.length
            self.send_response(reply.status)
            self.send_header("Content-Length", str(length))
            for name, value in reply.headers:
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(reply.body)
            if length != len(reply.body):
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    return Handler
