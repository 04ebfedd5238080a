"""Processes of one job in several pods: one connection from each to rank 0 says how it fares.

No shared files, no scheduler and nobody outside is needed: where a connection ends without a word,
its rank has failed; where rank 0 closes them, all end. Python 3.8, standard library only.
"""

from __future__ import annotations

import hmac
import json
import os
import socket
import time
from pathlib import Path
from typing import Any, Dict, Optional, Tuple

#: Where rank 0 listens.
PORT = 29499
#: Bytes of what a rank has to say.
LONGEST = 1 << 20
#: Seconds between two attempts to reach rank 0, and for one.
RETRY, ATTEMPT = 0.2, 5.0


def secret_of(key: Path) -> str:
    """What ranks of one job know, and nobody else."""
    return hmac.new(key.read_bytes(), b"gang", "sha256").hexdigest()


class Chief:
    """Rank 0: hears of the others."""

    def __init__(self, size: int, secret: str, place: Tuple[str, int] = ("", PORT)) -> None:
        self._secret, self._left = secret, set(range(1, size))
        self._heard: Dict[socket.socket, bytes] = {}
        self._ranks: Dict[socket.socket, int] = {}
        self._server = socket.create_server(place)
        self._server.setblocking(False)
        self.port: int = self._server.getsockname()[1]
        #: What became of the first rank that failed.
        self.failure: Optional[Dict[str, Any]] = None

    @property
    def done(self) -> bool:
        """Whether all others have completed, or one has failed."""
        return self.failure is not None or not self._left

    def look(self) -> Optional[Dict[str, Any]]:
        """Take what has come; what became of the first rank that failed, if one has."""
        while True:
            try:
                found, _ = self._server.accept()
            except OSError:
                break
            found.setblocking(False)
            self._heard[found] = b""
        for connection in list(self._heard):
            self._hear(connection)
        return self.failure

    def _hear(self, connection: socket.socket) -> None:
        try:
            data = connection.recv(1 << 16)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        *lines, self._heard[connection] = (self._heard[connection] + data).split(b"\n")
        for line in lines:
            self._take(connection, line)
        if not data or len(self._heard[connection]) > LONGEST:
            rank = self._ranks.pop(connection, None)
            del self._heard[connection]
            connection.close()
            if rank in self._left:
                self._fail({"rank": rank, "message": "its pod ended without a word"})

    def _take(self, connection: socket.socket, line: bytes) -> None:
        try:
            said = json.loads(line)
            if connection not in self._ranks:
                if hmac.compare_digest(str(said["secret"]), self._secret):
                    self._ranks[connection] = int(said["rank"])
                return
        except (ValueError, KeyError, TypeError):
            return
        rank = self._ranks[connection]
        if said.get("state") == "COMPLETED":
            self._left.discard(rank)
        else:
            self._fail({**said, "rank": rank})

    def _fail(self, said: Dict[str, Any]) -> None:
        if self.failure is None:
            self.failure = said

    def close(self) -> None:
        """Let all others end."""
        for connection in (*self._heard, self._server):
            connection.close()


class Member:
    """Any other rank: tells rank 0, and hears when it ends."""

    def __init__(self, rank: int, secret: str, address: str, port: int = PORT) -> None:
        self._hello = json.dumps({"rank": rank, "secret": secret}).encode() + b"\n"
        self._place = (address, port)
        self._connection: Optional[socket.socket] = None
        self._next = 0.0

    def ends(self) -> bool:
        """Whether rank 0 has ended; connects where that has not been done."""
        if self._connection is None:
            self._connect()
            return False
        try:
            return not self._connection.recv(1)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def _connect(self) -> None:
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + RETRY
        try:
            connection = socket.create_connection(self._place, ATTEMPT)
            connection.sendall(self._hello)
        except OSError:
            return
        connection.setblocking(False)
        self._connection = connection

    def tell(self, record: Optional[Dict[str, Any]]) -> None:
        """Say how this rank ended."""
        if self._connection is None:
            self._next = 0.0
            self._connect()
        if self._connection is not None:
            said = {**(record or {}), "host": os.uname().nodename}
            self._connection.setblocking(True)
            try:
                self._connection.sendall(json.dumps(said).encode("ascii") + b"\n")
            except OSError:
                pass
            self._connection.close()


def failed(
    record: Optional[Dict[str, Any]], failure: Dict[str, Any], tasks: int = 1
) -> Dict[str, Any]:
    """The job's exit record where another pod has failed, each of so many ranks."""
    where = f"Rank {failure['rank'] * tasks}" + (
        f" on {failure['host']}" if failure.get("host") else ""
    )
    words = failure.get("message") or "it did not complete"
    if not words.startswith("Rank "):
        words = f"{where} failed, and the others were ended: {words}"
    known = {key: failure.get(key) for key in ("cell_id", "ename", "evalue", "traceback", "code")}
    return {
        **(record or {}),
        **{key: value for key, value in known.items() if value},
        "state": "FAILED",
        "cause": failure.get("cause") or "runner-died",
        "message": words,
    }
