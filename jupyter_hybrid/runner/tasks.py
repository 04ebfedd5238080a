"""The runners of one pod: one, or as many processes of the job as it has on each node.

Those of one pod share its directory as ranks on Slurm share the job's (``ranks``): the first one's
end is the pod's. What the others tell is printed with their number, so that it can be told apart.
"""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any, BinaryIO, Dict, List, Optional

from ..paths import JobPaths
from .ranks import LOCAL

#: Bytes that are copied at once.
CHUNK = 1 << 20
#: Seconds that the others have to end after the first.
GRACE = 15.0


class Tasks:
    """Starts ``count`` runners, prints their events, and knows when all have ended."""

    def __init__(self, paths: JobPaths, count: int) -> None:
        self._paths, self._count = paths, count
        #: By process number: which of this pod's it is.
        self._children: Dict[int, int] = {}
        self._first, self._first_ended = 0, 0.0
        node = int(os.environ.get("NODE_RANK", "0"))
        self.ranks = [node * count + local for local in range(count)]
        self._echoes = [
            Echo(paths.rank(local).events, rank if local else None)
            for local, rank in enumerate(self.ranks)
        ]

    def start(self, arguments: List[str]) -> None:
        """Fork them."""
        for local, rank in enumerate(self.ranks):
            child = os.fork()
            if child == 0:
                own: Dict[str, str] = {}
                if self._count > 1:
                    own = {"RANK": str(rank), "LOCAL_RANK": str(local)}
                    own[LOCAL] = f"{local}/{self._count}"
                _become_runner(self._paths.rank(local), arguments, own)
            self._children[child] = local
            self._first = self._first or child

    def copy(self) -> bool:
        """Print what is new; whether there was something."""
        return sum(echo.copy() for echo in self._echoes) > 0

    def terminate(self) -> None:
        """Ask the first to end; the others see that it has."""
        if self._first in self._children:
            os.kill(self._first, signal.SIGTERM)

    @property
    def ended(self) -> bool:
        """Whether none is left; those that outlive the first too long are killed."""
        late = self._first_ended and time.monotonic() - self._first_ended > GRACE
        for child in self._children if late else ():
            try:
                os.killpg(child, signal.SIGKILL)
            except OSError:
                pass
        return not self._children

    def reap(self) -> None:
        """Look for processes that have ended: ours, and orphans, whose parent this is."""
        try:
            while True:
                pid, _ = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                local = self._children.pop(pid, None)
                if local == 0:
                    self._first_ended = time.monotonic()
                elif local is not None:
                    self._tell_of(local)
        except ChildProcessError:
            self._children.clear()

    def _tell_of(self, local: int) -> None:
        """Let the first know where another ended without a word."""
        if self._paths.rank(local).exit.exists() or self._paths.exit.exists():
            return
        said = {
            "rank": self.ranks[local],
            "host": os.uname().nodename,
            "state": "FAILED",
            "cause": "runner-died",
            "message": "its process ended without a word",
        }
        scratch = self._paths.directory / f".failed-rank.{local}"
        scratch.write_text(json.dumps(said), encoding="ascii")
        try:
            os.link(str(scratch), str(self._paths.directory / "failed-rank.json"))
        except FileExistsError:
            pass
        finally:
            scratch.unlink()


class Echo:
    """Copies whole lines of a runner's events to standard output."""

    def __init__(self, path: Path, rank: Optional[int] = None) -> None:
        """``rank``: the number to print them with; None: as they are."""
        self._path, self._rank, self._rest = path, rank, b""
        self._file: Optional[BinaryIO] = None

    def copy(self) -> bool:
        """Copy what is new; whether there was something."""
        if self._file is None:
            try:
                self._file = self._path.open("rb")
            except OSError:
                return False
        data = self._file.read(CHUNK)
        if not data:
            return False
        whole, newline, self._rest = (self._rest + data).rpartition(b"\n")
        if self._rank is None:
            put(whole + newline)
        else:
            put(b"".join(_of(self._rank, line) for line in (whole + newline).splitlines()))
        return True


def _of(rank: int, line: bytes) -> bytes:
    said: Dict[str, Any] = {"of": rank, "line": line.decode("utf-8", "surrogateescape")}
    return json.dumps(said).encode("ascii") + b"\n"


def put(data: bytes) -> None:
    """Print all of it."""
    view = memoryview(data)
    while view:
        view = view[os.write(1, view) :]


def _become_runner(paths: JobPaths, arguments: List[str], own: Dict[str, str]) -> None:
    """The forked child: the runner, with a log and variables of its own. Never returns."""
    status = 1
    try:
        os.environ.update(own)
        paths.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        log = os.open(paths.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(log, 1)
        os.dup2(log, 2)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        # a group of its own, so that a signal for it is not one for us
        os.setpgid(0, 0)
        os.chdir(str(paths.directory))
        from .__main__ import main as run

        status = run([*arguments, "--ranks"] if own else arguments)
    finally:
        os._exit(status)
