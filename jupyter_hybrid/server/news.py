"""Keeps the jobs' records true while the server runs, and announces what changed.

Everything rests on the store and the places, which this server shares with kernels and the command
line: it tells what they did as it tells what it did itself, and a server that was away for a week
goes on with what it finds.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ..blocking import aside
from ..errors import HybridError, PlaceError, UnknownJob
from ..job import Job, State
from ..manager import Manager
from ..pace import Pace
from ..store import Store
from ..tailing import Tail

#: Takes a schema id, and the data of an event.
Announce = Callable[[str, Any], None]

log = logging.getLogger(__name__)

#: Schema ids on the event bus, as in ``events/``.
JOB, PROGRESS = "urn:jupyter-hybrid:job:v1", "urn:jupyter-hybrid:progress:v1"
TARGET = "urn:jupyter-hybrid:target:v1"
#: Seconds for which a target does not answer before that is told.
SILENT = 3.0
#: Seconds between two looks at running jobs while somebody looks, and while nobody does.
OFTEN, SELDOM = 0.1, 5.0
#: The same while a job is being submitted here: its record is there before its place has answered.
AT_ONCE = 0.02
#: Seconds for which somebody looks after a request.
LOOKING = 120.0
#: Seconds between two questions to a place about all its jobs.
ASK_EVERY = 1.0
#: A job younger than this (seconds) may begin at any moment, and is asked about at each look.
YOUNG = 10.0
#: Seconds between two questions to a place about a job that prints.
NEWS_EVERY = 0.25
#: A store that was written this many seconds ago may have been written once more in that moment.
SETTLED = 1.0


class News:
    """Looks, and calls ``announce(schema id, data)``."""

    def __init__(self, manager: Callable[[], Manager], announce: Announce) -> None:
        self._manager = manager
        self._announce = announce
        self._looked_at = float("-inf")
        self._woken = asyncio.Event()
        #: Submits that are under way.
        self._hurries = 0
        self._places: dict[str, _Place] = {}
        #: The store's file when it was last read: inode, size, time of change.
        self._file: tuple[int, int, int] | None = None
        #: Revisions by job id as last announced; None before the first look.
        self._known: dict[str, int] | None = None
        self._unfinished: list[Job] = []

    def somebody_looks(self) -> None:
        """A request came: for a while news is worth looking for often."""
        asleep = not self._watched
        self._looked_at = time.monotonic()
        if asleep:
            self._woken.set()

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Meanwhile what is new in the store is announced within the blink of an eye."""
        self._hurries += 1
        self._woken.set()
        try:
            yield
        finally:
            self._hurries -= 1

    @property
    def _pause(self) -> float:
        if self._hurries:
            return AT_ONCE
        return OFTEN if self._watched else SELDOM

    @property
    def _watched(self) -> bool:
        return time.monotonic() - self._looked_at < LOOKING

    async def run(self) -> None:
        """Look until cancelled; what goes wrong is logged and tried again."""
        try:
            while True:
                await self._look_once()
                await self._sleep()
        finally:
            for place in self._places.values():
                place.stop()

    async def _look_once(self) -> None:
        try:
            manager = self._manager()
            await self._read_store(manager)
        except HybridError as error:
            log.warning("%s", error)
            return
        # one mistake of ours must not leave the jobs alone for as long as the server runs
        except Exception:
            log.exception("jupyter-hybrid could not look after its jobs; it tries again")
            return
        by_target: dict[str, list[Job]] = {}
        for job in self._unfinished:
            by_target.setdefault(job.spec.target, []).append(job)
        for target, jobs in by_target.items():
            place = self._places.setdefault(target, _Place(self._announce, self._woken.set))
            place.look(manager, jobs, watched=self._watched)
        for target in self._places.keys() - by_target.keys():
            self._places[target].rest(manager, target)

    async def _sleep(self) -> None:
        self._woken.clear()
        # (before Python 3.12, wait_for may take a cancel for its own where both come at once)
        alarm = asyncio.get_running_loop().call_later(self._pause, self._woken.set)
        try:
            await self._woken.wait()
        finally:
            alarm.cancel()

    async def _read_store(self, manager: Manager) -> None:
        """Read it if it was written, and announce what is new; another process may hold it."""
        try:
            status = manager.store.path.stat()
        except FileNotFoundError:
            if not manager.store.is_lost:
                # no job was ever made here: the first one is news
                self._known = self._known or {}
            return
        file = (status.st_ino, status.st_size, status.st_mtime_ns)
        if file == self._file:
            return
        now, self._unfinished, changes = await aside(_read, manager.store, self._known)
        self._known = now
        self._file = file if time.time() - status.st_mtime > SETTLED else None
        for change in changes:
            self._announce(JOB, change)


def _read(
    store: Store, known: Mapping[str, int] | None
) -> tuple[dict[str, int], list[Job], list[dict[str, Any]]]:
    """The revision of each job, the unfinished ones, and what is new beside ``known`` as events."""
    now, unfinished = store.revisions(), store.unfinished()
    # a front end that comes to a server reads its list first
    before = now if known is None else known
    changed = [j for j in now.keys() | before.keys() if now.get(j) != before.get(j)]
    return now, unfinished, [_change(store, job_id, new=job_id not in before) for job_id in changed]


def _change(store: Store, job_id: str, *, new: bool) -> dict[str, Any]:
    try:
        job = store.get(job_id)
    except UnknownJob:
        return {"job": job_id, "change": "deleted"}
    change = "new" if new else "changed"
    data = {"job": job_id, "change": change, "state": job.state.value}
    return {**data, "revision": job.revision}


class _Place:
    """Looks at one target's jobs, one look at a time: a slow place delays no other."""

    def __init__(self, announce: Announce, changed: Callable[[], None]) -> None:
        """``changed`` is called when a record may be another one than before."""
        self._announce, self._changed = announce, changed
        self._task: asyncio.Task[None] | None = None
        self._asked_at = float("-inf")
        self._tails: dict[str, Tail] = {}
        self._paces: dict[str, Pace] = {}
        #: Jobs that have said something since their place was asked about them.
        self._fresh: set[str] = set()
        #: How often jobs could not be read since they were.
        self._unread: dict[str, int] = {}
        self._trouble = Pace(1.0, 60.0)
        #: Why the target does not answer, as was told.
        self._told = ""

    def look(self, manager: Manager, jobs: list[Job], *, watched: bool) -> None:
        """Begin a look, unless one is under way."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._look(manager, jobs, watched))

    def rest(self, manager: Manager, target: str) -> None:
        """There is no job to ask about, and whether the target answers matters to nobody."""
        if self._told:
            manager.paces[target].again()
            self._tell(target, "")

    def stop(self) -> None:
        """End a look that is under way."""
        if self._task is not None:
            self._task.cancel()

    async def _look(self, manager: Manager, jobs: list[Job], watched: bool) -> None:
        self._forget_others(jobs)
        if watched:
            await self._listen(manager, jobs)
        try:
            await self._ask(manager, jobs)
        except HybridError as error:
            log.warning("%s: %s", jobs[0].spec.target, error)
        # a program of somebody else's (an executor) ends this look, and not the next one
        except Exception:
            log.exception("jupyter-hybrid could not look after %s", jobs[0].spec.target)
        self._tell(jobs[0].spec.target, trouble_of(manager, jobs[0].spec.target))

    async def _listen(self, manager: Manager, jobs: list[Job]) -> None:
        """Note which jobs have said something; those that could not be read come last.

        The first that cannot be read ends it: where the place is down, each may take its time.
        """
        for job in sorted(jobs, key=lambda job: self._unread.get(job.id, 0)):
            try:
                if await self._printed(manager, job):
                    self._fresh.add(job.id)
            # whatever it is, the place is asked about its jobs all the same
            except Exception as error:
                self._unread[job.id] = self._unread.get(job.id, 0) + 1
                if self._trouble.due():
                    unforeseen = not isinstance(error, HybridError)
                    where = f"{job.spec.target}: job {job.id}"
                    log.warning("%s cannot be read: %s", where, error, exc_info=unforeseen)
                    self._trouble.later(2.0)
                return
            self._unread.pop(job.id, None)
        self._trouble.again()

    def _tell(self, target: str, trouble: str) -> None:
        """Announce, once, that the target does not answer, for another reason, or does again."""
        if trouble != self._told:
            self._told = trouble
            self._announce(TARGET, {"target": target, "answers": not trouble})

    async def _ask(self, manager: Manager, jobs: list[Job]) -> None:
        if time.monotonic() - self._asked_at >= ASK_EVERY:
            self._asked_at = time.monotonic()
            self._fresh.clear()
            if await manager.reconcile([job.id for job in jobs]):
                self._changed()
            return
        now = time.time()
        for job in jobs:
            young = now - job.created_at < YOUNG and job.state is not State.RUNNING
            # what said something too soon after the last question is asked about in a later look
            if (job.id in self._fresh or young) and self._due(job.id):
                self._fresh.discard(job.id)
                try:
                    if await manager.refresh(job) != job:
                        self._changed()
                except PlaceError as error:
                    log.debug("%s", error)

    async def _printed(self, manager: Manager, job: Job) -> bool:
        """Announce the job's newest event, if there is one since the last look."""
        if job.state is not State.RUNNING:
            return False
        tail = self._tails.get(job.id)
        if tail is None:
            executor = manager.executor(job.spec.target)
            tail = self._tails[job.id] = Tail(executor, job, offset=job.events_offset)
        last = 0
        try:
            async for event, _ in tail.lines():
                last = event.seq
        finally:
            # also where there is no more to be had: the next look begins behind what was read
            if last:
                self._announce(PROGRESS, {"job": job.id, "last": last})
        return last > 0

    def _due(self, job_id: str) -> bool:
        pace = self._paces.setdefault(job_id, Pace(NEWS_EVERY, NEWS_EVERY))
        if not pace.due():
            return False
        pace.later()
        return True

    def _forget_others(self, jobs: Iterable[Job]) -> None:
        ids = {job.id for job in jobs}
        self._fresh &= ids
        for known in (self._tails, self._paces, self._unread):
            for job_id in known.keys() - ids:
                del known[job_id]


def trouble_of(manager: Manager, target: str) -> str:
    """Why the target has not answered for a while; "" where it has, or was not asked."""
    pace = manager.paces.get(target)
    return pace.trouble(SILENT) if pace is not None else ""
