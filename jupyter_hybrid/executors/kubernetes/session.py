"""What one process knows of a target's jobs: their pods, their events, and what is on its way.

Bound to one event loop. Everything can be found again by another process: what is known for good is
in the job's directory here (``pod.json``, ``delivered``, ``events.jsonl``, ``exit.json``).
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_exponential

from ...bundle import read_job_directory
from ...errors import PlaceError
from ...job import Job, State
from ...paths import JobPaths, blob_directory
from ...spec import Cause, ExitRecord
from ..base import JobStatus, TargetConfig
from ..local_directory import is_locked
from ..records import read_exit, read_record, write_record
from . import delivery, reasons
from .api import Api, ApiError
from .collecting import ARRIVED, collect, release
from .following import Follower
from .manifest import job_name
from .mirror import Mirror
from .places import Places
from .pods import Pods
from .settings import Settings

Pod = Mapping[str, Any]

#: Files in the job's directory here: the pod that runs it, and which pod has its things.
POD, DELIVERED = "pod.json", "delivered"
#: Seconds that a first look at a log may take, and between two looks at a pod's events.
CATCH_UP, EVENTS_EVERY = 10.0, 2.0
#: Bytes that one read from a pod returns at most.
CHUNK = 1 << 22
_TAIL = (
    "import sys\nf = open(sys.argv[1], 'rb')\nf.seek(int(sys.argv[2]))\n"
    "sys.stdout.buffer.write(f.read(int(sys.argv[3])))"
)


class Session:
    """Follows the jobs of one target in one event loop."""

    def __init__(self, api: Api, target: TargetConfig, settings: Settings) -> None:
        self.api, self._target, self._settings = api, target, settings
        self.places = Places(target, settings)
        self.pods = Pods(api)
        self._followers: dict[str, Follower] = {}
        self._work: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._said: dict[str, tuple[float, list[Any]]] = {}

    # -- what becomes of a job ------------------------------------------------------------------

    async def status(self, job: Job) -> JobStatus | None:
        """What is known of the job; None where that is no news. Raises ``PlaceError``."""
        paths = JobPaths(Path(job.directory))
        record = read_exit(paths)
        if record is not None:
            return JobStatus(state=State(record.state), exit=record)
        pod = self.pods.get(job.id)
        known = read_record(paths.directory / POD)
        if pod is None or (known and known["uid"] != pod["metadata"]["uid"]):
            return await self._without_pod(job, paths, known)
        status = await self._with_pod(job, paths, pod)
        return replace(status, handle=self.handle(job, _owner(pod)))

    def handle(self, job: Job, uid: str) -> dict[str, str]:
        """The job's name at the cluster."""
        return {"namespace": self.api.namespace, "name": job_name(job.id), "uid": uid}

    async def _without_pod(self, job: Job, paths: JobPaths, known: Any) -> JobStatus | None:
        wanted = paths.cancel.exists() or job.wanted is State.CANCELLED
        try:
            found = await self.api.get(self.job_path(job))
        except ApiError as error:
            if error.code != 404:
                raise
            if known or wanted:
                return self.end(paths, reasons.gone(known, wanted=wanted))
            if is_locked(paths.directory):
                return None
            started = bool(job.handle and job.handle.get("uid"))
            words = f"{job_name(job.id)} is not in the namespace {self.api.namespace}"
            state = State.PENDING if started else State.CREATED
            return JobStatus(state=state, missing=True, started=started, reason=words)
        if known or wanted:
            # the cluster would make another pod; a job runs once
            await self.remove(job)
            return self.end(paths, reasons.gone(known, wanted=wanted))
        handle = self.handle(job, found["metadata"]["uid"])
        outlook = reasons.not_created(await self.events(found["metadata"]["uid"]))
        if outlook.hopeless is not None:
            await self.remove(job)
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
        self.deliver_if_needed(job, pod)
        follower = self.follow(job, pod)
        if follower is None:
            return JobStatus(state=State.RUNNING)
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(follower.caught_up.wait(), CATCH_UP)
        if follower.mirror.ended:
            return self._take_results(job, paths, pod, follower.mirror)
        if follower.mirror.seq:
            return JobStatus(state=State.RUNNING, reason=_illness(pod))
        return JobStatus(state=State.PENDING, reason=_illness(pod) or "starting")

    async def _with_waiting_pod(self, job: Job, paths: JobPaths, pod: Pod) -> JobStatus:
        events = await self.events(pod["metadata"]["uid"])
        outlook = reasons.outlook(pod, events)
        if outlook.hopeless is None:
            return JobStatus(state=State.PENDING, reason=outlook.words)
        await self.remove(job)
        return self.end(paths, outlook.hopeless)

    async def _with_ended_pod(self, job: Job, paths: JobPaths, pod: Pod) -> JobStatus:
        """A pod that ended without its results having been taken."""
        working = self._work.get((job.id, "collect"))
        if working is not None and not working.done():
            return JobStatus(state=State.RUNNING, reason="its results are on the way")
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
            record = reasons.ended(pod)
            if follower.mirror.record is not None:
                record = _without_files(follower.mirror.record)
        cancelled = paths.cancel.exists() or job.wanted is State.CANCELLED
        if record is not None and cancelled and record.state != "COMPLETED":
            record = replace(record, state="CANCELLED", cause=Cause.CANCELLED)
        assert record is not None
        return self.end(paths, record)

    def _take_results(self, job: Job, paths: JobPaths, pod: Pod, mirror: Mirror) -> JobStatus:
        self.start_work(job, "collect", lambda: self._collect(job, pod))
        return JobStatus(state=State.RUNNING, reason="its results are on the way")

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
        running = self._work.get((job.id, kind))
        if running is None or running.done():

            async def run() -> None:
                try:
                    await work()
                except PlaceError:
                    # the next look begins it anew
                    await asyncio.sleep(0.2)

            self._work[(job.id, kind)] = asyncio.get_running_loop().create_task(run())

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
        pieces = delivery.packed(directory, blobs, bundle)
        name = pod["metadata"]["name"]
        await delivery.deliver(self.api, name, self._settings.python, pieces)
        write_record(directory / DELIVERED, {"pod": pod["metadata"]["uid"]})

    async def _collect(self, job: Job, pod: Pod) -> None:
        name, python = pod["metadata"]["name"], self._settings.python
        paths = JobPaths(Path(job.directory))
        arrived = paths.directory / ARRIVED
        if not arrived.exists():
            await collect(self.api, name, python, self.places.in_pod(job), paths.directory)
        # released before anybody calls it ended: nobody would come back to do it
        try:
            await release(self.api, name, python)
        except PlaceError:
            if await self.runs(pod):
                raise
        arrived.replace(paths.exit)

    async def runs(self, pod: Pod) -> bool:
        """Whether the pod still runs, by the server's latest word."""
        path = f"/api/v1/namespaces/{self.api.namespace}/pods/{pod['metadata']['name']}"
        try:
            found = await self.api.get(path)
        except ApiError as error:
            if error.code == 404:
                return False
            raise
        return bool(found["status"].get("phase") == "Running")

    def follow(self, job: Job, pod: Pod) -> Follower | None:
        """The follower of a running pod; None where its files can be read from here."""
        if self.places.shared:
            return None
        follower = self._follower(job, pod)
        if not follower.mirror.ended:
            follower.start()
        return follower

    def following(self, job: Job) -> Follower | None:
        """The job's follower, if there is one."""
        return self._followers.get(job.id)

    def _follower(self, job: Job, pod: Pod) -> Follower:
        name = pod["metadata"]["name"]
        if job.id not in self._followers:
            events = f"{self.places.in_pod(job)[0]}/events.jsonl"

            async def read(offset: int) -> bytes:
                return await self.tail(name, events, offset)

            mirror = Mirror(Path(job.directory))
            self._followers[job.id] = Follower(self.api, name, mirror, read)
        return self._followers[job.id]

    async def tail(self, pod: str, path: str, offset: int) -> bytes:
        """What is behind the offset in a file of the pod; nothing where there is none."""
        taken = bytearray()

        async def take(piece: bytes) -> None:
            taken.extend(piece)

        words = [self._settings.python, "-c", _TAIL, path, str(offset), str(CHUNK)]
        async with self.api.execute(pod, words) as socket:
            try:
                await delivery.finished(socket, take)
            except PlaceError as error:
                if "No such file" in str(error) or "Not a directory" in str(error):
                    return b""
                raise
        return bytes(taken)

    async def events(self, uid: str) -> list[Any]:
        """What the cluster tells of an object, oldest first; not asked too often."""
        asked, found = self._said.get(uid, (float("-inf"), []))
        if time.monotonic() - asked < EVENTS_EVERY:
            return found
        path = f"/api/v1/namespaces/{self.api.namespace}/events"
        try:
            answer = await self.api.get(path, fieldSelector=f"involvedObject.uid={uid}")
            found = sorted(answer["items"], key=lambda e: str(e.get("lastTimestamp") or ""))
        except ApiError as error:
            if error.code != 403:
                raise
            # not everybody may read events; the pod itself says most of it
        self._said[uid] = (time.monotonic(), found)
        return found

    # -- the Job --------------------------------------------------------------------------------

    def job_path(self, job: Job) -> str:
        """Where the API has the Job."""
        return f"/apis/batch/v1/namespaces/{self.api.namespace}/jobs/{job_name(job.id)}"

    async def remove(self, job: Job, *, force: bool = False) -> None:
        """Delete the Job, its pod and its Secret; none of them is none."""
        background = {"propagationPolicy": "Background"}
        await self.api.delete(self.job_path(job), background)
        base = f"/api/v1/namespaces/{self.api.namespace}"
        pod = self.pods.get(job.id)
        if force and pod is not None:
            name = pod["metadata"]["name"]
            await self.api.delete(f"{base}/pods/{name}", {"gracePeriodSeconds": 0})
        if not self.places.shared:
            await self.api.delete(f"{base}/secrets/{job_name(job.id)}")

    async def ask_to_end(self, job: Job, pod: Pod) -> None:
        """Tell the keeper in the pod that the user wants the job to end."""
        path = f"{self.places.in_pod(job)[0]}/cancel"
        words = [self._settings.python, "-c", f"open({path!r}, 'w').close()"]
        # kubelets refuse commands for moments, for reasons of their own; asking twice asks once
        async for attempt in AsyncRetrying(
            retry=retry_if_exception(lambda e: isinstance(e, PlaceError) and e.transient),
            stop=stop_after_attempt(4),
            wait=wait_exponential(0.2),
            reraise=True,
        ):
            with attempt:
                async with self.api.execute(pod["metadata"]["name"], words) as socket:
                    await delivery.finished(socket)

    def forget(self, job: Job) -> None:
        """Stop what goes on for the job."""
        follower = self._followers.pop(job.id, None)
        if follower is not None:
            follower.stop()
        for key in [key for key in self._work if key[0] == job.id]:
            self._work.pop(key).cancel()


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


def _without_files(record: ExitRecord) -> ExitRecord:
    words = (
        "Nobody took its files and variables before its pod ended; its outputs are kept "
        "(see the target's 'linger')"
    )
    return replace(record, message=f"{record.message} {words}".strip())
