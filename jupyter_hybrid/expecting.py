"""How long a job of a notebook may be expected to run, by what earlier jobs of it took."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .job import State

if TYPE_CHECKING:
    from .store import Store

#: Newest jobs that are looked at, and how many of one target count: what changed meanwhile, the
#: notebook or the data, changes the answer soon.
_LOOKED_AT, _COUNTED = 200, 5


@dataclass(frozen=True)
class Expected:
    """How long jobs of a notebook took at a target."""

    target: str
    #: The median.
    seconds: float
    #: Jobs that it is the median of.
    jobs: int


def expected(store: Store, notebook: str) -> list[Expected]:
    """For each target that has completed jobs of this notebook (an absolute path), by name."""
    found = store.jobs(states=[State.COMPLETED], notebook=notebook, limit=_LOOKED_AT)
    by_target: dict[str, list[float]] = {}
    for job in found:
        seconds = job.lasted()
        if job.spec.kind == "notebook" and seconds is not None:
            by_target.setdefault(job.spec.target, []).append(seconds)
    return [
        Expected(target, statistics.median(counted), len(counted))
        for target, all_of_it in sorted(by_target.items())
        for counted in [all_of_it[:_COUNTED]]
    ]
