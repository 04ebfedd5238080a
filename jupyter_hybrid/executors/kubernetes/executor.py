"""Jobs on Kubernetes."""

from __future__ import annotations

import asyncio
import contextlib
import io
import time
import weakref
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from ...bundle import Bundle, write_job_directory
from ...containers.nodes import rooms
from ...errors import ImageError, PlaceError, ResultError, UsageError
from ...job import Job
from ...paths import JobPaths, blob_directory
from ...spec import Cause, ExitRecord, JobSpec, Resources
from ..base import Executor, Handle, JobStatus, Offer, TargetConfig
from ..local_directory import locked, read_behind, remove_directory, unwritable
from ..records import read_exit, write_record
from . import delivery
from .api import Api, ApiError
from .manifest import Plan, gpu_resource, job_name, make_job, make_secret, owned_by, to_yaml
from .offers import make_offers, models
from .session import DELIVERED, POD, Session
from .settings import read_settings

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
        self._api = Api(target.name, self.settings)
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
        liked: Sequence[str] = ()
        if spec.resources.gpus and spec.resources.gpu_type:
            liked = await self._models(spec.resources.gpu_type)
        receiver = "# jupyter_hybrid/executors/kubernetes/receive.py"
        plan = Plan(image=self._image(job), gpu_models=liked, receiver=receiver)
        made = make_job(job, self.settings, plan)
        made["metadata"]["namespace"] = self._api.namespace
        return to_yaml(made)

    # -- submit ---------------------------------------------------------------------------------

    async def submit(self, job: Job, bundle: Bundle) -> AsyncIterator[Handle]:
        """Create the Job and give it what it needs, or adopt what an earlier submit created."""
        session, paths = self._session, JobPaths(Path(job.directory))
        if job.spec.resources.nodes > 1:
            raise UsageError(f"{self.target.name} runs jobs of one node; leave --nodes out")
        self._image(job)
        try:
            paths.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise unwritable(paths.directory, error) from error
        yield {"namespace": self._api.namespace, "name": job_name(job.id)}
        # held until the Job exists: others see by it that this submit is under way
        async with locked(paths.directory):
            await asyncio.to_thread(write_job_directory, paths.directory, job.spec, bundle)
            created = await self._create(session, job, bundle)
        yield session.handle(job, created["metadata"]["uid"])
        await self._hand_over(session, job)

    def image(self, spec: JobSpec) -> str:
        """The job's own, else the target's."""
        return spec.image or self.settings.image or ""

    def _image(self, job: Job) -> str:
        image = self.image(job.spec)
        if not image:
            raise ImageError(
                f"{self.target.name} runs jobs in images: name one with --image, or add 'image' to "
                "the target"
            )
        return image

    async def _create(self, session: Session, job: Job, bundle: Bundle) -> dict[str, Any]:
        base, paths = f"/namespaces/{self._api.namespace}", JobPaths(Path(job.directory))
        if read_exit(paths) is not None or paths.cancel.exists():
            raise PlaceError(f"job {job.id} was ended meanwhile")
        with contextlib.suppress(ApiError):
            found: dict[str, Any] = await self._api.get(session.objects.job_path(job))
            return found
        small = await self._small(session, job, bundle)
        plan = await self._plan(session, job, small=small is not None)
        if small is not None:
            secret = make_secret(job.id, small, self.settings)
            try:
                await self._create_once(f"/api/v1{base}/secrets", secret)
            except ApiError as error:
                if error.code != 403:
                    raise
                small, plan = None, await self._plan(session, job, small=False)
        created = await self._create_once(
            f"/apis/batch/v1{base}/jobs", make_job(job, self.settings, plan)
        )
        if small is not None:
            write_record(paths.directory / DELIVERED, {"pod": ""})
            path = f"/api/v1{base}/secrets/{job_name(job.id)}"
            await self._api.patch(path, owned_by(created))
        return created

    async def _create_once(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Create the object, or find the one of that name."""
        for attempt in range(4):
            try:
                created: dict[str, Any] = await self._api.post(path, body)
                return created
            except ApiError as error:
                if error.code == 409 and error.reason == "AlreadyExists":
                    found: dict[str, Any] = await self._api.get(
                        f"{path}/{body['metadata']['name']}"
                    )
                    return found
                if not error.transient or attempt == 3:
                    raise
                # it may have come through all the same: then the name is taken
                await asyncio.sleep(0.5 * 2**attempt)
        raise AssertionError

    async def _small(self, session: Session, job: Job, bundle: Bundle) -> bytes | None:
        """The bundle as one tar, where it fits into a Secret."""
        directory = Path(job.directory)
        if session.places.shared or delivery.size(directory, bundle) > 4 * delivery.SMALL:
            return None
        stream = io.BytesIO()
        blobs = blob_directory(self.target.home or self.target.root)
        await asyncio.to_thread(delivery.pack, stream, directory, blobs, bundle, "w|gz")
        return stream.getvalue() if stream.tell() <= delivery.SMALL else None

    async def _plan(self, session: Session, job: Job, *, small: bool) -> Plan:
        liked: Sequence[str] = ()
        if job.spec.resources.gpus and job.spec.resources.gpu_type:
            liked = await self._models(job.spec.resources.gpu_type)
        plan = Plan(
            image=self._image(job), gpu_models=liked, receiver=delivery.receiver(), small=small
        )
        if not session.places.shared:
            return plan
        bundle = await asyncio.to_thread(_bundle, Path(job.directory))
        await asyncio.to_thread(session.places.share, bundle)
        directory, code = session.places.in_pod(job)
        return replace(plan, directory=directory, code=code, blobs=session.places.blobs_in_pod())

    async def _models(self, gpu_type: str) -> list[str]:
        try:
            nodes = (await self._api.get("/api/v1/nodes"))["items"]
        except ApiError as error:
            if error.code != 403:
                raise
            return [self.settings.gpu_models.get(w, w) for w in gpu_type.split(",")]
        label = self.settings.gpu_label
        known = [node["metadata"].get("labels", {}).get(label, "") for node in nodes]
        return models(gpu_type, self.settings, known)

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
        found = await asyncio.gather(*(session.status(job) for job in jobs))
        return {
            job.id: status for job, status in zip(jobs, found, strict=True) if status is not None
        }

    async def read(self, job: Job, name: str, offset: int) -> bytes:
        """Bytes behind ``offset`` in a file of the job, here or in its pod."""
        relative = PurePosixPath(name)
        if relative.is_absolute() or ".." in relative.parts:
            raise PlaceError(f"{name!r} is not a file of the job's directory")
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
        directory = session.places.in_pod(job)[0]
        return await session.objects.tail(
            pod["metadata"]["name"], f"{directory}/{relative}", offset
        )

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
                await session.objects.touch(pod, f"{session.places.in_pod(job)[0]}/cancel")
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
                await asyncio.wait_for(follower.drain(), LAST_LOOK)
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
        await asyncio.to_thread(remove_directory, Path(job.directory))

    async def fetch(self, job: Job, directory: Path) -> Path:
        """The job's directory here, to which its results were brought when it ended."""
        own = Path(job.directory)
        if read_exit(JobPaths(own)) is None or not JobPaths(own).spec.exists():
            raise ResultError(
                f"job {job.id} has no results here; ask for its status until it has ended"
            )
        return own


def _bundle(directory: Path) -> Bundle:
    from ...bundle import read_job_directory

    return read_job_directory(directory)


def _refused(pod: Mapping[str, Any]) -> bool:
    """Whether the scheduler has looked for a node and found none."""
    return any(c.get("type") == "PodScheduled" for c in pod["status"].get("conditions", ()))
