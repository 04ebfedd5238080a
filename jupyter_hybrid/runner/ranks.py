"""A job of several processes (MPI, torchrun): each runs the notebook, and rank 0's is the record.

Each rank is a runner with a directory of its own, ``ranks/N`` below the job's; rank 0 has the job's
own one. They share the work directory. Who they are they know from Slurm, or from the keeper of
their pod (``tasks``). Standard library only::

    ranks/N/            spec, notebook, inputs, work: links to the job's; events, results: its own
    failed-rank.json    the exit record of the first one that failed, and its number
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any, Callable, Dict, Optional

from ..paths import JobPaths

#: Of the job's directory, what all ranks have: ``spec.json`` comes last, it says that all is there.
SHARED = ("notebook.ipynb", "key", "inputs", "work", "spec.json")
#: Variables by which torch.distributed and others know their place, and Slurm's of the same sense.
VARIABLES = {
    "RANK": "SLURM_PROCID",
    "WORLD_SIZE": "SLURM_NTASKS",
    "LOCAL_RANK": "SLURM_LOCALID",
    "LOCAL_WORLD_SIZE": "SLURM_NTASKS_PER_NODE",
}
#: In a pod: which of its processes this is, and how many there are: ``1/4``.
LOCAL = "JUPYTER_HYBRID_LOCAL_RANK"
#: The state of a rank that did all it was to do.
COMPLETED = "COMPLETED"
#: Seconds between two looks at what others wrote.
PAUSE = 0.1
#: Seconds between two looks for what other nodes have made, and when they were, by directory.
SEEN = 1.0
_looked: Dict[Path, float] = {}
#: Seconds that a rank which failed gives the others to save and end.
GRACE = 30.0


class Ranks:
    """This process among its siblings."""

    def __init__(self, directory: Path) -> None:
        """``directory`` is the job's."""
        self.job = JobPaths(directory)
        local, _, size = os.environ.pop(LOCAL, "").partition("/")
        self.rank = int(local or os.environ.get("SLURM_PROCID") or 0)
        self.size = int(size or os.environ.get("SLURM_NTASKS") or 1)
        #: The file of the first that failed.
        self.failed = directory / "failed-rank.json"
        #: Slurm's batch script writes it when the job is told to end.
        self.terminated = directory / "terminated"

    def paths_of(self, rank: int) -> JobPaths:
        """The directory of a rank."""
        return self.job.rank(rank)

    def enter(self) -> Path:
        """Make this rank's directory, and tell its kernel who it is."""
        for name, known in VARIABLES.items():
            if os.environ.get(known):
                os.environ[name] = os.environ[known].partition("(")[0]
        self.job.work.mkdir(exist_ok=True)
        own = self.paths_of(self.rank).directory
        if self.rank:
            own.mkdir(mode=0o700, parents=True, exist_ok=True)
            for name in SHARED:
                if (self.job.directory / name).exists() and not (own / name).exists():
                    (own / name).symlink_to(Path("..", "..", name))
        return own

    def stops(self) -> bool:
        """Whether this rank is to end because of another one, or of the place."""
        _look(self.job.directory)
        if self.rank:
            return self.job.exit.exists()
        return self.failed.exists() or self.terminated.exists()

    def await_files(self, going: Callable[[], bool]) -> None:
        """Return when the files are laid out, which rank 0 does before its first cell."""
        if self.rank == 0 or not self.job.files.exists():
            return
        while going() and not self.job.exit.exists():
            _look(self.job.directory)
            try:
                if b'"kind":"cell"' in self.job.events.read_bytes():
                    return
            except OSError:
                pass
            time.sleep(PAUSE)

    def await_others(self, going: Callable[[], bool]) -> None:
        """In rank 0: return when all others have completed; where one fails, ``going`` ends."""
        if self.rank:
            return
        others = [self.paths_of(rank).exit for rank in range(1, self.size)]
        while going():
            for path in others:
                _look(path.parent)
            # one that did not complete says so, and then the supervisor ends this one
            others = [path for path in others if _state(path) != COMPLETED]
            if not others:
                return
            time.sleep(PAUSE)

    def leave(self, paths: JobPaths) -> int:
        """Tell the others where this rank did not complete; its exit status.

        Returns when rank 0 has its record, or does not come to write one.
        """
        record = _record(paths.exit) or {}
        completed = record.get("state") == COMPLETED
        if self.rank and not completed and not self.job.exit.exists():
            self._tell(record)
        until = None
        while self.rank and not self.job.exit.exists():
            _look(self.job.directory)
            if until is None and (self.failed.exists() or self.terminated.exists()):
                until = time.monotonic() + GRACE
            if until is not None and time.monotonic() > until:
                break
            time.sleep(PAUSE)
        return 0 if completed else 1

    def _tell(self, record: Dict[str, Any]) -> None:
        rank = int(os.environ.get("RANK") or self.rank)
        said = {**record, "rank": rank, "host": os.uname().nodename}
        scratch = self.failed.with_name(f".failed-rank.{self.rank}")
        scratch.write_text(json.dumps(said), encoding="utf-8")
        try:
            os.link(scratch, self.failed)
        except FileExistsError:
            pass
        finally:
            scratch.unlink()


def _look(folder: Path) -> None:
    """See what other nodes have made in the directory, at most a second ago.

    NFS believes for up to a minute that a file is not there, unless its directory is opened.
    """
    now = time.monotonic()
    if now - _looked.get(folder, now - SEEN) < SEEN:
        return
    _looked[folder] = now
    try:
        os.close(os.open(folder, os.O_RDONLY | os.O_DIRECTORY))
    except OSError:
        # it is made by its rank
        pass


def failed_rank(directory: Path) -> Optional[Dict[str, Any]]:
    """The exit record of the rank that failed first, with its number; None where none did."""
    return _record(directory / "failed-rank.json")


def _state(path: Path) -> Any:
    return (_record(path) or {}).get("state")


def _record(path: Path) -> Optional[Dict[str, Any]]:
    try:
        record = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) else None
