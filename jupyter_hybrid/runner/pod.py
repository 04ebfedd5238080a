"""The keeper of a job in a pod: runs the runner, prints its events, hands out what it made.

Standard output is the job's ``events.jsonl``, line by line as it grows, and a last line of the
kind ``exit``. The pod then stays until its results were taken (``BASE/released`` exists), unless
they are in the site's object store by then.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any, BinaryIO, Dict, List, Optional, Tuple

from ..paths import JobPaths
from .depot import deposit
from .gang import Chief, Member, failed, secret_of

#: Seconds between two looks at the events: short while the job talks, longer while it is silent.
SHORTEST, LONGEST = 0.005, 0.05
#: Seconds that somebody has to take the results of a pod that is being deleted.
LAST_WAIT = 20.0
#: Bytes that are copied at once.
CHUNK = 1 << 20


class Echo:
    """Copies whole lines of the events to standard output."""

    def __init__(self, path: Path) -> None:
        self._path, self._rest = path, b""
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
        _print(whole + newline)
        return True


def _print(data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(1, view) :]


class Keeper:
    """Process 1: the runner's parent, and that of every orphan."""

    def __init__(
        self,
        base: Path,
        paths: JobPaths,
        linger: float,
        *,
        gang: bool = False,
        results: Tuple[str, str] = ("", ""),
    ) -> None:
        """``results``: where in an object store they are left, and where that store's client is."""
        self._base, self._paths, self._linger, self._results = base, paths, linger, results
        self._child = 0
        self._chief: Optional[Chief] = None
        self._member: Optional[Member] = None
        if gang:
            self._join(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]))
        self._ended = self._terminated = self._told = self._told_by_others = False

    def run(self, arguments: List[str]) -> int:
        """The pod's exit status: 0 where the job completed."""
        signal.signal(signal.SIGTERM, self._on_sigterm)
        self._child = os.fork()
        if self._child == 0:
            _become_runner(self._paths, arguments)
        self._watch()
        record = self._settle(_read(self._paths.exit))
        said = {"kind": "exit", "record": record, **self._deposit()}
        _print(json.dumps(said).encode("ascii") + b"\n")
        # results are rank 0's: nobody comes for those of the others
        if not said.get("stored") and self._member is None:
            self._wait_for_release()
        return 0 if record and record.get("state") == "COMPLETED" else 1

    def _join(self, rank: int, size: int) -> None:
        secret = secret_of(self._paths.key)
        if rank == 0:
            self._chief = Chief(size, secret)
        else:
            self._member = Member(rank, secret, os.environ["MASTER_ADDR"])

    def _others_end(self) -> bool:
        """Whether the job is to end because of another pod of it."""
        if self._chief is not None:
            return self._chief.look() is not None
        return self._member is not None and self._member.ends()

    def _settle(self, record: Optional[Dict[str, Any]]) -> Optional[Dict[str, Any]]:
        """How the job ended, with all its pods."""
        if self._member is not None:
            self._member.tell(record)
        if self._chief is None:
            return record
        completed = record is not None and record.get("state") == "COMPLETED"
        while completed and not self._chief.done and not self._terminated:
            self._chief.look()
            time.sleep(LONGEST)
        failure = self._chief.failure
        self._chief.close()
        if failure is not None and (completed or self._told_by_others):
            record = failed(record, failure)
            scratch = self._paths.exit.with_name(".exit.gang")
            scratch.write_text(json.dumps(record), encoding="ascii")
            scratch.replace(self._paths.exit)
        return record

    def _deposit(self) -> Dict[str, Any]:
        """Leave the results in the object store; what is to be said of that."""
        place, client = self._results
        if not place or self._member is not None:
            return {}
        complaint = deposit(self._paths.directory, place, client)
        return {"stored": not complaint, "complaint": complaint}

    def _on_sigterm(self, number: int, frame: Any) -> None:
        self._terminated = True

    def _watch(self) -> None:
        echo, pause = Echo(self._paths.events), SHORTEST
        while True:
            ended = self._ended
            if echo.copy():
                pause = SHORTEST
                continue
            if ended:
                return
            self._reap()
            if not self._told and self._others_end():
                self._told = self._told_by_others = True
                os.kill(self._child, signal.SIGTERM)
            if not self._told and (self._terminated or self._paths.cancel.exists()):
                # asked for by somebody: the cancel file tells the runner which it was
                self._told = True
                os.kill(self._child, signal.SIGTERM)
            time.sleep(pause)
            pause = min(pause * 1.1, LONGEST)

    def _reap(self) -> None:
        try:
            while True:
                pid, _ = os.waitpid(-1, os.WNOHANG)
                if pid == self._child:
                    self._ended = True
                if pid == 0:
                    return
        except ChildProcessError:
            self._ended = True

    def _wait_for_release(self) -> None:
        released = self._base / "released"
        end = time.monotonic() + self._linger
        while time.monotonic() < end and not released.exists():
            self._reap_orphans()
            if self._terminated:
                # a pod that is being deleted has its grace period for this, and no more
                end, self._terminated = min(end, time.monotonic() + LAST_WAIT), False
            time.sleep(0.02)

    def _reap_orphans(self) -> None:
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            pass


def _become_runner(paths: JobPaths, arguments: List[str]) -> None:
    """The forked child: the runner, with a log of its own. Never returns."""
    status = 1
    try:
        log = os.open(paths.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(log, 1)
        os.dup2(log, 2)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        # a group of its own, so that a signal for it is not one for us
        os.setpgid(0, 0)
        os.chdir(str(paths.directory))
        from .__main__ import main as run

        status = run(arguments)
    finally:
        os._exit(status)


def _read(path: Path) -> Optional[Dict[str, Any]]:
    try:
        record = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) else None


def main(base: str, job: str, blobs: str, options: Dict[str, str]) -> int:
    """Keep the job in this directory; called by what waited for it."""
    paths = JobPaths(Path(job))
    arguments = [job, "--blobs", blobs]
    for name in ("--time", "--mem"):
        if name in options:
            arguments += [name, options[name]]
    sys.stdout.flush()
    linger = float(options.get("--linger", 0))
    gang = "--gang" in options
    results = options.get("--results", ""), options.get("--client", "")
    return Keeper(Path(base), paths, linger, gang=gang, results=results).run(arguments)
