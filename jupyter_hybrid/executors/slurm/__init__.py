"""Jobs on a cluster with Slurm, on this machine or reached by ssh."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from ...bundle import Bundle
from ...errors import PlaceError, ResultError, UsageError
from ...job import Job
from ...paths import JobPaths, job_directory
from ...spec import Cause, JobSpec, Resources
from ...transport import LocalTransport, Transport
from ...transport.ssh import SSHTransport
from ...transport.watching import Watches
from ..base import Executor, Freed, Handle, JobStatus, Offer, Prepared, TargetConfig
from ..fetching import fetch_results
from ..locks import locked, made
from ..shipping import Shipped, relative_directory, runner_archive, runner_directory, ship
from . import hardware
from .arrays import Submits, forget
from .limits import Rule, limited, parse_associations, rules, those_for, within
from .options import SlurmOptions, read_options
from .qos import with_use
from .queue import NODES_FRESH, QOS_FRESH, Queue
from .script import Place, job_name, render
from .status import MARKER, Statuses, exit_record, member

if TYPE_CHECKING:
    from ...environment.facts import ImageFacts
    from ...environment.needs import Environment
    from ..images.starting import Interior
    from .images import ClusterImages

#: Seconds for which a submit, a cancel or a fetch goes on where the machine is out of reach.
PATIENCE = 60.0
#: Seconds that a follower waits at most for what a job says.
NEWS = 1.0


def transport_of(target: TargetConfig, options: SlurmOptions) -> Transport:
    """How the target's login node is reached."""
    if not options.host:
        return LocalTransport(str(target.root))
    return SSHTransport(
        options.host,
        str(target.root),
        program=options.ssh,
        remote_python=options.remote_python or None,
        persist=int(options.persist),
    )


class SlurmExecutor(Executor):
    """Sends jobs to Slurm; ``SlurmOptions`` are its options."""

    name = "slurm"
    ask_every = 2.0
    adds_packages = True

    def __init__(self, target: TargetConfig) -> None:
        super().__init__(target)
        self.options = read_options(target)
        self.transport = transport_of(target, self.options)
        self.queue = Queue(self.transport)
        self._made_images: ClusterImages | None = None
        self._watches = Watches(self.transport)
        self._submits = Submits(self, PATIENCE)
        self._statuses = Statuses(self.transport, self.queue, self.home)
        #: Jobs that have ended, by the last poll: what they said last may not have arrived yet.
        self._over: set[str] = set()

    @property
    def home(self) -> Path:
        """The directory here with blobs, and with a directory for what travelled of each job."""
        return self.target.home or self.target.root

    # -- what there is --------------------------------------------------------------------------

    async def offers(self, resources: Resources) -> Sequence[Offer]:
        """The partition that the job would go to; raises ``UsageError`` where it never can run."""
        choice, limits = await self._choice(resources)
        waiting = await self.queue.waiting(choice.nodes[0].partition)
        offer = hardware.offer(choice, resources, self.target.name, self.options.price)
        told = replace(offer, note=f"{offer.note}{hardware.queued(waiting)}")
        return [limited(told, choice, limits, resources)]

    async def check(self, resources: Resources) -> None:
        """As ``offers``, without looking at who waits, and what is in use."""
        await self._place(resources)

    async def _place(self, resources: Resources) -> hardware.Choice:
        """Where the job goes, by an answer that may be old; one that refuses is asked for anew."""
        try:
            return (await self._choice(resources, QOS_FRESH))[0]
        except UsageError:
            return (await self._choice(resources))[0]

    async def _choice(
        self, resources: Resources, fresh: float = NODES_FRESH
    ) -> tuple[hardware.Choice, list[Rule]]:
        """Where the job goes, and what the user may have there."""
        nodes, in_use, qos = await asyncio.gather(
            self.queue.nodes(fresh), self.queue.in_use(fresh), self.queue.qos()
        )
        choice = hardware.choose(nodes, self.options, resources, self.target.name)
        partition = choice.nodes[0].partition
        own = those_for(parse_associations(in_use), self.options.account, partition)
        account = own[0].account if own else self.options.account
        user = str((await self.transport.channel(PATIENCE)).hello["user"])
        chain = qos.chain(self.options.qos, account, partition)
        found = rules(own, [with_use(one, in_use, user, account) for one in chain])
        return within(choice, found, resources, self.target.name), found

    async def describe(self, spec: JobSpec) -> str:
        """The batch script, for a job whose number is not known yet.

        Empty for an image that no job had yet: what is in it decides, and it is not brought now.
        """
        image = self.image(spec)
        if image and not image.startswith("/") and await self.known_facts(spec) is None:
            return ""
        job = Job(id="example", spec=spec, directory="", created_at=0.0)
        root = await self.transport.root(PATIENCE)
        digest = runner_archive()[0]
        directory = f"{root}/{relative_directory(job)}"
        shipped = Shipped(root, directory, runner_directory(root, digest))
        interior = None
        if image:
            interior = (await self._images().ready(image, spec, None)).interior
        return await self._script(job, shipped, interior)

    # -- images ---------------------------------------------------------------------------------

    def image(self, spec: JobSpec) -> str:
        """The job's own, else the target's."""
        return spec.image or self.options.image

    def _images(self) -> ClusterImages:
        if self._made_images is None:
            # only for jobs in images: it takes as long to import as the rest of a submit
            from .images import ClusterImages

            self._made_images = ClusterImages(self.target, self.options, self.transport)
        return self._made_images

    async def known_facts(self, spec: JobSpec) -> ImageFacts | None:
        """As an earlier job's look into the image found them; the cluster is not asked."""
        image = self.image(spec)
        return await self._images().known_facts(image) if image else None

    async def prepare(self, spec: JobSpec, environment: Environment | None) -> Prepared:
        """Have the SIF over there, its facts, and what it lacks as directories."""
        image = self.image(spec)
        if not image:
            return Prepared()
        return (await self._images().ready(image, spec, environment)).prepared

    async def _script(self, job: Job, shipped: Shipped, interior: Interior | None) -> str:
        choice = await self._place(job.spec.resources)
        place = Place(
            directory=PurePosixPath(shipped.directory),
            blobs=PurePosixPath(shipped.root, "blobs"),
            runner=PurePosixPath(shipped.runner),
            partition=choice.partition,
            gpu_type=choice.gpu_type,
            longest=choice.longest,
            interior=interior,
            user=str((await self.transport.channel()).hello["user"]),
        )
        return render(job, self.options, place)

    async def kept(self) -> str:
        """What lies over there for later jobs, the room that is left, and a quota."""
        from .shelf import kept

        return await kept(self.transport)

    async def prune(self, days: float) -> Freed:
        """Images, layers and files over there that no job wanted for so many days."""
        from .shelf import prune

        self._made_images = None
        return await prune(self.transport, self.queue, days)

    # -- jobs -----------------------------------------------------------------------------------

    def coming(self) -> AbstractContextManager[object]:
        """Those that are wanted at the same time are one array job."""
        return self._submits.coming()

    async def submit(self, job: Job, bundle: Bundle) -> AsyncIterator[Handle]:
        """Ship the job and queue it once; a submit cut off before is found by the job's name."""
        handle = {"name": job_name(job)}
        yield handle
        made(directory := job_directory(self.home, job.id))
        # held until Slurm has it: files on a slow line take longer than a job may be unknown
        async with locked(directory):
            number = await self._shipped(job, bundle)
        yield {**handle, "job": number}

    async def _shipped(self, job: Job, bundle: Bundle) -> str:
        """Slurm's number for the job, once all that it needs is over there."""
        shipped = await ship(self.transport, job, bundle, self.home, PATIENCE)
        interior = None
        if image := self.image(job.spec):
            images = self._images()
            interior = (await images.ready(image, job.spec, bundle.environment)).interior
        script = await self._script(job, shipped, interior)
        return await self._submits.submit(job, script)

    async def poll(self, jobs: Sequence[Job]) -> Mapping[str, JobStatus]:
        """Exit records first, then one squeue for all the others."""
        found = await self._statuses.of(jobs)
        self._over.update(job_id for job_id, status in found.items() if status.exit is not None)
        return found

    async def read(self, job: Job, name: str, offset: int) -> bytes:
        """What is behind the offset; events arrive without being asked for."""
        relative = PurePosixPath(name)
        if relative.is_absolute() or ".." in relative.parts:
            raise PlaceError(f"{name!r} is not a file of the job's directory")
        path = f"{relative_directory(job)}/{relative}"
        over = job.state.final or job.id in self._over
        if name == JobPaths(Path()).events.name and not over:
            return await self._watches.read(path, offset)
        return await self.transport.read(path, offset)

    async def idle(self, job: Job, seconds: float) -> None:
        """Until the job has said something, for a second at most."""
        path = f"{relative_directory(job)}/{JobPaths(Path()).events.name}"
        await self._watches.wait(path, NEWS)

    async def cancel(self, job: Job, *, force: bool = False) -> None:
        """Out of the queue, or SIGTERM to the runner, which saves; with ``force`` all at once."""
        directory = relative_directory(job)
        names = JobPaths(Path())
        ended, spec, marker = await self.transport.peek(
            [f"{directory}/{name}" for name in (names.exit, names.spec, MARKER)]
        )
        record = exit_record(ended)
        # one that Slurm has put back into its queue would begin again, and cost what it costs
        if record is not None and record.cause != Cause.PREEMPTED:
            return
        if spec is not None and record is None:
            await self.transport.write({f"{directory}/{names.cancel.name}": b""}, patience=PATIENCE)
        now = time.monotonic()
        rows = await self.queue.rows([job], {job.id: member(marker)}, since=now)
        if job.id not in rows:
            return
        await self._scancel(rows[job.id].id, force=force, anew=record is not None)
        self.queue.forget()

    async def _scancel(self, number: str, *, force: bool, anew: bool) -> None:
        """``anew`` is a job that would begin again: it has nothing to save."""
        # what waits goes at once; what runs gets the signal on which it saves, and its children not
        await self.queue.command("scancel", "--state=PENDING", number)
        if force:
            await self.queue.command("scancel", "--full", "--signal=KILL", number)
        if force or anew:
            await self.queue.command("scancel", number)
        else:
            await self.queue.command("scancel", "--batch", "--signal=TERM", number)

    async def cleanup(self, job: Job) -> None:
        """Remove the job's directories, there and here."""
        self._watches.forget(f"{relative_directory(job)}/{JobPaths(Path()).events.name}")
        (marker,) = await self.transport.peek([f"{relative_directory(job)}/{MARKER}"])
        if place := member(marker):
            await forget(self, place, PATIENCE)
        await self.transport.remove(relative_directory(job), patience=PATIENCE)
        await self.transport.ask("sweep", patience=PATIENCE)
        local = job_directory(self.home, job.id)
        await asyncio.to_thread(shutil.rmtree, local, ignore_errors=True)

    async def fetch(self, job: Job, directory: Path) -> Path:
        """Bring the results into the directory here."""
        try:
            await fetch_results(self.transport, relative_directory(job), directory, PATIENCE)
        except PlaceError as error:
            raise ResultError(f"the results of job {job.id} did not come: {error}") from error
        return directory
