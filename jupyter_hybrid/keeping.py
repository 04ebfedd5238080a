"""Changes of a job's record, saved beside those of other processes, or remembered here at least."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from .errors import Conflict, HybridError, StoreError, UnknownJob

if TYPE_CHECKING:
    from .job import Job
    from .store import Store

log = logging.getLogger(__name__)

Change = Callable[["Job"], "Job"]

#: How often a change is tried again, because another process has changed the record meanwhile.
ATTEMPTS = 20


class Keeper:
    """Keeps the records of one store true."""

    def __init__(self, store: Store) -> None:
        self._store = store
        #: Jobs of which the store has kept no news, which is said once.
        self._unkept: set[str] = set()

    def change(self, job: Job, change: Change) -> Job:
        """Compare-and-set with retry: the change is applied to the newest record until it holds.

        An end that another process has seen meanwhile stays as it is.
        """
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

    def note(self, job: Job, change: Change) -> Job:
        """``change`` for what can be had again: a store that keeps nothing stops nothing."""
        try:
            return self.change(job, change)
        except UnknownJob:
            # the store was lost, and made again: it knows what somebody tells it
            return self._store.add(change(job))
        except StoreError as error:
            self._tell_unkept(job, error)
            return change(job)

    def newest(self, job: Job) -> Job:
        """The record as stored, or this one where that knows more or the store knows nothing."""
        try:
            stored = self._store.get(job.id)
        except (StoreError, UnknownJob) as error:
            self._tell_unkept(job, error)
            return job
        # of the same revision, this one may hold what could not be saved
        return stored if stored.revision != job.revision else job

    def _tell_unkept(self, job: Job, error: HybridError) -> None:
        if job.id not in self._unkept:
            self._unkept.add(job.id)
            log.warning("news of job %s is not kept: %s", job.id, error)
