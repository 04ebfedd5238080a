"""How jobs are named to people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..job import SHORT_ID

if TYPE_CHECKING:
    from ..job import Job


def short_id(job: Job) -> str:
    """The end of the job's id, as it is in the names of its results."""
    return job.id[-SHORT_ID:]
