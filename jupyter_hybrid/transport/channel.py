"""One connection to a far side: requests go out, answers and news come in.

Two threads move the bytes, so that any event loop, or none, may ask. What is urgent passes what is
big: the pieces of files wait while a request goes out.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import subprocess
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from typing import Any

from ..errors import PlaceError
from .far.wire import LENGTHS, Connection, Header, message
from .sources import command, program

#: Bytes of pipes, where the system allows.
PIPE_SIZE = 1 << 20
#: Bytes of complaints that are kept.
COMPLAINTS = 8192
#: Bytes of noise in front of the far side's first word that are bearable.
NOISE = 1 << 20

Answer = tuple[Header, bytes]
#: Called in the reading thread with what was appended to a watched file.
News = Callable[[Header, bytes], None]
#: The program that reaches the place, for a command to be run there: an argument list.
Reach = Callable[[str], Sequence[str]]


class ChannelClosed(Exception):
    """The connection broke; ``said`` is what its program complained of."""

    def __init__(self, said: str, opened: bool) -> None:
        super().__init__(said or "the connection was closed")
        self.said, self.opened = said, opened


class Channel:
    """Speaks with one far side. Made by ``open_channel``."""

    def __init__(
        self, process: subprocess.Popen[bytes], connection: Connection, complaints: Complaints
    ) -> None:
        self._process, self._connection = process, connection
        self._waiting: dict[int, Future[Answer]] = {}
        self._numbers = iter(range(1, 1 << 62))
        self._lock = threading.Lock()
        self._ready = threading.Condition(self._lock)
        self._urgent: deque[bytes] = deque()
        self._bulk: deque[tuple[Iterator[bytes], Future[None]]] = deque()
        self._closed: ChannelClosed | None = None
        self.complaints = complaints
        #: Who and where the far side is.
        self.hello: Header = {}
        self.on_news: News = lambda header, payload: None
        self.pid = os.getpid()
        self._threads: list[threading.Thread] = []
        #: Bytes sent and received, the far side's own text included.
        self.sent = self.received = 0

    @property
    def open(self) -> bool:
        """False once the connection has broken, and in a forked child, whose it is not."""
        return self._closed is None and self.pid == os.getpid()

    def start(self) -> None:
        """Begin to move messages."""
        for action in (self._keep_writing, self._keep_reading):
            thread = threading.Thread(target=action, name="jupyter-hybrid-transport", daemon=True)
            self._threads.append(thread)
            thread.start()

    def ask(self, header: Header, payload: bytes = b"") -> Future[Answer]:
        """Send a request; the future holds its answer or ``ChannelClosed``."""
        future: Future[Answer] = Future()
        with self._lock:
            if self._closed is not None:
                future.set_exception(self._closed)
                return future
            number = next(self._numbers)
            self._waiting[number] = future
            self._urgent.append(message({**header, "id": number}, payload))
            self._ready.notify()
        return future

    def pour(self, messages: Iterator[bytes]) -> Future[None]:
        """Send these messages, made when their turn comes, behind whatever is urgent."""
        done: Future[None] = Future()
        with self._lock:
            if self._closed is not None:
                done.set_exception(self._closed)
                return done
            self._bulk.append((messages, done))
            self._ready.notify()
        return done

    def close(self) -> str:
        """End the connection and return what its program complained of.

        The far side finishes what is under way.
        """
        if self.pid != os.getpid():
            return ""
        self._break()
        self._process.wait()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join()
        with contextlib.suppress(OSError):
            self._connection.close()
        for file in (self._process.stdin, self._process.stdout, self.complaints.file):
            if file is not None and not file.closed:
                with contextlib.suppress(OSError):
                    file.close()
        return self._closed.said if self._closed else ""

    # -- the two threads ------------------------------------------------------------------------

    def _keep_writing(self) -> None:
        try:
            while (data := self._next()) is not None:
                view = memoryview(data)
                while view:
                    view = view[os.write(self._connection.write, view) :]
                self.sent += len(data)
        except OSError:
            self._break()

    def _next(self) -> bytes | None:
        """What to send now; None at the end."""
        while True:
            with self._lock:
                while not self._urgent and not self._bulk and self._closed is None:
                    self._ready.wait()
                if self._closed is not None:
                    return None
                if self._urgent:
                    return self._urgent.popleft()
                bulk, done = self._bulk[0]
            try:
                piece = next(bulk, None)
            # a file that cannot be read is its sender's matter
            except Exception as error:  # noqa: BLE001
                self._end_bulk(done, error)
                continue
            if piece is not None:
                return piece
            self._end_bulk(done, None)

    def _end_bulk(self, done: Future[None], error: BaseException | None) -> None:
        with self._lock:
            if self._closed is not None:
                return
            self._bulk.popleft()
        if done.set_running_or_notify_cancel():
            if error is None:
                done.set_result(None)
            else:
                done.set_exception(error)

    def _keep_reading(self) -> None:
        try:
            while (found := self._connection.receive()) is not None:
                header, payload = found
                self.received += LENGTHS.size + len(payload)
                future = self._waiting.pop(header.get("id", 0), None)
                if future is not None:
                    if future.set_running_or_notify_cancel():
                        future.set_result((header, payload))
                elif "watched" in header:
                    self.on_news(header, payload)
        except (OSError, ValueError):
            pass
        self._break()

    def _break(self) -> None:
        with self._lock:
            if self._closed is not None:
                return
            self._closed = ChannelClosed(self.complaints.text(), opened=True)
            waiting, self._waiting = list(self._waiting.values()), {}
            pouring, self._bulk = [done for _, done in self._bulk], deque()
            self._ready.notify_all()
        pending: list[Future[Any]] = [*waiting, *pouring]
        for future in pending:
            if future.set_running_or_notify_cancel():
                future.set_exception(self._closed)
        with contextlib.suppress(OSError):
            self._process.kill()


class Complaints:
    """What the program writes to its standard error.

    A file and no pipe: the master of a shared connection keeps it open for as long as it lives.
    """

    def __init__(self) -> None:
        self.file = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the channel

    def text(self) -> str:
        """The end of what it has said."""
        end = os.fstat(self.file.fileno()).st_size
        data = os.pread(self.file.fileno(), COMPLAINTS, max(0, end - COMPLAINTS))
        return data.decode("utf-8", "replace").strip()


def open_channel(reach: Reach, root: str, timeout: float) -> Channel:
    """Start the far side and wait for its first word, past whatever shells print before it.

    Raises ``ChannelClosed`` where it does not come up, ``TimeoutError`` where it says nothing.
    """
    marker = f"\0jupyter-hybrid {secrets.token_hex(8)}\n".encode("ascii")
    text = program(marker, root)
    complaints = Complaints()
    process = subprocess.Popen(
        list(reach(command(len(text)))),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=complaints.file,
        # no terminal to ask for a password at, and none whose Ctrl-C ends the connection
        start_new_session=True,
        bufsize=0,
    )
    assert process.stdin is not None and process.stdout is not None
    for pipe in (process.stdin, process.stdout):
        with contextlib.suppress(OSError, AttributeError):
            fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, PIPE_SIZE)
    connection = Connection(process.stdout.fileno(), process.stdin.fileno())
    channel = Channel(process, connection, complaints)
    channel.sent = len(text)
    began = time.monotonic()
    hello = _greeting(process, connection, text, marker, timeout)
    if hello is None:
        said = channel.close()
        if time.monotonic() - began >= timeout:
            raise TimeoutError(said)
        raise ChannelClosed(said, opened=False)
    # what the two clocks said at about the same moment
    channel.hello = {**hello, "here": time.time()}
    if "error" in hello:
        channel.close()
        raise PlaceError(hello["error"])
    channel.start()
    return channel


def _greeting(
    process: subprocess.Popen[bytes],
    connection: Connection,
    text: bytes,
    marker: bytes,
    patience: float,
) -> Header | None:
    """The far side's first message; None where it does not come up in time."""
    watchdog = threading.Timer(patience, process.kill)
    watchdog.start()
    try:
        with contextlib.suppress(OSError):
            os.write(connection.write, text)
        found = _await(connection.read, marker)
        answer = connection.receive() if found else None
    finally:
        watchdog.cancel()
    return answer[0] if answer else None


def _await(descriptor: int, marker: bytes) -> bool:
    """Read up to the marker and not a byte further; False where it never comes."""
    seen, total = b"", 0
    while total < NOISE:
        try:
            # one byte at a time near the marker: what follows it belongs to the messages
            byte = os.read(descriptor, 1)
        except OSError:
            return False
        if not byte:
            return False
        seen, total = (seen + byte)[-len(marker) :], total + 1
        if seen == marker:
            return True
    return False


def plain(header: Header, payload: bytes) -> bytes:
    """A message whose payload is sent as it is: pictures and numbers do not get smaller."""
    head = json.dumps(header).encode("ascii")
    return LENGTHS.pack(len(head), len(payload)) + head + payload


def fields(answer: Any) -> Header:
    """The answer's header; raises ``PlaceError`` where it tells an error."""
    header: Header = answer[0]
    if "error" in header:
        raise PlaceError(str(header["error"]), errno=header.get("errno"))
    return header
