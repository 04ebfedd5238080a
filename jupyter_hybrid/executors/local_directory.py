"""The directory of a job on this machine: what it says of the job, and who may start it."""

from __future__ import annotations

import math
import os
import shutil
import socket
import time
from contextlib import suppress
from pathlib import Path

from ..blocking import aside
from ..errors import PlaceError
from ..job import Job, State
from ..paths import JobPaths
from ..process import ProcessHandle, is_running, marked
from ..sentences import telling_lines
from ..spec import Cause, ExitRecord
from .base import JobStatus
from .locks import is_locked
from .records import read_exit, read_record

#: Environment variable that marks a job's processes.
MARK = "JUPYTER_HYBRID_JOB"
#: Seconds without a sign from a job of another machine, after which it is missing.
SILENT_AFTER = 60.0
#: The same from its start to its claim, which takes its time where an engine is slow.
BEGINS_WITHIN = 300.0
#: The same for a container whose processes cannot be seen; its claim is touched every 5 seconds.
SILENT_WITHIN = 15.0
#: Bytes that one ``read`` returns at most.
CHUNK = 1 << 22
#: Bytes that are read without a thread, which takes as long to be had.
AT_ONCE = 1 << 15
#: Who was started, as its maker noted it.
SPAWNED = "spawned.json"
#: The engine in whose container the job runs, noted before that is started.
CONTAINER = "container.json"


async def read_soon(path: str, offset: int) -> bytes:
    """``read_behind``, in a thread where there is so much that the disk may take its time."""
    with suppress(OSError):
        if os.stat(path).st_size - offset > AT_ONCE:
            return await aside(read_behind, path, offset)
    return read_behind(path, offset)


def read_behind(path: Path | str, offset: int) -> bytes:
    """What is behind ``offset`` in the file; nothing where there is none. Raises ``PlaceError``."""
    try:
        # a job is silent most of the time, and its size is had for less than its file
        if os.stat(path).st_size <= offset:
            return b""
        with open(path, "rb") as file:
            file.seek(offset)
            return file.read(CHUNK)
    except (FileNotFoundError, NotADirectoryError):
        return b""
    except OSError as error:
        raise PlaceError(f"{path} cannot be read: {error.strerror}", transient=True) from error


def remove_directory(directory: Path) -> None:
    """Remove the directory with all that is in it, or raise ``PlaceError``."""
    for folder, names, _ in os.walk(directory):
        # the job may have taken permissions away, its own included; before a folder is looked into
        for path in (Path(folder), *(Path(folder, name) for name in names)):
            # (what is another user's, as containers leave it, may be removable all the same)
            with suppress(OSError):
                if not path.is_symlink():
                    path.chmod(0o700)
    # what ends may write its last while we are at it
    for pause in (0.1, 0.3, 1.0, 0.0):
        shutil.rmtree(directory, ignore_errors=True)
        if not directory.exists():
            return
        time.sleep(pause)
    raise PlaceError(f"{directory} cannot be removed completely; remove it by hand")


#: What engines say where nobody has described the GPUs to them, and what to do about it.
_REMEDIES = {
    "unresolvable CDI devices": "describe the GPUs to it: "
    "nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml (NVIDIA Container Toolkit)",
    "could not select device driver": "install the NVIDIA Container Toolkit, then: "
    "nvidia-ctk runtime configure --runtime=docker",
}


def status_of(job: Job, paths: JobPaths) -> JobStatus | None:
    """What is known of the job; None where that is no news."""
    ended = read_exit(paths)
    if ended is not None:
        return JobStatus(state=State(ended.state), exit=ended)
    claim = claimed(paths)
    contained = engine_of(paths)
    # inside a container there are other pids: what counts is the engine's client, which is here
    process = (None if contained else claim) or spawned(paths) or handled(job)
    handle = {"directory": str(paths.directory), **process.to_json()} if process else None
    if (elsewhere := _elsewhere(paths)) is not None:
        return _heard_of(paths, elsewhere)
    if process is not None and is_running(process):
        if not paths.directory.is_dir():
            return JobStatus(state=State.RUNNING, reason=_gone(paths), handle=handle)
        state = State.RUNNING if claim else State.PENDING
        return JobStatus(state=state, reason="" if claim else "starting", handle=handle)
    if process is not None and marked(f"{MARK}={job.id}"):
        # its supervisor was killed; what it has started saves, and ends by itself
        return JobStatus(state=State.RUNNING, reason="its supervisor is gone", handle=handle)
    if contained and claim and _silent_for(paths) < SILENT_WITHIN:
        reason = f"{contained}'s client is gone, and the job goes on"
        return JobStatus(state=State.RUNNING, reason=reason, handle=handle)
    # it may have written its exit record between our two looks
    ended = read_exit(paths)
    cancelled = paths.cancel.exists() or job.wanted is State.CANCELLED
    if ended is None and process is not None and cancelled:
        ended = ExitRecord("CANCELLED", Cause.CANCELLED, "cancelled; it left no other word")
    if ended is not None:
        return JobStatus(state=State(ended.state), exit=ended, handle=handle)
    if process is not None and contained and not paths.claim.exists():
        message = f"{contained} started no container: {_refusal(paths)}"
        ended = ExitRecord("FAILED", Cause.REFUSED, message)
        return JobStatus(state=State.FAILED, exit=ended, handle=handle)
    if process is None and is_locked(paths.directory):
        # a submit that takes its time
        return None
    if process is None:
        reason = "nothing of the job was started"
        return JobStatus(state=State.CREATED, missing=True, started=False, reason=reason)
    return JobStatus(state=State.RUNNING, missing=True, reason=_last_words(paths), handle=handle)


def origin() -> dict[str, str]:
    """The machine, and the part of its processes that are seen from here."""
    try:
        namespace = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        namespace = ""
    return {"host": socket.gethostname(), "pid_namespace": namespace}


def _elsewhere(paths: JobPaths) -> str | None:
    """The machine that the job runs on, where its processes cannot be seen from here."""
    here = origin()
    claim = None if engine_of(paths) else read_record(paths.claim)
    for record in (read_record(paths.directory / SPAWNED), claim):
        for key, value in here.items():
            if record and record.get(key) not in (None, value):
                return str(record.get("host") or "another machine")
    return None


def _refusal(paths: JobPaths) -> str:
    """What the engine said, and what to do about it where that is known."""
    said = _log_end(paths) or "it said nothing"
    return said + "".join(f"; {remedy}" for words, remedy in _REMEDIES.items() if words in said)


def _heard_of(paths: JobPaths, machine: str) -> JobStatus | None:
    """A job whose directory is shared with another machine: its supervisor touches its claim."""
    silent = _silent_for(paths)
    if silent == math.inf:
        return _never_heard_of(paths, machine)
    if silent < SILENT_AFTER:
        return JobStatus(state=State.RUNNING)
    reason = f"nothing was heard for {silent:.0f} seconds of {machine}, where the job runs"
    return JobStatus(state=State.RUNNING, missing=True, silent=silent, reason=reason)


def _never_heard_of(paths: JobPaths, machine: str) -> JobStatus | None:
    """One that was started over there, and has not said so itself."""
    silent = _silent_for(paths, SPAWNED)
    if not BEGINS_WITHIN < silent < math.inf:
        return None
    reason = f"nothing was heard for {silent:.0f} seconds of {machine}, where the job was started"
    return JobStatus(state=State.PENDING, missing=True, reason=reason)


def _silent_for(paths: JobPaths, name: str = "") -> float:
    """Seconds since the supervisor touched its claim, or another file; infinite without one."""
    clock = paths.directory / ".clock"
    try:
        # the file system's own time: the two machines' clocks need not agree
        clock.touch()
        file = paths.directory / name if name else paths.claim
        return clock.stat().st_mtime - file.stat().st_mtime
    except OSError:
        return math.inf


def _gone(paths: JobPaths) -> str:
    return f"its directory {paths.directory} was removed, and its results are lost"


def _last_words(paths: JobPaths) -> str:
    """Why a runner is gone, as far as its log tells."""
    if not paths.directory.is_dir():
        return f"the job ended after {_gone(paths)}"
    words = _log_end(paths)
    said = f" (its last words: {words})" if words else ""
    return f"the job's process is gone, by a kill -9 or a reboot of this machine{said}"


def _log_end(paths: JobPaths) -> str:
    try:
        lines = telling_lines(paths.log.read_text("utf-8", "replace"))
    except OSError:
        lines = []
    return lines[-1][:200] if lines else ""


def engine_of(paths: JobPaths) -> str:
    """The engine whose container the job runs in, with pids of its own; "" where it is in none."""
    record = read_record(paths.directory / CONTAINER)
    return str(record.get("engine") or "") if record else ""


def claimed(paths: JobPaths) -> ProcessHandle | None:
    """Who runs the job, by its own word."""
    record = read_record(paths.claim)
    return ProcessHandle.from_json(record) if record and "pid" in record else None


def spawned(paths: JobPaths) -> ProcessHandle | None:
    """Who was started to run the job, by its maker's word."""
    record = read_record(paths.directory / SPAWNED)
    return ProcessHandle.from_json(record) if record else None


def handled(job: Job) -> ProcessHandle | None:
    """What the store remembers, for a directory that is gone."""
    return ProcessHandle.from_json(job.handle) if job.handle and "pid" in job.handle else None
