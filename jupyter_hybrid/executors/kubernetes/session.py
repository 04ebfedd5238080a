"""What one process knows of a target's jobs: their pods, their events, and what is on its way.

Bound to one event loop. Everything can be found again by another process: what is known for good is
in the job's directory here (``pod.json``, ``delivered``, ``events.jsonl``, ``exit.json``).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...blocking import within
from ...bundle import read_job_directory
from ...errors import HybridError, PlaceError
from ...job import Job, State
from ...paths import JobPaths, blob_directory
from ...spec import Cause, ExitRecord
from ..base import JobStatus, TargetConfig
from ..locks import is_locked
from ..records import read_exit, read_record, write_record
from . import delivery, reasons
from .api import Api, ApiError
from .collecting import ARRIVED
from .depot import Depot
from .following import Follower
from .mirror import Mirror, events_of
from .names import job_name
from .objects import Objects
from .places import Places
from .pods import Pods
from .ranks import by_index
from .results import Results
from .settings import Settings

Pod = Mapping[str, Any]

#: Files in the job's directory here: the pod that runs it, and which pod has its things.
POD, DELIVERED = "pod.json", "delivered"
#: Seconds that a first look at a log may take.
CATCH_UP = 10.0
#: Seconds until what failed here, and not over there, is tried again.
NO_ROOM = 5.0


class Session:
    """Follows the jobs of one target in one event loop."""

    def __init__(self, api: Api, target: TargetConfig, settings: Settings) -> None:
        self.api, self._target, self._settings = api, target, settings
        self.places = Places(target, settings)
        self.pods = Pods(api)
        self.objects = Objects(api, self.pods)
        self.depot = Depot(settings)
        self.results = Results(api, self.objects, self.places, self.depot)
        self._followers: dict[str, Follower] = {}
        self._work: dict[tuple[str, str], asyncio.Task[None]] = {}
        #: Jobs that make no other pod any more, and whose Secret is gone.
        self._alone: set[str] = set()
        self._read: set[str] = set()
        #: Jobs of which all pods were made.
        self._complete: set[str] = set()
        #: Why work failed the last time, by job and kind.
        self._complaints: dict[tuple[str, str], str] = {}

    # -- what becomes of a job ------------------------------------------------------------------

    async def status(self, job: Job) -> JobStatus | None:
        """What is known of the job; None where that is no news. Raises ``PlaceError``."""
        paths = JobPaths(Path(job.directory))
        record = read_exit(paths)
        if record is not None:
            return JobStatus(state=State(record.state), exit=record)
        known = read_record(paths.directory / POD)
        pod = self.pod(job)
        if pod is None:
            return await self._without_pod(job, paths, known)
        status = await self._with_pod(job, paths, pod)
        uid = _owner(pod)
        return replace(status, handle=self.handle(job, uid)) if uid else status

    def pod(self, job: Job) -> Pod | None:
        """The pod that runs the job, or shall run it."""
        known = read_record(Path(job.directory) / POD)
        return self.pods.get(job.id, known["uid"] if known else "")

    def handle(self, job: Job, uid: str) -> dict[str, str]:
        """The job's name at the cluster."""
        return {"namespace": self.api.namespace, "name": job_name(job.id), "uid": uid}

    async def _without_pod(self, job: Job, paths: JobPaths, known: Any) -> JobStatus | None:
        wanted = paths.cancel.exists() or job.wanted is State.CANCELLED
        if known and (status := self._from_depot(job)) is not None:
            return status
        said = await self.objects.events(known["uid"]) if known else []
        try:
            found = await self.api.get(self.objects.job_path(job))
        except ApiError as error:
            if error.code != 404:
                raise
            if known or wanted:
                return self.end(paths, reasons.gone(known, said, wanted=wanted))
            if is_locked(paths.directory):
                return None
            started = bool(job.handle and job.handle.get("uid"))
            words = f"{job_name(job.id)} is not in the namespace {self.api.namespace}"
            state = State.PENDING if started else State.CREATED
            return JobStatus(state=state, missing=True, started=started, reason=words)
        if known or wanted:
            # the cluster would make another pod; a job runs once
            await self.objects.remove(job)
            return self.end(paths, reasons.gone(known, said, wanted=wanted))
        handle = self.handle(job, found["metadata"]["uid"])
        outlook = reasons.not_created(await self.objects.events(found["metadata"]["uid"]))
        if outlook.hopeless is not None:
            await self.objects.remove(job)
            return self.end(paths, outlook.hopeless)
        return JobStatus(state=State.PENDING, reason=outlook.words, handle=handle)

    async def _with_pod(self, job: Job, paths: JobPaths, pod: Pod) -> JobStatus:
        phase = pod["status"].get("phase")
        if phase in ("Succeeded", "Failed"):
            return await self._with_ended_pod(job, paths, pod)
        if phase != "Running":
            return await self._with_waiting_pod(job, paths, pod)
        if not (paths.directory / POD).exists():
            record = {"uid": pod["metadata"]["uid"], "name": pod["metadata"]["name"]}
            with contextlib.suppress(OSError):
                write_record(paths.directory / POD, {**record, "spec": _where(pod)})
        if pod["metadata"].get("deletionTimestamp") and job.id not in self._alone:
            await self.objects.let_go(job, pod)
            self._alone.add(job.id)
        self.deliver_if_needed(job, pod)
        if job.spec.resources.nodes > 1 and job.id not in self._complete:
            self.start_work(job, "ranks", lambda: self._make_ranks(job, pod))
        follower = self.follow(job, pod)
        if follower is None:
            return JobStatus(state=State.RUNNING)
        with contextlib.suppress(asyncio.TimeoutError):
            await within(CATCH_UP, follower.caught_up.wait())
        if follower.mirror.ended:
            return self._take_results(job, paths, pod, follower.mirror)
        if follower.mirror.seq:
            self._forget_secret(job, pod)
            return JobStatus(state=State.RUNNING, reason=_illness(pod))
        said = self._complaints.get((job.id, "deliver"), "")
        words = f"sending its files, once again: {said}" if said else "starting"
        return JobStatus(state=State.PENDING, reason=_illness(pod) or words)

    async def _make_ranks(self, job: Job, pod: Pod) -> None:
        """Make the other pods of a job on several nodes, where the Job does not."""
        try:
            if not by_index(job.spec.resources, await self.api.minor()):
                await self.objects.make_ranks(job, pod["status"]["podIP"])
        except ApiError as error:
            if error.code != 403:
                raise
            # the first pod would wait for them as long as it may; told before it is removed, or
            # what it says of that would be the reason
            words = f"the pods beside the first cannot be made: {error}"
            self.end(JobPaths(Path(job.directory)), ExitRecord("FAILED", Cause.REFUSED, words))
            await self.objects.remove(job, force=True)
        self._complete.add(job.id)

    def _forget_secret(self, job: Job, pod: Pod) -> None:
        """What the pod has read is for no other pod."""
        delivered = Path(job.directory) / DELIVERED
        if (
            job.id in self._read
            or job.spec.resources.nodes > 1
            or (read_record(delivered) or {}).get("pod") != ""
        ):
            return

        async def forget() -> None:
            await self.objects.delete_secret(job)
            self._read.add(job.id)
            with contextlib.suppress(OSError):
                write_record(delivered, {"pod": pod["metadata"]["uid"]})

        self.start_work(job, "forget", forget)

    async def _with_waiting_pod(self, job: Job, paths: JobPaths, pod: Pod) -> JobStatus:
        events = await self.objects.events(pod["metadata"]["uid"])
        outlook = reasons.outlook(pod, events)
        if outlook.hopeless is None:
            return JobStatus(state=State.PENDING, reason=outlook.words)
        # nothing of it runs that would want time to end
        await self.objects.remove(job, force=True)
        return self.end(paths, outlook.hopeless)

    async def _with_ended_pod(self, job: Job, paths: JobPaths, pod: Pod) -> JobStatus:
        """A pod that ended without its results having been taken."""
        working = self._work.get((job.id, "collect"))
        if working is not None and not working.done():
            return self._on_the_way(job)
        # they may have come between two looks
        with contextlib.suppress(OSError):
            (paths.directory / ARRIVED).replace(paths.exit)
        record = read_exit(paths)
        if record is not None:
            return JobStatus(state=State(record.state), exit=record)
        if self.places.shared:
            record = reasons.ended(pod)
        else:
            follower = self._follower(job, pod)
            follower.stop()
            if not follower.mirror.ended:
                with contextlib.suppress(ApiError):
                    await follower.drain()
            mirror = follower.mirror
            if mirror.stored and (status := self._from_depot(job)) is not None:
                return status
            record = reasons.ended(pod)
            if mirror.record is not None:
                said = self._complaints.get((job.id, "collect"), "")
                record = _without_files(mirror.record, mirror.complaint, said)
        cancelled = paths.cancel.exists() or job.wanted is State.CANCELLED
        if record is not None and cancelled and record.state != "COMPLETED":
            record = replace(record, state="CANCELLED", cause=Cause.CANCELLED)
        assert record is not None
        return self.end(paths, record)

    def _take_results(self, job: Job, paths: JobPaths, pod: Pod, mirror: Mirror) -> JobStatus:
        if mirror.stored and (status := self._from_depot(job)) is not None:
            return status
        self.start_work(job, "collect", lambda: self.results.from_pod(job, pod))
        return self._on_the_way(job)

    def _from_depot(self, job: Job) -> JobStatus | None:
        """Take the results out of the site's object store; None where they are not there."""
        if not self.results.may_be_stored(job):
            return None
        self.start_work(job, "collect", lambda: self.results.from_depot(job))
        return self._on_the_way(job)

    def _on_the_way(self, job: Job) -> JobStatus:
        said = self._complaints.get((job.id, "collect"), "")
        words = "its results are on the way" + (f", once again: {said}" if said else "")
        return JobStatus(state=State.RUNNING, reason=words)

    def end(self, paths: JobPaths, record: ExitRecord) -> JobStatus:
        """The job has ended like this, for everybody."""
        with contextlib.suppress(OSError):
            paths.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not paths.exit.exists():
                write_record(paths.exit, record.to_json())
        return JobStatus(state=State(record.state), exit=record)

    # -- what is on its way ---------------------------------------------------------------------

    def start_work(self, job: Job, kind: str, work: Callable[[], Awaitable[None]]) -> None:
        """Begin work for the job in the background; once at a time."""
        key = (job.id, kind)
        running = self._work.get(key)
        if running is None or running.done():

            async def run() -> None:
                try:
                    await work()
                    self._complaints.pop(key, None)
                # the next look begins it anew
                except PlaceError as error:
                    self._complaints[key] = str(error)
                    await asyncio.sleep(0.2)
                except (HybridError, OSError) as error:
                    # no room here: that does not end in a moment, and it may be much that comes
                    self._complaints[key] = str(error)
                    await asyncio.sleep(NO_ROOM)

            self._work[key] = asyncio.get_running_loop().create_task(run())

    def deliver_if_needed(self, job: Job, pod: Pod) -> asyncio.Task[None] | None:
        """Send the job's things into its pod, where they do not come by themselves."""
        directory = Path(job.directory)
        record = read_record(directory / DELIVERED)
        if self.places.shared or (record and record["pod"] in ("", pod["metadata"]["uid"])):
            return None
        if not JobPaths(directory).spec.exists():
            return None
        self.start_work(job, "deliver", lambda: self._deliver(job, pod))
        return self._work[(job.id, "deliver")]

    async def _deliver(self, job: Job, pod: Pod) -> None:
        directory = Path(job.directory)
        bundle = await asyncio.to_thread(read_job_directory, directory)
        blobs = blob_directory(self._target.home or self._target.root)
        inside = self.places.inside(job)
        pieces = delivery.packed(delivery.Parcel(directory, blobs, bundle, inside.there))
        name = pod["metadata"]["name"]
        await delivery.deliver(self.api, name, inside.python, pieces)
        write_record(directory / DELIVERED, {"pod": pod["metadata"]["uid"]})

    def follow(self, job: Job, pod: Pod) -> Follower | None:
        """The follower of a running pod; None where its files can be read from here."""
        if self.places.shared:
            return None
        follower = self._follower(job, pod)
        if not follower.mirror.ended:
            follower.start()
        return follower

    async def read_of_rank(self, job: Job, rank: int, name: str, offset: int) -> bytes:
        """What is behind the offset in the events of another pod of the job, also after its end."""
        node, local = divmod(rank, job.spec.resources.ntasks_per_node)
        pod = await self.objects.pod_of_rank(job, node)
        if pod is None or name != JobPaths(Path()).events.name:
            return b""
        try:
            # (as long as the node has all of it)
            printed = await self.objects.log(pod)
        except ApiError as error:
            if error.code == 400:
                return b""  # it does not run yet
            raise
        return events_of(printed, rank if local else None)[offset:]

    def following(self, job: Job) -> Follower | None:
        """The job's follower, if there is one."""
        return self._followers.get(job.id)

    def _follower(self, job: Job, pod: Pod) -> Follower:
        name = pod["metadata"]["name"]
        if job.id not in self._followers:
            inside = self.places.inside(job)

            async def read(offset: int) -> bytes:
                return await self.objects.tail(name, inside, "events.jsonl", offset)

            mirror = Mirror(Path(job.directory))
            self._followers[job.id] = Follower(self.api, name, mirror, read)
        return self._followers[job.id]

    def forget(self, job: Job) -> None:
        """Stop what goes on for the job."""
        follower = self._followers.pop(job.id, None)
        if follower is not None:
            follower.stop()
        for key in [key for key in self._work if key[0] == job.id]:
            self._work.pop(key).cancel()
            self._complaints.pop(key, None)


def _owner(pod: Pod) -> str:
    owners = pod["metadata"].get("ownerReferences") or [{}]
    return str(owners[0].get("uid", ""))


def _where(pod: Pod) -> dict[str, str]:
    return {"nodeName": pod["spec"].get("nodeName", "")}


def _illness(pod: Pod) -> str:
    """What may be wrong with a running pod's node."""
    if pod["status"].get("reason") == "NodeLost" or _unheard(pod):
        return f"nothing is heard of its node {pod['spec'].get('nodeName')}"
    if pod["metadata"].get("deletionTimestamp"):
        return "its pod is being ended"
    return ""


def _unheard(pod: Pod) -> bool:
    found = {c["type"]: c for c in pod["status"].get("conditions", ())}
    ready, own = found.get("Ready", {}), found.get("ContainersReady", {})
    # the node controller takes Ready away alone
    return bool(ready.get("status") == "False" and own.get("status") == "True")


def _without_files(record: ExitRecord, complaint: str, said: str) -> ExitRecord:
    why = f", and the object store did not take them: {complaint}" if complaint else ""
    why += f", for they could not be brought here: {said}" if said else ""
    words = (
        f"Nobody took its files and variables before its pod ended{why}; its outputs are kept "
        "(see the target's 'linger')"
    )
    return replace(record, message=f"{record.message} {words}".strip())
