"""Starts that are watched: ended at once where they are hopeless, and given the time of a pull."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from kubernetes_asyncio.client.rest import ApiException
from kubespawner import KubeSpawner

from jupyter_hybrid.containers.waiting import Waiting
from jupyter_hybrid.errors import HybridError

from . import starting
from .failures import StartFailed, StartTimeout

#: Seconds between two looks at what is known of the pod, and at what is told of it. (Kubespawner
#: sorts the events of all pods for each pod: too much work for every look of a hundred starts.)
LOOK, LISTEN = 0.1, 1.0
#: Seconds for which a pod that was there may be missing: a list may be older than what was told.
MISSING = 3.0
#: Seconds after which it is said again how long an image is being pulled.
AGAIN = 5.0


class Watched(KubeSpawner):
    """A KubeSpawner that says why a start takes time, and does not wait for what cannot come."""

    start_timeout: int
    #: Whether this start's pod is made: before, the reflector may know the last one's.
    _made = False
    #: What was last found out of it, and since when its image is being pulled.
    _found = Waiting("")
    _looked: tuple[Any, float] = (None, 0.0)
    _pulling_since: float | None = None
    #: Kubespawner's own start.
    _theirs: asyncio.Future[Any] | None = None
    #: Whether kubespawner has done all else and waits for the pod to run.
    _all_but_pod = False
    _patience = 60
    _starting = False

    def start(self) -> Any:
        """Start the server; its time-out is that of everything but the pull of its image."""
        self._patience = self.start_timeout
        # the hub looks at it once, now
        self.start_timeout = self._patience + self.image_pull_timeout
        return super().start()

    async def load_user_options(self) -> None:
        """Apply what the user chose; a profile may have a time-out of its own."""
        await super().load_user_options()
        if self._starting:
            self._patience = self.start_timeout
            self.start_timeout += self.image_pull_timeout

    async def _start(self) -> Any:
        self._made, self._pulling_since, self._all_but_pod = False, None, False
        self._found, self._looked = starting.outlook(None, ()), (None, 0.0)
        self._starting, self.start_timeout = True, self._patience
        self._theirs = theirs = asyncio.ensure_future(super()._start())
        watcher = asyncio.ensure_future(self._watch())
        try:
            await asyncio.wait({theirs, watcher}, return_when=asyncio.FIRST_COMPLETED)
            if watcher.done() and not theirs.done():
                theirs.cancel()
                await asyncio.wait({theirs})
                return watcher.result()
            return await theirs
        except HybridError as error:
            # what is wrong with this user, or with the site's configuration: nothing of the hub's
            raise StartFailed(f"The server cannot start: {error}.") from error
        finally:
            watcher.cancel()
            theirs.cancel()
            await asyncio.gather(theirs, watcher, return_exceptions=True)
            self._theirs = None
            self._starting, self.start_timeout = False, self._patience

    async def stop(self, now: bool = False) -> Any:
        """Stop the server. Of a pod that has run nothing there is nothing to be waited for.

        Nodes take up to a minute to let go of one whose image they cannot pull, and JupyterHub
        says why a start has failed only when its pod is gone.
        """
        pod = self._pod()
        return await super().stop(now=now or (pod is not None and not starting.has_run(pod)))

    async def _make_create_pod_request(self, pod: Any, request_timeout: float) -> bool:
        try:
            self._made = bool(await super()._make_create_pod_request(pod, request_timeout))
        except ApiException as error:
            if starting.too_early(str(error.body)):
                # kubespawner tries again
                return False
            if error.status in (400, 403, 422):
                raise StartFailed(starting.refused(str(error.body))) from error
            raise
        return self._made

    def is_pod_running(self, pod: Any) -> bool:
        """As kubespawner says; its start asks when nothing else is left to be done."""
        if self._theirs is not None and self._theirs is asyncio.current_task():
            self._all_but_pod = True
        return bool(super().is_pod_running(pod))

    async def _watch(self) -> Any:
        """The server's address once its pod runs, for which kubespawner looks ever more seldom.

        Raises ``StartFailed`` as soon as it is known that it will not.
        """
        waited, last, seen = 0.0, time.monotonic(), float("inf")
        while True:
            await asyncio.sleep(LOOK)
            now = time.monotonic()
            pod = self._pod()
            self._look(pod, now)
            waited += 0 if self._pulling_since else now - last
            last = now
            if self._all_but_pod and pod and super().is_pod_running(pod):
                self.pod_id = pod["metadata"]["uid"]
                return self._get_pod_url(pod)
            if self._found.hopeless:
                raise StartFailed(f"The server cannot start: {self._found.words}.")
            if pod is not None:
                seen = now
            elif now - seen > MISSING:
                raise StartFailed("The server cannot start: its pod was deleted from outside.")
            if waited > self._patience:
                await self._too_late(pod)

    def _look(self, pod: Any, now: float) -> None:
        """Find out what becomes of the pod, where there may be something new."""
        if pod is self._looked[0] and now - self._looked[1] < LISTEN:
            return
        self._looked = (pod, now)
        events = self.events
        self._found = starting.outlook(pod, events)
        pulling = starting.pulling(pod, events)
        self._pulling_since = (self._pulling_since or now) if pulling else None

    async def _too_late(self, pod: Any) -> None:
        words = (
            f"The server did not start within {self._patience:g} seconds: {self._found.words}. "
            "Choose what is free now, or try again later."
        )
        if self._made and pod is None:
            # (as kubespawner does: who tells of pods may have fallen silent, which counts)
            await self._start_watching_pods(replace=True)
            raise TimeoutError(words)
        raise StartTimeout(words)

    def _pod(self) -> Any:
        if not self._made or self.pod_reflector is None:
            return None
        return self.pod_reflector.pods.get(f"{self.namespace}/{self.pod_name}")

    async def progress(self) -> AsyncIterator[dict[str, Any]]:
        """Kubespawner's events in plain words, and why the pod waits as soon as that is known."""
        theirs = super().progress()
        if getattr(self, "format_event_hook", None):
            # (kubespawner after 7.1) the site has words of its own, and they are all that is said
            async for event in theirs:
                yield event
            return
        coming: asyncio.Future[Any] | None = None
        said, reached = "", 0
        try:
            while True:
                coming = coming or asyncio.ensure_future(anext(theirs))
                await asyncio.wait({coming}, timeout=LOOK)
                if coming.done():
                    try:
                        event = coming.result()
                    except StopAsyncIteration:
                        return
                    coming, reached = None, event.get("progress", reached)
                    yield starting.in_words(event)
                elif (words := self._words()) != said:
                    said = words
                    yield starting.told(words, reached)
        finally:
            if coming is not None:
                coming.cancel()
                await asyncio.wait({coming})
            await theirs.aclose()

    def _words(self) -> str:
        words = self._found.words
        if self._pulling_since is None:
            return words
        seconds = time.monotonic() - self._pulling_since
        # in steps, or it would be said anew at every look
        steps = int(seconds / AGAIN) * AGAIN
        return f"{words}, for {steps:.0f} seconds now" if steps else words
