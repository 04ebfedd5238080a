"""A line to a server that breaks after so many bytes."""

from __future__ import annotations

import socket
import threading
from collections.abc import Sequence


class Flaky:
    """A context manager: a TCP proxy whose connections break, one after the other, as told.

    ``upward`` and ``downward`` are the bytes (to the server, from it) after which the next
    connection breaks that carries so many; when the lists are used up, the line holds.
    """

    def __init__(
        self, target: str, upward: Sequence[int] = (), downward: Sequence[int] = ()
    ) -> None:
        host, _, port = target.rpartition(":")
        self._target = (host, int(port))
        self._limits = {"up": list(upward), "down": list(downward)}
        self._lock = threading.Lock()
        #: Connections that were broken.
        self.broken = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.host = f"127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Flaky:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        # a listener that is closed while it waits goes on waiting
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.create_connection(self._target)
            done = threading.Barrier(2, action=lambda n=near, f=far: (n.close(), f.close()))
            for way, source, sink in (("up", near, far), ("down", far, near)):
                arguments = (way, source, sink, done)
                threading.Thread(target=self._carry, args=arguments, daemon=True).start()

    def _carry(
        self, way: str, source: socket.socket, sink: socket.socket, done: threading.Barrier
    ) -> None:
        carried = 0
        try:
            while data := source.recv(65536):
                carried += len(data)
                if self._breaks(way, carried):
                    break
                sink.sendall(data)
        except OSError:
            pass  # the other way broke
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        done.wait()

    def _breaks(self, way: str, carried: int) -> bool:
        with self._lock:
            limits = self._limits[way]
            if not limits or carried < limits[0]:
                return False
            limits.pop(0)
            self.broken += 1
            return True
