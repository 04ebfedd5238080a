"""Jobs on Kubernetes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import weakref
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from ...blocking import within
from ...bundle import Bundle, write_job_directory
from ...containers.nodes import rooms
from ...errors import HybridError, PlaceError, ResultError, UsageError
from ...job import Job
from ...paths import JobPaths
from ...spec import Cause, ExitRecord, JobSpec, Resources
from ..base import Executor, Handle, JobStatus, Offer, Prepared, TargetConfig
from ..local_directory import read_behind, remove_directory
from ..locks import locked, made
from ..records import read_exit
from .api import Api, ApiError
from .manifest import Inside, gpu_resource, make_job, to_yaml
from .names import job_name
from .offers import make_offers, models
from .ranks import rank_of
from .session import DELIVERED, POD, Session
from .settings import read_settings
from .submitting import Submitting

if TYPE_CHECKING:
    from ...environment.facts import ImageFacts
    from ...environment.needs import Environment

log = logging.getLogger(__name__)

#: Seconds that a submit waits for a pod that is about to start, to give it its things.
START_WAIT = 20.0
#: Seconds that a forced cancel waits for the last of the log.
LAST_LOOK = 2.0


class KubernetesExecutor(Executor):
    """Runs each job as a batch/v1 Job. Options: ``settings.Settings``."""

    name = "kubernetes"

    def __init__(self, target: TargetConfig) -> None:
        super().__init__(target)
        self.settings = read_settings(target)
        self.adds_packages = bool(self.settings.push)
        self._api = Api(target.name, self.settings)
        self._submitting = Submitting(self._api, target, self.settings)
        self._sessions: weakref.WeakKeyDictionary[Any, Session] = weakref.WeakKeyDictionary()

    @property
    def _session(self) -> Session:
        loop = asyncio.get_running_loop()
        if loop not in self._sessions:
            self._sessions[loop] = Session(self._api, self.target, self.settings)
        return self._sessions[loop]

    # -- offers ---------------------------------------------------------------------------------

    async def offers(self, resources: Resources) -> Sequence[Offer]:
        """Hardware by model of GPU and location; raises ``UsageError`` where there never is any."""
        resource = gpu_resource(resources.gpu_type, self.settings)
        try:
            nodes, pods = await asyncio.gather(
                self._api.get("/api/v1/nodes"), self._api.get("/api/v1/pods")
            )
        except ApiError as error:
            if error.code != 403:
                raise
            # nodes are the administrators': then the scheduler tells
            note = "this account may not look at the cluster's nodes"
            return [Offer(target=self.target.name, hardware="a Kubernetes cluster", note=note)]
        found = rooms(nodes["items"], pods["items"], self.settings, resource)
        liked = models(resources.gpu_type, self.settings, [room.model for room in found])
        return make_offers(self.target.name, resources, self.settings, found, liked)

    async def describe(self, spec: JobSpec) -> str:
        """The Job as YAML, without the program that waits in it for the job's files."""
        job = Job(id="example", spec=spec, directory="", created_at=0.0)
        inside = Inside(python=self.settings.python, directory="", code="", blobs="")
        plan = await self._submitting.plan(spec, inside, small=self.settings.delivery != "volume")
        plan = replace(plan, receiver="# jupyter_hybrid/executors/kubernetes/receive.py")
        made = make_job(job, self.settings, plan)
        made["metadata"]["namespace"] = self._api.namespace
        return to_yaml(made)

    async def known_facts(self, spec: JobSpec) -> ImageFacts | None:
        """By the digest that the registry names, where its layers were read before."""
        image = self._submitting.image(spec)
        return await self._submitting.imaging.known_facts(image) if self.adds_packages else None

    async def prepare(self, spec: JobSpec, environment: Environment | None) -> Prepared:
        """Have the layers ready that the job's image needs, where the site has images made."""
        image = self._submitting.image(spec)
        if not self.adds_packages:
            return Prepared(image=image)
        return await self._submitting.imaging.prepare(image, spec, environment)

    # -- submit ---------------------------------------------------------------------------------

    async def submit(self, job: Job, bundle: Bundle) -> AsyncIterator[Handle]:
        """Create the Job and give it what it needs, or adopt what an earlier submit created."""
        session, paths = self._session, JobPaths(Path(job.directory))
        if job.spec.resources.nodes > 1 and session.places.shared:
            raise UsageError(
                f"{self.target.name} delivers by a volume, and so runs jobs of one node; leave "
                "--nodes out"
            )
        self._submitting.image(job.spec)
        session.depot.check()
        made(paths.directory)
        yield {"namespace": self._api.namespace, "name": job_name(job.id)}
        # held until the Job exists: others see by it that this submit is under way
        async with locked(paths.directory):
            await asyncio.to_thread(write_job_directory, paths.directory, job.spec, bundle)
            created = await self._submitting.create(session, job, bundle)
        yield session.handle(job, created["metadata"]["uid"])
        await self._hand_over(session, job)

    def image(self, spec: JobSpec) -> str:
        """The job's own, else the target's."""
        return spec.image or self.settings.image or ""

    async def _hand_over(self, session: Session, job: Job) -> None:
        """Wait for a pod that is about to start, as long as only its files are missing."""
        if session.places.shared or (Path(job.directory) / DELIVERED).exists():
            return
        deadline = time.monotonic() + START_WAIT
        with contextlib.suppress(PlaceError):
            while time.monotonic() < deadline and read_exit(JobPaths(Path(job.directory))) is None:
                await session.pods.sync()
                pod = session.pod(job)
                if pod is not None and pod["status"].get("phase") == "Running":
                    task = session.deliver_if_needed(job, pod)
                    if task is None:
                        return
                    await asyncio.wait([task])
                    continue
                if pod is not None and not pod["spec"].get("nodeName") and _refused(pod):
                    return
                await session.pods.change(1.0)

    # -- follow ---------------------------------------------------------------------------------

    async def poll(self, jobs: Sequence[Job]) -> Mapping[str, JobStatus]:
        """What the jobs' directories here and one watch of their pods say."""
        session = self._session
        if any(read_exit(JobPaths(Path(job.directory))) is None for job in jobs):
            await session.pods.sync()
        asked = (session.status(job) for job in jobs)
        said = await asyncio.gather(*asked, return_exceptions=True)
        found = {}
        for job, status in zip(jobs, said, strict=True):
            if isinstance(status, JobStatus):
                found[job.id] = status
            # one job, whatever it has printed, hides no other's news; what the place says counts
            elif isinstance(status, Exception) and not isinstance(status, HybridError):
                log.warning("job %s was passed over: %s", job.id, status, exc_info=status)
            elif status is not None:
                raise status
        return found

    async def read(self, job: Job, name: str, offset: int) -> bytes:
        """Bytes behind ``offset`` in a file of the job, here or in its pod."""
        relative = PurePosixPath(name)
        if relative.is_absolute() or ".." in relative.parts:
            raise PlaceError(f"{name!r} is not a file of the job's directory")
        if (rank := rank_of(relative)) and not self._session.places.shared:
            return await self._session.read_of_rank(job, rank, relative.name, offset)
        session, here = self._session, Path(job.directory, relative)
        paths = JobPaths(Path(job.directory))
        if session.places.shared or paths.exit.exists() or not paths.directory.is_dir():
            return read_behind(here, offset)
        await session.pods.sync()
        pod = session.pod(job)
        if pod is None or pod["status"].get("phase") != "Running":
            return read_behind(here, offset)
        follower = session.follow(job, pod)
        if here == paths.events:
            if follower is not None:
                await follower.caught_up.wait()
            return read_behind(here, offset)
        name, inside = pod["metadata"]["name"], session.places.inside(job)
        return await session.objects.tail(name, inside, str(relative), offset)

    async def idle(self, job: Job, seconds: float) -> None:
        """Return when the job's pod has said something, at the latest when to poll again."""
        follower = self._session.following(job)
        if follower is None or follower.over:
            await asyncio.sleep(seconds)
        else:
            await follower.news(max(seconds, self.ask_every))

    # -- end ------------------------------------------------------------------------------------

    async def cancel(self, job: Job, *, force: bool = False) -> None:
        """Ask the runner to end; delete the Job where there is none yet, or with ``force``."""
        session, paths = self._session, JobPaths(Path(job.directory))
        if read_exit(paths) is not None:
            return
        with contextlib.suppress(OSError):
            paths.cancel.touch()
        await session.pods.sync()
        pod = session.pod(job)
        running = pod is not None and pod["status"].get("phase") == "Running"
        if not force and running and not session.places.shared:
            assert pod is not None
            try:
                await session.objects.touch(pod, session.places.inside(job), "cancel")
                return
            except PlaceError as error:
                if not await session.objects.runs(pod):
                    return
                if "No such file" not in str(error):
                    raise
                # nothing was delivered yet
        if not force and running and session.places.shared:
            return
        await self._end(session, job, pod if running else None)

    async def _end(self, session: Session, job: Job, pod: Mapping[str, Any] | None) -> None:
        """Delete the Job; what a running pod has printed is taken first."""
        paths = JobPaths(Path(job.directory))
        if pod is not None and (follower := session.follow(job, pod)) is not None:
            with contextlib.suppress(PlaceError, asyncio.TimeoutError):
                await within(LAST_LOOK, follower.drain())
        await session.objects.remove(job, force=True)
        known = pod is not None or (paths.directory / POD).exists()
        if known and paths.directory.is_dir():
            message = "cancelled at once; outputs up to that moment are kept"
            session.end(paths, ExitRecord("CANCELLED", Cause.CANCELLED, message))

    async def cleanup(self, job: Job) -> None:
        """Remove the Job with all that belongs to it, and the job's directory here."""
        session = self._session
        session.forget(job)
        await session.pods.sync()
        await session.objects.remove(job, force=True)
        await session.depot.remove(job)
        await asyncio.to_thread(remove_directory, Path(job.directory))

    async def fetch(self, job: Job, directory: Path) -> Path:
        """The job's directory here, to which its results were brought when it ended."""
        own = Path(job.directory)
        if read_exit(JobPaths(own)) is None or not JobPaths(own).spec.exists():
            raise ResultError(
                f"job {job.id} has no results here; ask for its status until it has ended"
            )
        return own


def _refused(pod: Mapping[str, Any]) -> bool:
    """Whether the scheduler has looked for a node and found none."""
    return any(c.get("type") == "PodScheduled" for c in pod["status"].get("conditions", ()))
