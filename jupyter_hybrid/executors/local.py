"""Jobs on this machine: detached processes that outlive whoever started them.

The job's directory is the place: ``runner.json`` says who runs it, ``exit.json`` how it ended.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from ..bundle import Bundle, write_job_directory
from ..errors import PlaceError, ResultError, UsageError
from ..files import replacing
from ..job import Job, State
from ..paths import JobPaths, blob_directory
from ..process import ProcessHandle, is_running, kill_tree, send_signal, spawn_detached
from ..spec import Cause, ExitRecord, Resources
from ..units import format_size
from . import hardware
from .base import Executor, Handle, JobStatus, Offer

#: Environment variable that marks a job's processes.
MARK = "JUPYTER_HYBRID_JOB"
#: Bytes that one ``read`` returns at most.
CHUNK = 1 << 22
_SPAWNED = "spawned.json"


class LocalExecutor(Executor):
    """Runs jobs on this machine. Options: ``python`` (the interpreter), ``price`` (per hour)."""

    name = "local"

    async def offers(self, resources: Resources) -> Sequence[Offer]:
        """This machine; raises ``UsageError`` where it has less than is asked for."""
        cpus, memory = hardware.cpus(), hardware.memory()
        if resources.cpus and resources.cpus > cpus:
            raise UsageError(f"{self._here} has {cpus} cores, not {resources.cpus}; ask for fewer")
        if resources.mem and memory and resources.mem > memory:
            has, asked = format_size(memory), format_size(resources.mem)
            raise UsageError(f"{self._here} has {has} of memory, not {asked}; ask for less")
        if resources.nodes > 1:
            raise UsageError(f"{self._here} is one machine, not {resources.nodes} nodes")
        free = self._gpus(resources) if resources.gpus else None
        words = f"{cpus} cores" + (f", {format_size(memory)}" if memory else "")
        return [
            Offer(
                target=self.target.name,
                hardware=words,
                cpus=cpus,
                mem=memory,
                gpus=resources.gpus,
                gpu_type=resources.gpu_type,
                free_now=True if free is None else free >= resources.gpus,
                price=self.target.options.get("price"),
            )
        ]

    @property
    def _here(self) -> str:
        return f"the target {self.target.name!r} (this machine)"

    def _gpus(self, resources: Resources) -> int:
        """How many such GPUs are idle; raises ``UsageError`` where there are too few."""
        wanted = (resources.gpu_type or "").lower()
        found = {m: n for m, n in hardware.gpus().items() if wanted in m.lower()}
        total = sum(count for count, _ in found.values())
        if total < resources.gpus:
            kind = f"{resources.gpu_type} " if resources.gpu_type else ""
            raise UsageError(
                f"{self._here} has {total or 'no'} {kind}GPU{'s' if total != 1 else ''} that "
                f"nvidia-smi shows, not {resources.gpus}; name another target or leave --gpus out"
            )
        return sum(idle for _, idle in found.values())

    async def submit(self, job: Job, bundle: Bundle) -> AsyncIterator[Handle]:
        """Start the runner, or adopt the one that an earlier submit of this job started."""
        if job.spec.image:
            raise UsageError(f"{self._here} runs no images yet; leave out --image {job.spec.image}")
        paths = JobPaths(Path(job.directory))
        write_job_directory(paths.directory, job.spec, bundle)
        yield {"directory": job.directory}
        with _locked(paths.directory):
            process = _spawned(paths) or self._spawn(job, paths)
        yield {"directory": job.directory, **process.to_json()}

    def _spawn(self, job: Job, paths: JobPaths) -> ProcessHandle:
        resources = job.spec.resources
        argv = [str(self.target.options.get("python") or sys.executable), "-m"]
        argv += ["jupyter_hybrid.runner", str(paths.directory)]
        argv += ["--blobs", str(blob_directory(self.target.root))]
        if resources.time is not None:
            argv += ["--time", str(resources.time)]
        if resources.mem is not None:
            argv += ["--mem", str(resources.mem)]
        env = {**os.environ, MARK: job.id}
        try:
            process = spawn_detached(argv, cwd=paths.directory, env=env, log=paths.log)
        except OSError as error:
            raise PlaceError(f"{argv[0]} cannot be started: {error.strerror or error}") from error
        try:
            _write(paths.directory / _SPAWNED, process.to_json())
        except OSError as error:
            # what is not recorded could not be cancelled
            kill_tree(process, f"{MARK}={job.id}")
            raise _unwritable(paths.directory, error) from error
        return process

    async def poll(self, jobs: Sequence[Job]) -> Mapping[str, JobStatus]:
        """What the jobs' directories and the process table say."""
        return {job.id: _status(job, JobPaths(Path(job.directory))) for job in jobs}

    async def read(self, job: Job, name: str, offset: int) -> bytes:
        """Bytes behind ``offset`` in a file of the job's directory."""
        relative = PurePosixPath(name)
        if relative.is_absolute() or ".." in relative.parts:
            raise PlaceError(f"{name!r} is not a file of the job's directory")
        return _read_behind(Path(job.directory, relative), offset)

    async def cancel(self, job: Job, *, force: bool = False) -> None:
        """SIGTERM to the runner's supervisor; with ``force`` SIGKILL to everything of the job."""
        paths = JobPaths(Path(job.directory))
        if paths.exit.exists():
            return
        # a directory that is gone, or full, does not keep the job from being ended
        with contextlib.suppress(OSError):
            paths.cancel.touch()
        process = _claimed(paths) or _spawned(paths) or _handled(job)
        if process is None:
            return
        if not force:
            send_signal(process, signal.SIGTERM)
            return
        kill_tree(process, f"{MARK}={job.id}")
        if not paths.exit.exists():
            message = "cancelled at once; outputs up to that moment are kept"
            with contextlib.suppress(OSError):
                _write(paths.exit, ExitRecord("CANCELLED", Cause.CANCELLED, message).to_json())

    async def cleanup(self, job: Job) -> None:
        """Remove the job's directory."""
        directory = Path(job.directory)
        for folder, _, _ in os.walk(directory):
            # the job may have taken its own write permission away
            Path(folder).chmod(0o700)
        shutil.rmtree(directory, ignore_errors=True)

    async def fetch(self, job: Job, directory: Path) -> Path:
        """The job's own directory, which can be read from here."""
        own = Path(job.directory)
        if not JobPaths(own).spec.exists():
            raise ResultError(f"{own} is gone, and the job's results with it; submit it again")
        return own


def _read_behind(path: Path, offset: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(offset)
            return file.read(CHUNK)
    except (FileNotFoundError, NotADirectoryError):
        return b""
    except OSError as error:
        raise PlaceError(f"{path} cannot be read: {error.strerror}", transient=True) from error


def _status(job: Job, paths: JobPaths) -> JobStatus:
    ended = _exit(paths)
    if ended is not None:
        return JobStatus(state=State(ended.state), exit=ended)
    claimed = _claimed(paths)
    process = claimed or _spawned(paths) or _handled(job)
    handle = {"directory": str(paths.directory), **process.to_json()} if process else None
    if process is not None and is_running(process):
        if not paths.directory.is_dir():
            return JobStatus(state=State.RUNNING, reason=_gone(paths), handle=handle)
        state = State.RUNNING if claimed else State.PENDING
        return JobStatus(state=state, reason="" if claimed else "starting", handle=handle)
    # it may have written its exit record between our two looks
    ended = _exit(paths)
    cancelled = paths.cancel.exists() or job.wanted is State.CANCELLED
    if ended is None and process is not None and cancelled:
        ended = ExitRecord("CANCELLED", Cause.CANCELLED, "cancelled; it left no other word")
    if ended is not None:
        return JobStatus(state=State(ended.state), exit=ended, handle=handle)
    if process is None:
        reason = "nothing of the job was started"
        return JobStatus(state=State.CREATED, missing=True, started=False, reason=reason)
    return JobStatus(state=State.RUNNING, missing=True, reason=_last_words(paths), handle=handle)


def _gone(paths: JobPaths) -> str:
    return f"its directory {paths.directory} was removed, and its results are lost"


def _last_words(paths: JobPaths) -> str:
    """Why a runner is gone, as far as its log tells."""
    if not paths.directory.is_dir():
        return f"the job ended after {_gone(paths)}"
    try:
        lines = paths.log.read_text("utf-8", "replace").strip().splitlines()
    except OSError:
        lines = []
    said = f" (its last words: {lines[-1][:200]})" if lines else ""
    return f"the job's process is gone, by a kill -9 or a reboot of this machine{said}"


def _exit(paths: JobPaths) -> ExitRecord | None:
    record = _read(paths.exit)
    try:
        found = ExitRecord.from_json(record) if record else None
        return found if found is not None and State(found.state).final else None
    except (TypeError, ValueError):
        # the job can write there as well; what is no record ends nothing
        return None


def _claimed(paths: JobPaths) -> ProcessHandle | None:
    record = _read(paths.claim)
    return ProcessHandle.from_json(record) if record and "pid" in record else None


def _spawned(paths: JobPaths) -> ProcessHandle | None:
    record = _read(paths.directory / _SPAWNED)
    return ProcessHandle.from_json(record) if record else None


def _handled(job: Job) -> ProcessHandle | None:
    """What the store remembers, for a directory that is gone."""
    return ProcessHandle.from_json(job.handle) if job.handle and "pid" in job.handle else None


def _read(path: Path) -> dict[str, Any] | None:
    try:
        record = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) else None


def _write(path: Path, record: Mapping[str, Any]) -> None:
    with replacing(path, 0o600) as file:
        file.write(json.dumps(record).encode("ascii"))


def _unwritable(directory: Path, error: OSError) -> PlaceError:
    return PlaceError(
        f"{directory} cannot be written: {error.strerror or error}; make room on its disk, or name "
        "another directory with JUPYTER_HYBRID_DIR"
    )


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Of several submitters of one job, one at a time; a dead one holds nothing."""
    try:
        file = (directory / "submit.lock").open("w")
    except OSError as error:
        raise _unwritable(directory, error) from error
    with file:
        deadline = time.monotonic() + 30.0
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise PlaceError(
                        f"another process has been submitting the job in {directory} for 30 "
                        "seconds; end it, or try again"
                    ) from None
                time.sleep(0.01)
        yield
