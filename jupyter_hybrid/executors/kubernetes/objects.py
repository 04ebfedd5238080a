"""What one job has at the cluster, its Job, pods and Secret: asked for, ended and removed."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_exponential

from ...errors import PlaceError
from ...job import Job
from . import delivery
from .api import Api, ApiError
from .manifest import Inside
from .names import JOB, job_name
from .pods import Pods
from .ranks import make_rank, number_of

Pod = Mapping[str, Any]

#: Seconds between two looks at an object's events.
EVENTS_EVERY = 2.0
#: Bytes that one read from a pod returns at most.
CHUNK = 1 << 22
_TAIL = (
    "import sys\nf = open(sys.argv[1], 'rb')\nf.seek(int(sys.argv[2]))\n"
    "sys.stdout.buffer.write(f.read(int(sys.argv[3])))"
)


class Objects:
    """The objects of one target's jobs."""

    def __init__(self, api: Api, pods: Pods) -> None:
        self._api, self._pods = api, pods
        self._said: dict[str, tuple[float, list[Any]]] = {}

    def job_path(self, job: Job) -> str:
        """Where the API has the Job."""
        return f"/apis/batch/v1/namespaces/{self._api.namespace}/jobs/{job_name(job.id)}"

    def _path(self, kind: str, name: str = "") -> str:
        return f"/api/v1/namespaces/{self._api.namespace}/{kind}" + (f"/{name}" if name else "")

    async def runs(self, pod: Pod) -> bool:
        """Whether the pod still runs, by the server's latest word."""
        try:
            found = await self._api.get(self._path("pods", pod["metadata"]["name"]))
        except ApiError as error:
            if error.code == 404:
                return False
            raise
        return bool(found["status"].get("phase") == "Running")

    async def events(self, uid: str) -> list[Any]:
        """What the cluster tells of an object, oldest first; not asked too often."""
        asked, found = self._said.get(uid, (float("-inf"), []))
        if time.monotonic() - asked < EVENTS_EVERY:
            return found
        try:
            answer = await self._api.get(
                self._path("events"), fieldSelector=f"involvedObject.uid={uid}"
            )
            found = sorted(answer["items"], key=lambda e: str(e.get("lastTimestamp") or ""))
        except ApiError as error:
            if error.code != 403:
                raise
            # not everybody may read events; the pod itself says most of it
        self._said[uid] = (time.monotonic(), found)
        return found

    async def remove(self, job: Job, *, force: bool = False) -> None:
        """Delete the Job, its pods and its Secret; none of them is none."""
        await self._api.delete(self.job_path(job), {"propagationPolicy": "Background"})
        if force:
            await self._delete_pods(self._pods.all(job.id))
            for rank in range(1, job.spec.resources.nodes):
                path = self._path("pods", f"{job_name(job.id)}-{rank}")
                await self._api.delete(path, {"gracePeriodSeconds": 0})
        await self._delete_ours("secrets", job)
        if job.spec.resources.nodes > 1:
            await self._delete_ours("services", job)

    async def make_ranks(self, job: Job, address: str) -> None:
        """Make the pods beside the first, which has this address; those that are there stay."""
        made = await self._api.get(self.job_path(job))
        for rank in range(1, job.spec.resources.nodes):
            try:
                await self._api.post(self._path("pods"), make_rank(made, rank, address))
            except ApiError as error:
                if error.reason != "AlreadyExists":
                    raise

    async def pod_of_rank(self, job: Job, rank: int) -> Pod | None:
        """The pod of that rank, by the server's latest word."""
        found = await self._api.get(self._path("pods"), labelSelector=f"{JOB}={job.id}")
        return next((pod for pod in found["items"] if number_of(pod) == rank), None)

    async def log(self, pod: Pod) -> bytes:
        """All that the node has of what the pod printed."""
        path = self._path("pods", f"{pod['metadata']['name']}/log")
        async with self._api.stream(path) as response:
            return await response.read()

    async def let_go(self, job: Job, pod: Pod) -> None:
        """Keep the cluster from making another pod in place of one that is being ended.

        (Before Kubernetes 1.28 it does so at once, and has no ``podReplacementPolicy``.)
        """
        await self._api.delete(self.job_path(job), {"propagationPolicy": "Orphan"})
        uid = pod["metadata"]["uid"]
        await self._delete_pods([p for p in self._pods.all(job.id) if p["metadata"]["uid"] != uid])

    async def _delete_pods(self, pods: list[Pod]) -> None:
        for pod in pods:
            path = self._path("pods", pod["metadata"]["name"])
            await self._api.delete(path, {"gracePeriodSeconds": 0})

    async def delete_secret(self, job: Job) -> None:
        """Remove the Secret that brought the job's things."""
        await self._delete_ours("secrets", job)

    async def _delete_ours(self, kind: str, job: Job) -> None:
        try:
            await self._api.delete(self._path(kind, job_name(job.id)))
        except ApiError as error:
            # whoever may not have such has made none
            if error.code != 403:
                raise

    async def tail(self, pod: str, inside: Inside, name: str, offset: int) -> bytes:
        """What is behind the offset in a file of the job; nothing where there is none."""
        taken = bytearray()

        async def take(piece: bytes) -> None:
            taken.extend(piece)

        path = f"{inside.directory}/{name}"
        words = [inside.python, "-c", _TAIL, path, str(offset), str(CHUNK)]
        async with self._api.execute(pod, words) as socket:
            try:
                await delivery.finished(socket, take, quiet=delivery.QUIET)
            except PlaceError as error:
                if "No such file" in str(error) or "Not a directory" in str(error):
                    return b""
                raise
        return bytes(taken)

    async def touch(self, pod: Pod, inside: Inside, name: str) -> None:
        """Make an empty file in the job's directory. Raises ``PlaceError``."""
        path = f"{inside.directory}/{name}"
        words = [inside.python, "-c", f"open({path!r}, 'w').close()"]
        # kubelets refuse commands for moments, for reasons of their own; asking twice asks once
        async for attempt in AsyncRetrying(
            retry=retry_if_exception(lambda e: isinstance(e, PlaceError) and e.transient),
            stop=stop_after_attempt(4),
            wait=wait_exponential(0.2),
            reraise=True,
        ):
            with attempt:
                async with self._api.execute(pod["metadata"]["name"], words) as socket:
                    await delivery.finished(socket, quiet=delivery.QUIET)
