"""The pods of one namespace's jobs, by one watch: listed once, then told of each change.

A watch goes on from the last ``resourceVersion``; where the server has forgotten that (410 Gone)
all is listed again. A server that does not answer is asked less and less often.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Mapping
from typing import Any

from ...blocking import within
from ...errors import PlaceError
from .api import Api, ApiError
from .names import JOB, RANK
from .ranks import number_of

log = logging.getLogger(__name__)

#: The first pods of jobs.
SELECTOR = f"{JOB},!{RANK}"
#: Seconds after which the server ends a watch that is begun again at once.
WATCH = 290
#: Seconds after which a watch that says nothing is broken: a living one has something about every
#: minute (a bookmark).
SILENCE = 150.0
#: Seconds between attempts: the first, and at most.
RETRY, RETRY_AT_MOST = 0.1, 5.0


class Pods:
    """Pods by job id, as of the last news."""

    def __init__(self, api: Api) -> None:
        self._api = api
        #: By job and by pod, each by its id.
        self._pods: dict[str, dict[str, Mapping[str, Any]]] = {}
        self._version = ""
        #: How many changes were told.
        self._taken = 0
        self._task: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        #: True while the server tells of changes.
        self.live = False

    async def sync(self) -> None:
        """Make sure of the news: nothing to do while the watch lives. Raises ``PlaceError``."""
        if self._task is not None and not self._task.done() and self.live:
            return
        await self._list()
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._watch())

    def get(self, job_id: str, uid: str = "") -> Mapping[str, Any] | None:
        """The job's pod: that one, or else the first that the cluster made."""
        found = self._pods.get(job_id, {})
        if uid:
            return found.get(uid)
        return min(
            found.values(), key=lambda p: str(p["metadata"]["creationTimestamp"]), default=None
        )

    def all(self, job_id: str) -> list[Mapping[str, Any]]:
        """All pods of the job: a cluster may replace one that is being ended."""
        return list(self._pods.get(job_id, {}).values())

    async def change(self, timeout: float) -> None:
        """Return at the next change, or after so many seconds."""
        try:
            await within(timeout, self._changed.wait())
        except asyncio.TimeoutError:
            pass

    async def _list(self) -> None:
        before = self._taken
        found = await self._api.get(self._path, labelSelector=SELECTOR)
        if self.live and self._taken != before:
            # a watch has begun meanwhile, and has told what this list may not have yet
            return
        self._version = found["metadata"]["resourceVersion"]
        self._pods = {}
        for pod in found["items"]:
            self._keep(pod)
        self._tell()

    @property
    def _path(self) -> str:
        return f"/api/v1/namespaces/{self._api.namespace}/pods"

    async def _watch(self) -> None:
        pause = RETRY
        while True:
            begun = time.monotonic()
            try:
                await self._listen()
                pause = RETRY
            except ApiError as error:
                pause = RETRY if time.monotonic() - begun > RETRY_AT_MOST else pause
                self.live = False
                if error.code == 410:
                    log.debug("pods are listed again: %s", error)
                    self._version = ""
                else:
                    log.info("%s", error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, RETRY_AT_MOST)
            except PlaceError as error:
                self.live = False
                log.info("%s", error)
                await asyncio.sleep(RETRY_AT_MOST)

    async def _listen(self) -> None:
        """One watch to its end."""
        if not self._version:
            await self._list()
        query = {"watch": "true", "allowWatchBookmarks": "true", "timeoutSeconds": WATCH}
        opened = self._api.stream(
            self._path, silence=SILENCE, labelSelector=SELECTOR, resourceVersion=self._version,
            **query,
        )  # fmt: skip
        async with opened as response:
            self.live = True
            try:
                async for line in response.content:
                    self._take(json.loads(line))
            except ValueError as error:
                # half a line, or one that is longer than can be
                raise ApiError(f"the watch of pods broke: {error}", code=410) from error
        self.live = False

    def _take(self, event: Mapping[str, Any]) -> None:
        found = event["object"]
        self._taken += 1
        if event["type"] == "ERROR":
            raise ApiError(str(found.get("message")), code=int(found.get("code") or 0))
        self._version = found["metadata"]["resourceVersion"]
        if event["type"] == "DELETED":
            self._pods.get(found["metadata"]["labels"][JOB], {}).pop(found["metadata"]["uid"], None)
        elif event["type"] != "BOOKMARK":
            self._keep(found)
        self._tell()

    def _keep(self, pod: Mapping[str, Any]) -> None:
        if number_of(pod):
            return
        metadata = pod["metadata"]
        self._pods.setdefault(metadata["labels"][JOB], {})[metadata["uid"]] = pod

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
