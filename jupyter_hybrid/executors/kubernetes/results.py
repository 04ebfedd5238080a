"""What jobs made, brought here before their pods end or out of the site's object store.

Each process that looks at a job would bring it. One does: what came gets its place by rename, under
the hands of whoever reads it already.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ...errors import PlaceError
from ...job import Job
from ...paths import JobPaths
from ...spec import Cause
from ..locks import fetching
from ..records import read_exit, read_record, write_record
from . import reasons
from .api import Api
from .collecting import ARRIVED, collect, release
from .depot import Depot
from .objects import Objects
from .places import Places


class Results:
    """The results of one target's jobs."""

    def __init__(self, api: Api, objects: Objects, places: Places, depot: Depot) -> None:
        self._api, self._objects, self._places, self._depot = api, objects, places, depot
        #: Jobs of which the object store has none.
        self._absent: set[str] = set()

    def may_be_stored(self, job: Job) -> bool:
        """Whether the site's object store may have them."""
        return self._depot.there and job.id not in self._absent

    async def from_pod(self, job: Job, pod: Mapping[str, Any]) -> None:
        """Bring them, and the job to its end; raises ``PlaceError`` and ``ResultError``."""
        name, inside = pod["metadata"]["name"], self._places.inside(job)
        paths = JobPaths(Path(job.directory))
        arrived = paths.directory / ARRIVED
        async with fetching(paths.directory):
            if read_exit(paths) is not None:
                return
            if not arrived.exists():
                await collect(self._api, name, inside, paths.directory)
            # released before anybody calls it ended: nobody would come back to do it
            try:
                await release(self._api, name, inside)
            except PlaceError:
                if await self._objects.runs(pod):
                    raise
            await self._explain(pod, arrived)
            _end(arrived, paths)

    async def from_depot(self, job: Job) -> None:
        """The same from the object store, which then has them no more."""
        paths = JobPaths(Path(job.directory))
        arrived = paths.directory / ARRIVED
        async with fetching(paths.directory):
            if read_exit(paths) is not None:
                return
            if not arrived.exists() and not await self._depot.bring(job):
                self._absent.add(job.id)
                return
            _end(arrived, paths)
            await self._depot.remove(job)

    async def _explain(self, pod: Mapping[str, Any], path: Path) -> None:
        """Say in the record why the cluster ended the pod, where it tells."""
        record = read_record(path) or {}
        if record.get("cause") == Cause.PREEMPTED:
            why = reasons.taken(pod, await self._objects.events(pod["metadata"]["uid"]))
            write_record(path, {**record, "message": why or record.get("message", "")})


def _end(arrived: Path, paths: JobPaths) -> None:
    # (whoever sees that the pod has ended may have been faster)
    with suppress(FileNotFoundError):
        arrived.replace(paths.exit)
