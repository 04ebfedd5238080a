"""The supervisor: a small process above the runner that sees to it that the job ends as it should.

It enforces wall time and memory, forwards SIGTERM, writes the exit record where the runner died
without one, and leaves no process running. Standard library only, and little of that.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Optional

from ..paths import JobPaths
from .control import Control
from .processes import (
    PR_SET_CHILD_SUBREAPER,
    descendants,
    kill,
    kill_descendants,
    prctl,
    proportional,
    resident,
)

#: Seconds between two looks at memory, when there is much left and when there is little.
CALM, ALERT = 0.2, 0.05
#: Seconds between two looks for the cancel file, which may come over a shared directory.
CANCEL_INTERVAL = 0.5
#: Seconds between two signs of life.
SIGN_INTERVAL = 5.0
#: Seconds that a runner gets beyond the grace period before it is killed.
SLACK = 2.0


@dataclass
class Limits:
    """What the job may use."""

    #: Wall time in seconds.
    time: Optional[float] = None
    #: Memory in bytes.
    mem: Optional[int] = None
    #: Seconds between SIGTERM and SIGKILL.
    grace: float = 10.0


class Supervisor:
    """Watches one runner until it has ended."""

    def __init__(self, paths: JobPaths, child: int, control: Control, limits: Limits) -> None:
        self._paths, self._child, self._control, self._limits = paths, child, control, limits
        self._began = time.monotonic()
        self._kill_at: Optional[float] = None
        self._next_memory = self._next_cancel = self._next_sign = 0.0
        self._status: Optional[int] = None
        self._terminated = False
        self._wakeup, write = os.pipe()
        for descriptor in (self._wakeup, write):
            os.set_blocking(descriptor, False)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.signal(signal.SIGTERM, self._on_sigterm)
        signal.signal(signal.SIGINT, self._on_sigterm)

    def _on_sigterm(self, number: int, frame: Any) -> None:
        self._terminated = True

    def watch(self) -> int:
        """Wait for the runner's end and return its wait status as a return code."""
        while not self._reap():
            self._enforce(time.monotonic())
            select.select([self._wakeup], [], [], self._pause())
            try:
                os.read(self._wakeup, 512)
            except BlockingIOError:
                pass
        status = self._status or 0
        return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)

    def _reap(self) -> bool:
        """Collect ended children: the runner, and orphans of the user's that are ours by now."""
        try:
            while self._status is None:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == self._child:
                    self._status = status
                if pid == 0:
                    break
        except ChildProcessError:
            self._status = self._status or 0
        return self._status is not None

    def _pause(self) -> float:
        now = time.monotonic()
        moments = [self._next_memory, self._next_cancel]
        if self._limits.time is not None and self._kill_at is None:
            moments.append(self._began + self._limits.time)
        if self._kill_at is not None:
            moments.append(self._kill_at)
        return max(0.001, min(moments) - now)

    def _enforce(self, now: float) -> None:
        if now >= self._next_memory:
            self._next_memory = now + self._look_at_memory()
        if now >= self._next_cancel:
            self._next_cancel = now + CANCEL_INTERVAL
            ranks = self._control.ranks
            told = self._paths.cancel.exists() or (ranks is not None and ranks.stops())
            self._terminated = self._terminated or told
            self._show_life(now)
        if self._kill_at is not None:
            if now >= self._kill_at:
                ended = kill_descendants(os.getpid(), seconds=5.0)
                self._status = ended.get(self._child, self._status)
            return
        if self._limits.time is not None and now - self._began >= self._limits.time:
            self._control.say("wall-time", self._limits.time)
            self._terminate(now)
        elif self._terminated:
            self._control.say("terminated")
            self._terminate(now)

    def _show_life(self, now: float) -> None:
        """Touch the claim: other machines that share the directory see nothing else of us."""
        if now >= self._next_sign:
            self._next_sign = now + SIGN_INTERVAL
            try:
                os.utime(self._paths.claim)
            except OSError:
                pass

    def _terminate(self, now: float) -> None:
        self._kill_at = now + self._limits.grace + SLACK
        kill([self._child], signal.SIGTERM)

    def _look_at_memory(self) -> float:
        """Record the peak, kill the kernel above the limit; seconds until the next look."""
        pids = descendants(os.getpid())
        used = resident(pids)
        limit = self._limits.mem
        if limit is None:
            self._control.peak = max(self._control.peak, used)
            return CALM
        if used > limit:
            # forked workers share most of their pages, which must count once only
            used = proportional(pids)
        self._control.peak = max(self._control.peak, used)
        if used > limit:
            self._control.say("memory", used, limit)
            kill_descendants(os.getpid(), spare=[self._child])
        return ALERT if used > limit / 4 else CALM


def supervise(paths: JobPaths, child: int, control: Control, limits: Limits) -> int:
    """Watch the runner to its end, make sure of an exit record, and leave nothing running.

    Exit status: 0 where there is an exit record; of one of several ranks, where it completed.
    """
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    status = Supervisor(paths, child, control, limits).watch()
    if control.ranks is None:
        _tidy(control)
    if not paths.exit.exists():
        # what is loaded by now is all that a long watch needs
        from .bury import bury
        from .endings import runner_died, why_ended

        bury(paths, why_ended(paths, control.received()) or runner_died(status), control)
    done = 0 if paths.exit.exists() else 1
    if control.ranks is not None:
        # Slurm's PMIx ends all ranks where a process of MPI goes without a word, so that none goes
        # before rank 0 has its record
        done = control.ranks.leave(paths)
        _tidy(control)
    return done


def _tidy(control: Control) -> None:
    kill_descendants(os.getpid())
    remove_sockets(control.sockets)


def remove_sockets(directory: Optional[Path]) -> None:
    """The kernel's sockets and their directory are gone."""
    if directory is None:
        return
    try:
        for path in directory.iterdir():
            path.unlink()
        directory.rmdir()
    except OSError as error:
        # somebody cleaned up, or put something there; neither is worth more than the exit record
        sys.stderr.write(f"The kernel's sockets were not removed: {error}\n")


def limits_of(spec: Dict[str, Any], time_limit: Optional[float], mem: Optional[int]) -> Limits:
    """The limits from the command line, with what the spec says of the grace period."""
    return Limits(time_limit, mem, float(spec.get("grace") or 0.0))


def read_spec(path: Path) -> Dict[str, Any]:
    """The spec as plain JSON."""
    data = json.loads(path.read_bytes())
    return data if isinstance(data, dict) else {}
