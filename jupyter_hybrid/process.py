"""Processes that outlive their maker, known by more than their number.

A pid alone says little: it is reused, and after a reboot it means somebody else. A handle also
holds the process's start time (in clock ticks since boot, field 22 of ``/proc/PID/stat``, proc(5),
which no change of the wall clock moves) and the boot's id. Where there is no ``/proc`` (macOS),
only the pid is compared.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .runner.processes import ProcessStat, answers, boot_id, environment, parse_stat, read_stat

__all__ = ["ProcessStat", "boot_id", "parse_stat", "read_stat"]

_PROC = Path("/proc")
#: Seconds between two looks at a process that was asked to end.
_LOOK_EVERY = 0.02

#: Processes that we made and that nobody waits for, by pid, with their start ticks.
_ours: dict[int, int | None] = {}
_ours_lock = threading.Lock()


@dataclass(frozen=True)
class ProcessHandle:
    """A process, recognisable from any other process on this machine."""

    pid: int
    #: Clock ticks between boot and the start; None where the system does not tell.
    started_ticks: int | None = None
    #: Random id of the boot; None where the system does not tell.
    boot_id: str | None = None

    def to_json(self) -> dict[str, Any]:
        """A JSON object; ``from_json`` reads it back."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ProcessHandle:
        """Read ``to_json``'s object, ignoring other keys; raises ``KeyError`` without a pid."""
        return cls(int(data["pid"]), data.get("started_ticks"), data.get("boot_id") or None)


def handle_of(pid: int) -> ProcessHandle:
    """The handle of a living process, for a pid that cannot have been reused yet."""
    stat = read_stat(pid)
    return ProcessHandle(pid, stat.started_ticks if stat else None, boot_id())


def spawn_detached(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    log: Path,
    keep_open: Sequence[int] = (),
) -> ProcessHandle:
    """Start a program in a session of its own, which outlives this process.

    Its output is appended to ``log``; its input is empty. ``keep_open`` are the descriptors it
    inherits. Raises ``OSError`` where it cannot be started.
    """
    _reap()
    # no preexec_fn: with it Python must fork, which takes as long as this process is big
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        child = subprocess.Popen(
            list(argv),
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            start_new_session=True,
            pass_fds=tuple(keep_open),
        )
    finally:
        os.close(descriptor)
    handle = handle_of(child.pid)
    with _ours_lock:
        _ours[child.pid] = handle.started_ticks
    # Popen neither waits for the child nor warns of it: it is reaped here, by its pid
    child.returncode = 0
    return handle


def is_running(handle: ProcessHandle) -> bool:
    """True while that very process lives; a zombie, a reused pid or another boot is not it."""
    _reap()
    if handle.boot_id is not None and handle.boot_id != boot_id():
        return False
    stat = read_stat(handle.pid)
    if stat is not None:
        same = handle.started_ticks is None or handle.started_ticks == stat.started_ticks
        return same and stat.state not in "ZX"
    return not _PROC.joinpath("self").exists() and answers(handle.pid)


def send_signal(handle: ProcessHandle, number: int) -> bool:
    """Signal that very process; False where it does not live any more (or is another user's)."""
    if not hasattr(os, "pidfd_open"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if is_running(handle):
                os.kill(handle.pid, number)
                return True
        return False
    try:
        descriptor = os.pidfd_open(handle.pid)
    except OSError:
        return False
    try:
        # looked at after it was opened: between here and the signal the pid cannot change hands
        if not is_running(handle):
            return False
        signal.pidfd_send_signal(descriptor, number)
    except (ProcessLookupError, PermissionError):
        return False
    finally:
        os.close(descriptor)
    return True


def wait_end(handle: ProcessHandle, timeout: float) -> bool:
    """Wait until the process has ended, for ``timeout`` seconds at most; True where it has."""
    deadline = time.monotonic() + timeout
    while is_running(handle):
        if time.monotonic() >= deadline:
            return False
        time.sleep(_LOOK_EVERY)
    return True


def kill_tree(handle: ProcessHandle, mark: str = "") -> list[int]:
    """Kill the process, its session and all their descendants; returns the pids killed.

    ``mark`` (``NAME=value``) is an entry of the environment that the process was started with:
    with it descendants are found even where their ancestors are dead, and those that carry the
    same name with another value (a job that the job submitted) are spared. Blocks for 5 seconds
    at most, until they are dead.
    """
    killed: dict[int, ProcessHandle] = {}
    for _ in range(50):
        members = _members(handle, mark)
        # all stand still before the first one dies: what is stopped starts no others, and a
        # parent that lives still leads to its children
        fresh = [m for m in members if m.pid not in killed and send_signal(m, signal.SIGSTOP)]
        killed.update((m.pid, m) for m in fresh)
        if not fresh:
            break
    for member in killed.values():
        send_signal(member, signal.SIGKILL)
    deadline = time.monotonic() + 5.0
    for member in killed.values():
        wait_end(member, max(0.0, deadline - time.monotonic()))
    return sorted(killed)


def marked(mark: str) -> list[ProcessHandle]:
    """Living processes whose environment has this entry (``NAME=value``), whoever started them."""
    stats = _stats()
    this_boot = boot_id()
    return [
        ProcessHandle(pid, stats[pid].started_ticks, this_boot)
        for pid, same in _marks(stats, mark).items()
        if same
    ]


def _stats() -> dict[int, ProcessStat]:
    """All processes that live."""
    found = {}
    for entry in _PROC.iterdir() if _PROC.is_dir() else ():
        if entry.name.isdigit() and (stat := read_stat(int(entry.name))) and stat.state not in "ZX":
            found[int(entry.name)] = stat
    return found


def _members(root: ProcessHandle, mark: str) -> list[ProcessHandle]:
    stats = _stats()
    if not stats:
        return [root] if is_running(root) else []
    # the root's own number counts only while it is the root's: a session keeps its leader's pid
    # from being reused as long as it has members
    found = {root.pid} if is_running(root) or root.pid not in stats else set()
    marks = _marks(stats, mark)
    found |= {pid for pid, value in marks.items() if value}
    spared = {pid for pid, value in marks.items() if not value}
    grown = True
    while grown:
        more = {p for p, s in stats.items() if s.parent in found or s.session in found}
        grown = not more - spared <= found
        found |= more - spared
    this_boot = boot_id()
    found -= {os.getpid()}
    return [
        ProcessHandle(pid, stats[pid].started_ticks, this_boot) for pid in found if pid in stats
    ]


def _marks(stats: Mapping[int, ProcessStat], mark: str) -> dict[int, bool]:
    """Which processes have the mark's name in their environment: True where with its value."""
    name, _, value = mark.partition("=")
    if not name:
        return {}
    marks = {}
    for pid in stats:
        found = environment(pid).get(name)
        if found is not None:
            marks[pid] = found == value
    return marks


def _reap() -> None:
    """Collect those of our children that have ended; never anybody else's."""
    with _ours_lock:
        for pid, ticks in list(_ours.items()):
            stat = read_stat(pid)
            # somebody else collected it, and its number may have been given to another child
            if stat is not None and ticks is not None and stat.started_ticks != ticks:
                del _ours[pid]
                continue
            try:
                ended, _ = os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                ended = pid
            if ended:
                del _ours[pid]
