"""The composer: makes jobs of requests, keeps their records true, and brings back what they made.

Any process may hold a ``Manager``; there is no daemon. Every method can be called again after a
crash, from another process, at the same time (design §4).
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import reconcile, staging
from .blocking import aside
from .config import Hybrid, load_config
from .credentials import job_key
from .errors import HybridError, PlaceError, UnknownTarget, UsageError
from .events import Event
from .executors.registry import load_executor
from .job import Job, State, new_job_id
from .keeping import Keeper
from .pace import Pace
from .paths import JobPaths, job_directory
from .spec import Cause, ExitRecord, JobSpec, Resources
from .store import Store
from .tailing import Tail

if TYPE_CHECKING:
    from .bundle import Bundle
    from .capture.plan import Plan
    from .executors.base import Executor, Handle, JobStatus, Offer
    from .request import Request
    from .results import Fetched

log = logging.getLogger(__name__)

#: Seconds after which a cancel that was asked for and not confirmed is sent again.
CANCEL_AGAIN_AFTER = 5.0


class Manager:
    """Jobs of one user on all targets."""

    def __init__(self, config: Hybrid, store: Store) -> None:
        self.config = config
        self.store = store
        self._executors: dict[str, Executor] = {}
        #: How often targets are asked about all their jobs, and why that fails, by name.
        self.paces: dict[str, Pace] = {}
        #: Monotonic times of the last cancel sent, by job id.
        self._cancel_sent: dict[str, float] = {}
        self._keeper = Keeper(store)

    @classmethod
    def default(cls) -> Manager:
        """The manager over this user's configuration and store."""
        config = load_config()
        return cls(config, Store.open(config.home))

    # -- places ---------------------------------------------------------------------------------

    def executor(self, target: str | None = None) -> Executor:
        """The executor of the named target; raises ``UnknownTarget`` or ``ConfigError``."""
        settings = self.config.target(target)
        if settings.name not in self._executors:
            self._executors[settings.name] = load_executor(settings)
        return self._executors[settings.name]

    async def offers(self, resources: Resources | None = None) -> Sequence[Offer]:
        """What every target can give now; a target that does not answer is left out and logged."""
        wanted = resources or Resources()
        names = self.config.target_options()
        found = await asyncio.gather(*(self._offers_of(name, wanted) for name in names))
        return [offer for offers in found for offer in offers]

    async def _offers_of(self, name: str, resources: Resources) -> Sequence[Offer]:
        try:
            return await self.executor(name).offers(resources)
        except HybridError as error:
            log.warning("%s: %s", name, error)
            return ()

    # -- submit ---------------------------------------------------------------------------------

    async def preview(self, request: Request) -> Plan:
        """What a submit would send; nothing is sent or written."""
        return await asyncio.to_thread(staging.plan, request, self.config)

    async def describe(self, request: Request, plan: Plan) -> str:
        """What a submit would ask of the place, in the place's own words; nothing is asked for."""
        executor = self.executor(request.target)
        spec = staging.make_spec(request, executor.target.name, plan, self.config)
        return await staging.describe(executor, spec, request)

    async def submit(self, request: Request) -> Job:
        """Start a job. What exists at the place is recorded before the next step can fail.

        Raises ``UsageError`` before anything exists, ``PlaceError`` after the job is FAILED.
        """
        with (executor := self.executor(request.target)).coming():
            await executor.check(request.resources)
            bundle, plan = await asyncio.to_thread(staging.make_bundle, request, self.config)
            spec = staging.make_spec(request, executor.target.name, plan, self.config)
            bundle, told = await staging.admitted(executor, spec, bundle, self.config, request)
            notes = (*staging.notes(request, plan), *told)
            rest = {"base": str(plan.base), "notes": notes, "submit_key": request.submit_key}
            return await self._start(executor, spec, bundle, **rest)

    async def rerun(
        self,
        job_id: str,
        parameters: Mapping[str, Any] | None = None,
        exclude: Collection[str] = (),
        submit_key: str = "",
        **changes: Any,
    ) -> Job:
        """Submit what a job executed, but for its files ``exclude`` and ``changes`` of its spec."""
        old = await aside(self.get, job_id)
        values = {**old.spec.parameters, **(parameters or {})}
        spec = replace(old.spec, parameters=values, **changes)
        executor = self.executor(spec.target)
        await executor.check(spec.resources)
        bundle = await asyncio.to_thread(staging.read_bundle, old, self.config, exclude)
        bundle, told = await staging.admitted(executor, spec, bundle, self.config)
        rest = {"base": old.base, "notes": told, "submit_key": submit_key}
        return await self._start(executor, spec, bundle, **rest)

    async def _start(self, executor: Executor, spec: JobSpec, bundle: Bundle, **rest: Any) -> Job:
        """``rest`` are fields of the record."""
        job_id = new_job_id(after=await aside(self.store.newest))
        job = Job(
            id=job_id,
            spec=spec,
            directory=str(job_directory(executor.target.root, job_id)),
            created_at=time.time(),
            **rest,
        )
        if (job := await aside(self.store.add, job)).id != job_id:
            # another server of the user's was faster with the same submit
            return job
        key = job_key(self.config.home, job_id)
        try:
            async for handle in executor.submit(job, replace(bundle, key=key)):
                # known here at least, where it cannot be saved: what it names must be ended then
                job = job.evolve(handle=handle)
                kept = await self._keeper.change(job, _with_handle(handle))
                job = replace(kept, handle=handle)
                if job.state.final:
                    # another process gave it up, because this one took too long
                    raise PlaceError(f"job {job_id} was ended meanwhile: {job.reason}")
        except HybridError as error:
            await self._give_up(executor, job, error)
            raise
        return await self._keeper.note(
            job, lambda j: j.evolve(state=State.PENDING) if j.state is State.CREATED else j
        )

    async def _give_up(self, executor: Executor, job: Job, error: HybridError) -> None:
        """End what a failed submit made. It is FAILED once its place confirms that it has ended."""
        refused = f"{job.spec.target}: {error}"
        if job.handle is None and not job.state.final:
            record = ExitRecord("FAILED", Cause.REFUSED, refused)
            refuse = partial(reconcile.finish, exit_record=record, now=time.time())
            # what was refused may be tried again
            await self._keeper.note(job, lambda j: refuse(replace(j, submit_key="")))
            return
        wanted = {"wanted": State.CANCELLED, "refused": refused, "reason": refused}
        wanted["submit_key"] = ""
        job = await self._keeper.note(job, lambda j: j if j.state.final else j.evolve(**wanted))
        try:
            await self._send_cancel(executor, job, force=True)
            await self.refresh(job)
        except HybridError as second:
            # reconcile goes on with it, in whichever process
            log.warning("%s: %s", job.spec.target, second)

    # -- records --------------------------------------------------------------------------------

    def get(self, job_id: str) -> Job:
        """The job's record as stored; ``job_id`` may be a unique prefix, or ``last``."""
        return self.store.find(job_id)

    def jobs(self, **filters: Any) -> list[Job]:
        """Records as stored, newest first; filters as ``Store.jobs``."""
        return self.store.jobs(**filters)

    def recent(self, number: int) -> list[Job]:
        """The newest jobs, and all older ones that have not ended; newest first."""
        newest = self.store.jobs(limit=number)
        known = {job.id for job in newest}
        return [*newest, *(job for job in self.store.unfinished() if job.id not in known)]

    async def status(self, job_id: str) -> Job:
        """The job's record after asking its place."""
        job = await aside(self.get, job_id)
        try:
            return await self.refresh(job)
        except (PlaceError, UsageError) as error:
            # silence is no news: nothing changes until the place answers
            log.warning("%s: %s", job.spec.target, error)
            return job

    async def refresh(self, job: Job) -> Job:
        """The record after asking its place, also while the store is full, lost or out of reach.

        Raises ``PlaceError`` where the place does not answer.
        """
        job = await self._keeper.newest(job)
        if job.state.final:
            return job
        (changed,) = await self._reconcile_target(self.executor(job.spec.target), [job]) or (job,)
        return changed

    async def reconcile(self, ids: Iterable[str] | None = None) -> list[Job]:
        """Ask the places about unfinished jobs (or these); returns the jobs that changed."""
        wanted = None if ids is None else frozenset(ids)
        by_target: dict[str, list[Job]] = {}
        for job in await aside(self.store.unfinished):
            if wanted is None or job.id in wanted:
                by_target.setdefault(job.spec.target, []).append(job)
        # at once: a place that takes its time keeps nobody waiting for the others
        changed = await asyncio.gather(*(self._ask(*group) for group in by_target.items()))
        return [job for jobs in changed for job in jobs]

    async def _ask(self, target: str, jobs: list[Job]) -> list[Job]:
        """Ask a place, unless it is left alone for a while; returns the jobs that changed."""
        pace = self.paces.setdefault(target, Pace(1.0, 60.0))
        if not pace.due():
            return []
        try:
            changed = await self._reconcile_target(self.executor(target), jobs)
        except (PlaceError, UsageError) as error:
            # silence is no news: nothing changes until the place answers
            log.warning("%s: %s", target, error)
            pace.failed(str(error))
            return []
        pace.again()
        return changed

    async def _reconcile_target(self, executor: Executor, jobs: list[Job]) -> list[Job]:
        statuses = await executor.poll(jobs)
        changed = []
        for job in jobs:
            status = statuses.get(job.id)
            try:
                moved = await self._move(executor, job, status) if status else job
            # one job, whatever it has made of its own files, hides no other's news
            except Exception as error:
                if len(jobs) == 1:
                    raise
                unforeseen = not isinstance(error, HybridError)
                log.warning("job %s was passed over: %s", job.id, error, exc_info=unforeseen)
                continue
            if moved != job:
                changed.append(moved)
        return changed

    async def _move(self, executor: Executor, job: Job, status: JobStatus) -> Job:
        """Take in what the place says of one job; returns the job as it is then."""
        events: list[tuple[Event, int]] = []
        if status.state is not State.PENDING or status.exit is not None:
            async for line in Tail(executor, job, offset=job.events_offset).lines():
                reconcile.add_event(events, line)
        now, lost_after = time.time(), self.config.lost_after

        def move(current: Job) -> Job:
            current = reconcile.take_events(current, events)
            return reconcile.advance(current, status, now=now, lost_after=lost_after)

        moved = await self._keeper.note(job, move)
        if moved.wanted is State.CANCELLED and not moved.state.final:
            await self._send_cancel(executor, moved, force=False)
        return moved

    # -- end ------------------------------------------------------------------------------------

    async def cancel(self, job_id: str, *, force: bool = False) -> Job:
        """Ask the job to end. CANCELLED is reached when its place confirms that.

        A job of a target that is not configured any more is LOST: nobody can be asked.
        """
        job = await aside(self.get, job_id)
        if job.state.final:
            return job
        wanted = {"wanted": State.CANCELLED}
        job = await self._keeper.change(job, lambda j: j if j.wanted else j.evolve(**wanted))
        try:
            executor = self.executor(job.spec.target)
        except UnknownTarget:
            return await self._keeper.note(job, partial(reconcile.orphan, now=time.time()))
        self._cancel_sent.pop(job.id, None)
        await self._send_cancel(executor, job, force=force)
        return await self.status(job.id)

    async def _send_cancel(self, executor: Executor, job: Job, *, force: bool) -> None:
        last = self._cancel_sent.get(job.id)
        if not force and last is not None and time.monotonic() - last < CANCEL_AGAIN_AFTER:
            return
        self._cancel_sent[job.id] = time.monotonic()
        await executor.cancel(job, force=force)

    async def delete(self, job_id: str) -> None:
        """Forget an ended job and remove what is kept of it, here and at its place."""
        job = await self.status(job_id)
        if not job.state.final:
            raise UsageError(f"job {job.id} is {job.state.value}; cancel it before deleting it")
        try:
            await self.executor(job.spec.target).cleanup(job)
        except UnknownTarget as error:
            log.warning(
                "%s; what job %s left there, in %s, is not removed", error, job.id, job.directory
            )
            own = job_directory(self.config.home, job.id)
            await asyncio.to_thread(shutil.rmtree, own, ignore_errors=True)
        await aside(self.store.delete, job.id)

    # -- what a job says and makes --------------------------------------------------------------

    def follow(self, job_id: str, after: int = 0) -> AsyncIterator[Event | Job]:
        """Events behind number ``after``, and the record whenever it changed, until the job ended.

        The last item is the record in its final state. Replays from the beginning, in any process.
        """
        from .following import follow

        return follow(self, self.get(job_id), after)

    async def events(self, job_id: str, after: int = 0) -> AsyncIterator[Event]:
        """Only the events of ``follow``."""
        async for item in self.follow(job_id, after):
            if isinstance(item, Event):
                yield item

    async def notebook(self, job_id: str) -> dict[str, Any]:
        """The job's notebook with the outputs so far (nbformat 4 JSON); of a running job too."""
        from . import executed

        job = await self.status(job_id)
        executor = self.executor(job.spec.target)
        if not job.state.final:
            return await executed.notebook_so_far(executor, job)
        # its files may be a thousand times as large, and who reads it need not want them
        try:
            left = await executed.notebook_left(executor, job)
        except PlaceError as error:
            # it may be here; if not, that is what is said next
            log.info("%s: %s", job.spec.target, error)
            left = None
        if left is not None:
            return left
        directory = await self.result_directory(job)
        return await asyncio.to_thread(executed.executed_notebook, JobPaths(directory))

    async def log(self, job_id: str, offset: int = 0) -> bytes:
        """The runner's own output behind ``offset``, for a job that died without a word."""
        job = await aside(self.get, job_id)
        executor = self.executor(job.spec.target)
        return await executor.read(job, JobPaths(Path()).log.name, offset)

    async def fetch(self, job_id: str, **options: Any) -> Fetched:
        """Bring an ended job's notebook and files here; options as ``results.bring_back``."""
        from .results import bring_back

        job = await self.status(job_id)
        directory = await self.result_directory(job)
        fetched = await asyncio.to_thread(bring_back, job, directory, **options)
        if fetched.notebook or fetched.files or fetched.conflicts or fetched.left:
            await self.note_fetch(job, fetched.to_json())
        return fetched

    async def note_fetch(self, job: Job, fetched: Mapping[str, Any]) -> None:
        """Remember what of the job's results came and where it is, keys as ``Fetched``."""
        await self._keeper.note_fetch(job, fetched)

    async def variables(self, job_id: str) -> tuple[Path, bytes]:
        """Where an ended job's variables are, and the key that vouches for them."""
        job = await aside(self.get, job_id)
        directory = await self.result_directory(job)
        return JobPaths(directory).outputs, job_key(self.config.home, job.id)

    async def result_directory(self, job: Job) -> Path:
        """Where an ended job's results are, once they are all here (laid out as ``JobPaths``)."""
        if not job.state.final:
            raise UsageError(
                f"job {job.id} is {job.state.value}; its results come when it has ended"
            )
        local = job_directory(self.config.home, job.id)
        return await self.executor(job.spec.target).fetch(job, local)


def _with_handle(handle: Handle) -> Callable[[Job], Job]:
    return lambda job: job.evolve(handle=handle)
