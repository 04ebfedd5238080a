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
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..bundle import Bundle, write_job_directory
from ..containers.engines import Command
from ..errors import ConfigError, PlaceError, ResultError, UsageError
from ..job import Job
from ..paths import JobPaths, blob_directory
from ..process import ProcessHandle, kill_tree, send_signal, spawn_detached, wait_end
from ..spec import Cause, ExitRecord, JobSpec, Resources
from ..units import format_size
from . import hardware, local_gpus
from .base import Executor, Handle, JobStatus, Offer, Prepared, TargetConfig
from .images.settings import OPTIONS as IMAGE_OPTIONS
from .images.settings import image_settings
from .local_directory import (
    MARK,
    SPAWNED,
    claimed,
    engine_of,
    handled,
    origin,
    read_soon,
    remove_directory,
    spawned,
    status_of,
)
from .locks import locked, made, unwritable
from .records import write_record

if TYPE_CHECKING:
    from ..environment.facts import ImageFacts
    from ..environment.needs import Environment
    from .images.preparing import Images, Ready

#: Options of a local target.
OPTIONS = frozenset({"python", "price"}) | IMAGE_OPTIONS


class LocalExecutor(Executor):
    """Runs jobs on this machine, in its own Python or in images.

    Options: ``python`` (the interpreter), ``price`` (per hour), and those of ``images.settings``.
    """

    name = "local"
    adds_packages = True

    def __init__(self, target: TargetConfig) -> None:
        super().__init__(target)
        unknown = sorted(set(target.options) - OPTIONS)
        if unknown:
            raise ConfigError(
                f"the target {target.name!r} has the unknown option {unknown[0]!r}; "
                f"a local one has: {', '.join(sorted(OPTIONS))}"
            )
        self._settings = image_settings(target.name, target.options)
        self._images: Images | None = None

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
        if resources.ranks > 1:
            raise UsageError(f"{self._here} runs one process; leave out --ntasks-per-node")
        # (where drivers are slow, or sick, it takes seconds)
        free = await asyncio.to_thread(self._gpus, resources) if resources.gpus else None
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

    def image(self, spec: JobSpec) -> str:
        """The job's own, else the target's."""
        return spec.image or self._settings.image

    async def known_facts(self, spec: JobSpec) -> ImageFacts | None:
        """By a look into the image, where the engine has it."""
        image = self.image(spec)
        return await self.prepared_images().known_facts(image) if image else None

    async def prepare(self, spec: JobSpec, environment: Environment | None) -> Prepared:
        """Have the image here, its facts, and what it lacks as directories."""
        image = self.image(spec)
        if not image:
            return Prepared()
        prepared = (await self.prepared_images().prepare(image, spec, environment)).prepared
        if not spec.resources.gpus:
            return prepared
        from .images.fitness import unfit_here

        doubt = await asyncio.to_thread(unfit_here, image)
        return replace(prepared, notes=(*prepared.notes, doubt)) if doubt else prepared

    async def foresee(self, spec: JobSpec, environment: Environment | None) -> str:
        """Engine, image, and what becomes of each package."""
        image = self.image(spec)
        return await self.prepared_images().foresee(image, spec, environment) if image else ""

    async def engine(self) -> str:
        """The engine that answers; what jobs with an image would be told where there is none."""
        image = self._settings.image
        try:
            name = (await self.prepared_images().engine(image or "IMAGE")).name
        except UsageError:
            if image:
                raise
            return "runs no images: no container engine"
        return f"images by {name}" + (f", {image} where none is named" if image else "")

    def prepared_images(self) -> Images:
        """The images of this target's jobs, made ready on this machine."""
        if self._images is None:
            # only for jobs in images: it takes as long to import as the rest of a submit
            from .images.preparing import Images

            self._images = Images(self.target, self._settings)
        return self._images

    async def submit(self, job: Job, bundle: Bundle) -> AsyncIterator[Handle]:
        """Start the runner, or adopt the one that an earlier submit of this job started."""
        paths = JobPaths(Path(job.directory))
        made(paths.directory)
        yield {"directory": job.directory}
        ready: Ready | None = None
        # held until the job has started: others see by it that this submit is under way
        async with locked(paths.directory):
            if image := self.image(job.spec):
                images = self.prepared_images()
                ready = await images.ready(image, job.spec, bundle.environment)
            await asyncio.to_thread(write_job_directory, paths.directory, job.spec, bundle)
            process = await asyncio.to_thread(self._started, job, paths, ready)
        yield {"directory": job.directory, **(process.to_json() if process else {})}

    def _started(self, job: Job, paths: JobPaths, ready: Ready | None) -> ProcessHandle | None:
        """Who runs the job: whoever does already, else whom we start."""
        if not engine_of(paths):
            process = claimed(paths) or spawned(paths)
        else:
            process = spawned(paths)
            if process is None and paths.claim.exists():
                # its maker died before it could note whom it had started; it runs all the same
                return None
        return process or self._spawn(job, paths, self._command(job, paths, ready))

    def _command(self, job: Job, paths: JobPaths, ready: Ready | None) -> Command:
        blobs = blob_directory(self.target.home or self.target.root)
        if ready is None:
            return self._bare(job, paths, blobs)
        from .local_containers import container_command

        return container_command(job, paths, blobs, ready, self._settings)

    def _bare(self, job: Job, paths: JobPaths, blobs: Path) -> Command:
        """The runner by an interpreter of this machine."""
        resources = job.spec.resources
        argv = [str(self.target.options.get("python") or sys.executable), "-m"]
        argv += ["jupyter_hybrid.runner", str(paths.directory)]
        argv += ["--blobs", str(blobs)]
        if resources.time is not None:
            argv += ["--time", str(resources.time)]
        if resources.mem is not None:
            argv += ["--mem", str(resources.mem)]
        env = {} if resources.cpus is None else dict.fromkeys(hardware.THREADS, str(resources.cpus))
        # (who has started us with some of the GPUs alone has chosen)
        if "CUDA_VISIBLE_DEVICES" not in {**os.environ, **self._settings.env}:
            env |= local_gpus.variables(local_gpus.chosen(paths.directory, resources))
        return Command(tuple(argv), {**env, **self._settings.env})

    def _spawn(self, job: Job, paths: JobPaths, command: Command) -> ProcessHandle:
        argv = command.argv
        env = {**os.environ, **command.env, MARK: job.id}
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
        # text, for it is read many times a second
        if name.startswith("/") or ".." in name.split("/"):
            raise PlaceError(f"{name!r} is not a file of the job's directory")
        return await read_soon(f"{job.directory}/{name}", offset)

    async def cancel(self, job: Job, *, force: bool = False) -> None:
        """SIGTERM to the runner's supervisor; with ``force`` SIGKILL to everything of the job."""
        paths = JobPaths(Path(job.directory))
        if paths.exit.exists():
            return
        # a directory that is gone, or full, does not keep the job from being ended
        with contextlib.suppress(OSError):
            paths.cancel.touch()
        contained = engine_of(paths)
        process = (None if contained else claimed(paths)) or spawned(paths) or handled(job)
        if process is None and not contained:
            return
        # where nothing has begun there is nothing to be saved, and a client that is asked to end
        # while it makes its container leaves that behind
        if not force and not (contained and not paths.claim.exists()):
            if process is not None:
                send_signal(process, signal.SIGTERM)
            return
        await self._kill(job, contained, process)
        if not paths.exit.exists():
            message = "cancelled at once; outputs up to that moment are kept"
            with contextlib.suppress(OSError):
                write_record(
                    paths.exit, ExitRecord("CANCELLED", Cause.CANCELLED, message).to_json()
                )

    async def _kill(self, job: Job, contained: str, process: ProcessHandle | None) -> None:
        from .local_containers import remove_container, remove_late_container

        removed = False
        if contained:
            try:
                removed = await remove_container(contained, job.id)
            except PlaceError:
                # its client may be in the midst of making it: once more when that is dead
                if process is None:
                    raise
        if process is not None:
            await asyncio.to_thread(kill_tree, process, f"{MARK}={job.id}")
            if contained:
                await remove_late_container(contained, job.id, expected=not removed)

    async def cleanup(self, job: Job) -> None:
        """Remove the job's directory, once nothing writes into it any more."""
        paths = JobPaths(Path(job.directory))
        client = spawned(paths)
        if engine_of(paths) and client is not None:
            from .local_containers import remove_container

            # the record comes before the end: the kernel is shut down and the container removed
            if not await asyncio.to_thread(wait_end, client, 10.0):
                await remove_container(engine_of(paths), job.id)
        await asyncio.to_thread(remove_directory, Path(job.directory))

    async def fetch(self, job: Job, directory: Path) -> Path:
        """The job's own directory, which can be read from here."""
        own = Path(job.directory)
        if not JobPaths(own).spec.exists():
            raise ResultError(f"{own} is gone, and the job's results with it; submit it again")
        return own
