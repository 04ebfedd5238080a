"""Follow a job's pod: its log, one stream per running job, into the mirror of its events.

A stream that breaks is begun again, from the log's beginning: nodes keep some megabytes of it, and
no clock has to be believed. Numbers tell what is known, and what a rotated log lacks, which is read
from the job's own file in the pod.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

from ...blocking import within
from ...errors import PlaceError
from .api import Api, ApiError
from .mirror import Mirror

log = logging.getLogger(__name__)

#: Seconds between attempts: the first, and at most.
RETRY, RETRY_AT_MOST = 0.1, 5.0
#: Seconds between attempts to read the job's own file: nodes refuse commands for moments.
AGAIN = (0.2, 0.5, 1.0)

#: Reads the job's events file in the pod, from an offset.
Reader = Callable[[int], Awaitable[bytes]]


class Follower:
    """Follows one pod until its last word, or its end."""

    def __init__(self, api: Api, pod: str, mirror: Mirror, reader: Reader) -> None:
        self._api, self._pod, self._read = api, pod, reader
        self.mirror = mirror
        #: Set once all that was in the log at the beginning is here.
        self.caught_up = asyncio.Event()
        #: The log ended, or is gone.
        self.over = False
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, in the background."""
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._follow())

    def stop(self) -> None:
        """End the stream."""
        if self._task is not None:
            self._task.cancel()

    async def news(self, timeout: float) -> None:
        """Return when an event came, or after so many seconds."""
        try:
            await within(timeout, self._news.wait())
        except asyncio.TimeoutError:
            return
        self._news.clear()

    async def drain(self) -> None:
        """Read what there is, once. Raises ``PlaceError``."""
        await self._stream(follow=False)
        self.caught_up.set()

    async def _follow(self) -> None:
        pause = RETRY
        try:
            while not self.mirror.ended:
                before, begun = self.mirror.seq, time.monotonic()
                try:
                    if not self.caught_up.is_set():
                        await self.drain()
                        continue
                    await self._stream(follow=True)
                    if self.mirror.seq == before:
                        # nothing new: the container has ended
                        return
                except ApiError as error:
                    if error.code == 404:
                        return
                    # 400: the container does not run yet
                    log.debug("%s: %s", self._pod, error)
                except PlaceError as error:
                    log.debug("%s: %s", self._pod, error)
                lasted = time.monotonic() - begun > RETRY_AT_MOST
                new = lasted or self.mirror.seq > before
                pause = RETRY if new else min(pause * 2, RETRY_AT_MOST)
                await asyncio.sleep(pause)
        finally:
            self.over = True
            self.caught_up.set()

    async def _stream(self, *, follow: bool) -> None:
        query: dict[str, Any] = {"container": "job", "follow": "true" if follow else "false"}
        path = f"/api/v1/namespaces/{self._api.namespace}/pods/{self._pod}/log"
        async with self._api.stream(path, **query) as response:
            rest = b""
            async for chunk in response.content.iter_any():
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    await self._take(line + b"\n")
                    if self.mirror.ended:
                        return

    async def _take(self, line: bytes) -> None:
        if self.mirror.missing(line):
            await self._fill()
        if self.mirror.take(line) or self.mirror.ended:
            self._news.set()

    async def _fill(self) -> None:
        """Read from the job's own file what the log does not have any more."""
        for pause in (*AGAIN, None):
            try:
                await self._read_on()
                return
            except PlaceError as error:
                log.debug("%s: its file cannot be read: %s", self._pod, error)
                if pause is None or not error.transient:
                    return
                await asyncio.sleep(pause)

    async def _read_on(self) -> None:
        while chunk := await self._read(self.mirror.size):
            before = self.mirror.size
            self.mirror.take_all(chunk)
            if self.mirror.size == before:
                return
