"""What /proc says about processes: who descends from whom, how much memory, since when.

Standard library only; the supervisor uses this and must stay small.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Dict, Iterable, List, NamedTuple, Optional

#: Numbers of prctl(2), the same on every Linux.
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


def prctl(option: int, value: int) -> bool:
    """Set a property of this process; False where the platform cannot."""
    try:
        import ctypes

        return bool(ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) == 0)
    except (ImportError, OSError, AttributeError):
        return False


def boot_id() -> Optional[str]:
    """Which boot of this machine it is; None where the system does not tell."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return None


class ProcessStat(NamedTuple):
    """What ``/proc/PID/stat`` says of a process."""

    #: One letter: R running, S sleeping, Z zombie, …
    state: str
    parent: int
    session: int
    #: Clock ticks between boot and the start.
    started_ticks: int


def parse_stat(text: str) -> ProcessStat:
    """Read ``/proc/PID/stat`` (proc(5)); the name in it may hold spaces and brackets."""
    fields = text[text.rindex(")") + 1 :].split()
    return ProcessStat(fields[0], int(fields[1]), int(fields[3]), int(fields[19]))


def read_stat(pid: int) -> Optional[ProcessStat]:
    """The process's stat; None where there is no such process (or no ``/proc``)."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return parse_stat(file.read())
    except (OSError, ValueError, IndexError):
        return None


def started_ticks(pid: int) -> Optional[int]:
    """When the living process started, in ticks since boot; None for dead ones and zombies."""
    stat = read_stat(pid)
    return None if stat is None or stat.state in "ZX" else stat.started_ticks


def answers(pid: int) -> bool:
    """Whether any process has the number: all that is known of one where there is no ``/proc``."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return pid > 0


def _children_by_scan(pid: int) -> List[int]:
    numbers = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    return [n for n in numbers if (stat := read_stat(n)) is not None and stat.parent == pid]


def children(pid: int) -> List[int]:
    """The process's own children, zombies included."""
    found: List[int] = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children", encoding="ascii") as file:
                found.extend(map(int, file.read().split()))
    except FileNotFoundError:
        # either the process has gone or this Linux was built without the file
        if Path(f"/proc/{pid}").exists() and not Path("/proc/self/task/self/children").exists():
            return found or _children_by_scan(pid)
    except OSError:
        return found
    return found


def descendants(pid: int) -> List[int]:
    """Children, their children and so on; parents before their children."""
    found: List[int] = []
    waiting = children(pid)
    seen = set()
    while waiting:
        child = waiting.pop(0)
        if child not in seen:
            seen.add(child)
            found.append(child)
            waiting.extend(children(child))
    return found


def environment(pid: int) -> Dict[str, str]:
    """The environment with which the process was started; empty where it may not be read."""
    try:
        data = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return {}
    entries = (entry.partition(b"=") for entry in data.split(b"\0"))
    return {os.fsdecode(name): os.fsdecode(value) for name, _, value in entries}


def resident(pids: Iterable[int]) -> int:
    """Bytes of memory resident in these processes; pages that they share count once for each."""
    pages = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/statm", encoding="ascii") as file:
                pages += int(file.read().split()[1])
        except (OSError, ValueError, IndexError):
            continue
    return pages * os.sysconf("SC_PAGE_SIZE")


def parse_proportional(text: str) -> int:
    """Bytes in the ``Pss:`` line of a ``smaps_rollup``; 0 without one."""
    for line in text.splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def proportional(pids: Iterable[int]) -> int:
    """Bytes of memory in these processes, shared pages divided among those that share them."""
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
                total += parse_proportional(file.read())
        except (OSError, ValueError, IndexError):
            total += resident([pid])
    return total


def kill(pids: Iterable[int], signum: int = signal.SIGKILL) -> None:
    """Send the signal to those that are still there."""
    for pid in pids:
        try:
            os.kill(pid, signum)
        except (ProcessLookupError, PermissionError):
            continue


def reap() -> Dict[int, int]:
    """Collect ended children so that they do not stay as zombies; their wait statuses by pid."""
    ended: Dict[int, int] = {}
    try:
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return ended
            ended[pid] = status
    except ChildProcessError:
        return ended


def kill_descendants(pid: int, spare: Iterable[int] = (), seconds: float = 2.0) -> Dict[int, int]:
    """No descendant but the spared is left running, also none that is born meanwhile.

    Returns the wait statuses of this process's own children among them, by pid.
    """
    spared, ended = set(spare), {}
    deadline = time.monotonic() + seconds
    while True:
        alive = [p for p in descendants(pid) if p not in spared and started_ticks(p) is not None]
        if pid == os.getpid() and not spared:
            ended.update(reap())
        if not alive or time.monotonic() > deadline:
            return ended
        # stopped first, so that a parent cannot replace the child that was just killed
        kill(alive, signal.SIGSTOP)
        kill(alive)
        time.sleep(0.002)
