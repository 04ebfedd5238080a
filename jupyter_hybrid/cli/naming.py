"""How people name jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import UnknownJob
from ..results import SHORT_ID

if TYPE_CHECKING:
    from ..job import Job
    from ..manager import Manager

#: Fewer characters of an id's end are more likely a mistake than a name.
SHORTEST = 4


def short_id(job: Job) -> str:
    """The end of the job's id, as it is in the names of its results."""
    return job.id[-SHORT_ID:]


def find_job(manager: Manager, text: str) -> Job:
    """The job with this id, unique beginning or end of one, or ``last``; raises ``UnknownJob``."""
    try:
        return manager.get(text)
    except UnknownJob:
        if len(text) < SHORTEST:
            raise
        found = [job for job in manager.jobs() if job.id.endswith(text.lower())]
        if len(found) != 1:
            raise
        return found[0]
