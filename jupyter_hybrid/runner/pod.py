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
from typing import Any, Dict, List, Optional, Tuple

from ..paths import JobPaths
from .depot import deposit
from .gang import Chief, Member, failed, secret_of
from .tasks import Tasks, put

#: Seconds between two looks at the events: short while the job talks, longer while it is silent.
SHORTEST, LONGEST = 0.005, 0.05
#: Seconds that somebody has to take the results of a pod that is being deleted.
LAST_WAIT = 20.0


class Keeper:
    """Process 1: the runner's parent, and that of every orphan."""

    def __init__(
        self,
        base: Path,
        paths: JobPaths,
        linger: float,
        *,
        nodes: int = 1,
        tasks: int = 1,
        results: Tuple[str, str] = ("", ""),
    ) -> None:
        """``results``: where in an object store they are left, and where that store's client is."""
        self._base, self._paths, self._linger, self._results = base, paths, linger, results
        self._tasks, self._count = Tasks(paths, tasks), tasks
        self._chief: Optional[Chief] = None
        self._member: Optional[Member] = None
        if nodes > 1:
            self._join(int(os.environ["NODE_RANK"]), nodes)
        self._terminated = self._told = self._told_by_others = False

    def run(self, arguments: List[str]) -> int:
        """The pod's exit status: 0 where the job completed."""
        signal.signal(signal.SIGTERM, self._on_sigterm)
        self._tasks.start(arguments)
        self._watch()
        record = self._settle(_read(self._paths.exit))
        said = {"kind": "exit", "record": record, **self._deposit()}
        put(json.dumps(said).encode("ascii") + b"\n")
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
            record = failed(record, failure, self._count)
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
        pause = SHORTEST
        while True:
            ended = self._tasks.ended
            if self._tasks.copy():
                pause = SHORTEST
                continue
            if ended:
                return
            self._tasks.reap()
            if not self._told and self._others_end():
                self._told = self._told_by_others = True
                self._tasks.terminate()
            if not self._told and (self._terminated or self._paths.cancel.exists()):
                # asked for by somebody: the cancel file tells the runner which it was
                self._told = True
                self._tasks.terminate()
            time.sleep(pause)
            pause = min(pause * 1.1, LONGEST)

    def _wait_for_release(self) -> None:
        released = self._base / "released"
        end = time.monotonic() + self._linger
        while time.monotonic() < end and not released.exists():
            self._tasks.reap()
            if self._terminated:
                # a pod that is being deleted has its grace period for this, and no more
                end, self._terminated = min(end, time.monotonic() + LAST_WAIT), False
            time.sleep(0.02)


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
    nodes, tasks = (int(options.get(name, 1)) for name in ("--nodes", "--tasks"))
    results = options.get("--results", ""), options.get("--client", "")
    return Keeper(Path(base), paths, linger, nodes=nodes, tasks=tasks, results=results).run(
        arguments
    )
