"""Jobs on this machine: detached processes that outlive whoever started them.

The job's directory is the place: ``runner.json`` says who runs it, ``exit.json`` how it ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from ..bundle import Bundle, write_job_directory
from ..errors import ConfigError, PlaceError, ResultError, UsageError
from ..job import Job
from ..paths import JobPaths, blob_directory
from ..process import ProcessHandle, kill_tree, send_signal, spawn_detached
from ..spec import Cause, ExitRecord, Resources
from ..units import format_size
from . import hardware
from .base import Executor, Handle, JobStatus, Offer, TargetConfig
from .local_directory import (
    MARK,
    SPAWNED,
    claimed,
    handled,
    locked,
    origin,
    read_behind,
    remove_directory,
    spawned,
    status_of,
    unwritable,
)
from .records import write_record

#: Options of a local target.
OPTIONS = frozenset({"python", "price"})
#: What limits the threads of numerical libraries, and so the cores that a job uses.
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


class LocalExecutor(Executor):
    """Runs jobs on this machine. Options: ``python`` (the interpreter), ``price`` (per hour)."""

    name = "local"

    def __init__(self, target: TargetConfig) -> None:
        super().__init__(target)
        unknown = sorted(set(target.options) - OPTIONS)
        if unknown:
            raise ConfigError(
                f"the target {target.name!r} has the unknown option {unknown[0]!r}; "
                f"a local one has: {', '.join(sorted(OPTIONS))}"
            )

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
        try:
            paths.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise unwritable(paths.directory, error) from error
        yield {"directory": job.directory}
        # held until the job has started: others see by it that this submit is under way
        async with locked(paths.directory):
            await asyncio.to_thread(write_job_directory, paths.directory, job.spec, bundle)
            process = claimed(paths) or spawned(paths) or self._spawn(job, paths)
        yield {"directory": job.directory, **process.to_json()}

    def _spawn(self, job: Job, paths: JobPaths) -> ProcessHandle:
        resources = job.spec.resources
        argv = [str(self.target.options.get("python") or sys.executable), "-m"]
        argv += ["jupyter_hybrid.runner", str(paths.directory)]
        argv += ["--blobs", str(blob_directory(self.target.home or self.target.root))]
        if resources.time is not None:
            argv += ["--time", str(resources.time)]
        if resources.mem is not None:
            argv += ["--mem", str(resources.mem)]
        env = {**os.environ, MARK: job.id}
        if resources.cpus is not None:
            env.update(dict.fromkeys(THREADS, str(resources.cpus)))
        try:
            process = spawn_detached(argv, cwd=paths.directory, env=env, log=paths.log)
        except OSError as error:
            raise PlaceError(f"{argv[0]} cannot be started: {error.strerror or error}") from error
        try:
            write_record(paths.directory / SPAWNED, {**process.to_json(), **origin()})
        except OSError as error:
            # what is not recorded could not be cancelled
            kill_tree(process, f"{MARK}={job.id}")
            raise unwritable(paths.directory, error) from error
        return process

    async def poll(self, jobs: Sequence[Job]) -> Mapping[str, JobStatus]:
        """What the jobs' directories and the process table say."""
        found = {job.id: status_of(job, JobPaths(Path(job.directory))) for job in jobs}
        return {job_id: status for job_id, status in found.items() if status is not None}

    async def read(self, job: Job, name: str, offset: int) -> bytes:
        """Bytes behind ``offset`` in a file of the job's directory."""
        relative = PurePosixPath(name)
        if relative.is_absolute() or ".." in relative.parts:
            raise PlaceError(f"{name!r} is not a file of the job's directory")
        return read_behind(Path(job.directory, relative), offset)

    async def cancel(self, job: Job, *, force: bool = False) -> None:
        """SIGTERM to the runner's supervisor; with ``force`` SIGKILL to everything of the job."""
        paths = JobPaths(Path(job.directory))
        if paths.exit.exists():
            return
        # a directory that is gone, or full, does not keep the job from being ended
        with contextlib.suppress(OSError):
            paths.cancel.touch()
        process = claimed(paths) or spawned(paths) or handled(job)
        if process is None:
            return
        if not force:
            send_signal(process, signal.SIGTERM)
            return
        kill_tree(process, f"{MARK}={job.id}")
        if not paths.exit.exists():
            message = "cancelled at once; outputs up to that moment are kept"
            with contextlib.suppress(OSError):
                write_record(
                    paths.exit, ExitRecord("CANCELLED", Cause.CANCELLED, message).to_json()
                )

    async def cleanup(self, job: Job) -> None:
        """Remove the job's directory."""
        await asyncio.to_thread(remove_directory, Path(job.directory))

    async def fetch(self, job: Job, directory: Path) -> Path:
        """The job's own directory, which can be read from here."""
        own = Path(job.directory)
        if not JobPaths(own).spec.exists():
            raise ResultError(f"{own} is gone, and the job's results with it; submit it again")
        return own
