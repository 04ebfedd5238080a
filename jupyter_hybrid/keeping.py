"""Changes of a job's record, saved beside those of other processes, or remembered here at least."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .blocking import aside
from .errors import Conflict, HybridError, StoreError, UnknownJob

if TYPE_CHECKING:
    from .job import Job
    from .store import Store

log = logging.getLogger(__name__)

Change = Callable[["Job"], "Job"]

#: How often a change is tried again, because another process has changed the record meanwhile.
ATTEMPTS = 20


class Keeper:
    """Keeps the records of one store true.

    Another process may hold the store for as long as SQLite waits for it: all is done aside, for in
    a Jupyter server every kernel's messages would stop meanwhile.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        #: Jobs of which the store has kept no news, which is said once.
        self._unkept: set[str] = set()

    async def change(self, job: Job, change: Change) -> Job:
        """Compare-and-set with retry: the change is applied to the newest record until it holds.

        An end that another process has seen meanwhile stays as it is.
        """
        return await aside(self._change, job, change)

    async def note(self, job: Job, change: Change) -> Job:
        """``change`` for what can be had again: a store that keeps nothing stops nothing."""
        return await aside(self._note, job, change)

    async def newest(self, job: Job) -> Job:
        """The record as stored, or this one where that knows more or the store knows nothing."""
        return await aside(self._newest, job)

    async def note_fetch(self, job: Job, fetched: Mapping[str, Any]) -> None:
        """Remember what came; the results are here already, whatever becomes of this."""
        await aside(self._note_fetch, job, fetched)

    def _change(self, job: Job, change: Change) -> Job:
        for _ in range(ATTEMPTS):
            new = change(job)
            if new is job:
                return job
            try:
                return self._store.save(new)
            except Conflict:
                job = self._store.get(job.id)
                if job.state.final:
                    return job
        raise Conflict(f"job {job.id} is being changed by too many processes; try again")

    def _note(self, job: Job, change: Change) -> Job:
        try:
            return self._change(job, change)
        except UnknownJob:
            # the store was lost, and made again: it knows what somebody tells it
            return self._store.add(change(job))
        except StoreError as error:
            self._tell_unkept(job, error)
            return change(job)

    def _newest(self, job: Job) -> Job:
        try:
            stored = self._store.get(job.id)
        except (StoreError, UnknownJob) as error:
            self._tell_unkept(job, error)
            return job
        # of the same revision, this one may hold what could not be saved
        return stored if stored.revision != job.revision else job

    def _note_fetch(self, job: Job, fetched: Mapping[str, Any]) -> None:
        for _ in range(ATTEMPTS):
            try:
                self._store.save(replace(self._store.get(job.id), fetched=fetched))
            except Conflict:
                continue
            except (StoreError, UnknownJob) as error:
                log.warning("what came back of job %s is not recorded: %s", job.id, error)
            return

    def _tell_unkept(self, job: Job, error: HybridError) -> None:
        if job.id not in self._unkept:
            self._unkept.add(job.id)
            log.warning("news of job %s is not kept: %s", job.id, error)
