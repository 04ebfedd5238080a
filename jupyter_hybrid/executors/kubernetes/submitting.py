"""Make a job's objects at the cluster, each once, however often and by whomever it is tried."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...bundle import Bundle
from ...errors import ImageError, PlaceError, UsageError
from ...job import Job
from ...paths import JobPaths, blob_directory
from ...spec import JobSpec
from ..base import TargetConfig
from ..records import read_exit, write_record
from . import delivery
from .api import Api, ApiError
from .manifest import Inside, Plan, make_job, make_secret, owned_by
from .names import job_name
from .offers import models
from .ranks import by_index, make_service
from .session import DELIVERED, Session
from .settings import Settings, clients

if TYPE_CHECKING:
    from .imaging import Imaging

#: Attempts to create an object while the server does not answer, and seconds before the second.
ATTEMPTS, PAUSE = 4, 0.5


class Submitting:
    """Creates the objects of one target's jobs."""

    def __init__(self, api: Api, target: TargetConfig, settings: Settings) -> None:
        self._api, self._target, self._settings = api, target, settings
        self._imaging: Imaging | None = None

    @property
    def imaging(self) -> Imaging:
        """Where the jobs' images are made."""
        if self._imaging is None:
            # (registries, packages: nothing that other targets need)
            from .imaging import Imaging

            also = clients(self._settings.results) if self._settings.results else ()
            self._imaging = Imaging(self._target, self._settings.push or "", also)
        return self._imaging

    def image(self, spec: JobSpec) -> str:
        """The job's own image, else the target's; raises ``ImageError`` where there is neither."""
        image = spec.image or self._settings.image
        if not image:
            raise ImageError(
                f"{self._target.name} runs jobs in images: name one with --image, or add 'image' "
                "to the target"
            )
        return image

    async def create(self, session: Session, job: Job, bundle: Bundle) -> Mapping[str, Any]:
        """The job's Job: the one that is there, or a new one. Raises ``PlaceError``."""
        base, paths = f"/namespaces/{self._api.namespace}", JobPaths(Path(job.directory))
        if read_exit(paths) is not None or paths.cancel.exists():
            raise PlaceError(f"job {job.id} was ended meanwhile")
        found: Mapping[str, Any] | None = None
        with contextlib.suppress(ApiError):
            found = await self._api.get(session.objects.job_path(job))
        if found is not None:
            # (whoever made it may have been broken off before these were its own)
            with contextlib.suppress(ApiError):
                await self._own(job, found, ("secrets", "services"))
            return found
        inside = await self._laid_out(session, job, bundle)
        small = await self._small(inside, job, bundle)
        if small is not None:
            secret = make_secret(job.id, small, self._settings)
            try:
                await self._create_once(f"/api/v1{base}/secrets", secret)
            except ApiError as error:
                if error.code != 403:
                    raise
                small = None
        if small is None and job.spec.resources.nodes > 1:
            raise UsageError(
                f"{self._target.name} brings the files of jobs on several nodes in a Secret, which "
                "these do not fit into (or may not be made); set the target's 'push', or send less"
            )
        plan = await self.plan(job.spec, inside, small=small is not None)
        owned = ["secrets"] if small is not None else []
        if by_index(job.spec.resources, plan.minor):
            await self._create_once(f"/api/v1{base}/services", make_service(job))
            owned.append("services")
        made = make_job(job, self._settings, plan)
        created = await self._create_once(f"/apis/batch/v1{base}/jobs", made)
        if small is not None:
            write_record(paths.directory / DELIVERED, {"pod": ""})
        await self._own(job, created, owned)
        return created

    async def _own(self, job: Job, created: Mapping[str, Any], kinds: Sequence[str]) -> None:
        """Let what was made for the Job go with it; what is not there (any more) need not."""
        for kind in kinds:
            path = f"/api/v1/namespaces/{self._api.namespace}/{kind}/{job_name(job.id)}"
            for attempt in range(ATTEMPTS):
                try:
                    await self._api.patch(path, owned_by(created))
                except ApiError as error:
                    if error.code == 404:
                        break
                    if not error.transient or attempt == ATTEMPTS - 1:
                        raise
                    await asyncio.sleep(PAUSE * 2**attempt)
                else:
                    break

    async def _create_once(self, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Create the object, or find the one of that name."""
        for attempt in range(ATTEMPTS):
            try:
                created: Mapping[str, Any] = await self._api.post(path, body)
                return created
            except ApiError as error:
                if error.code == 409 and error.reason == "AlreadyExists":
                    if not path.endswith("/jobs"):
                        # made by us; who may make a Secret may perhaps not read one
                        return body
                    name = body["metadata"]["name"]
                    found: Mapping[str, Any] = await self._api.get(f"{path}/{name}")
                    return found
                if not error.transient or attempt == ATTEMPTS - 1:
                    raise
                # it may have come through all the same: then the name is taken
                await asyncio.sleep(PAUSE * 2**attempt)
        raise AssertionError

    async def _laid_out(self, session: Session, job: Job, bundle: Bundle) -> Inside:
        """Have what does not come by itself where pods find it: on a volume, or in an image."""
        if self._settings.push:
            made = await self.imaging.made(self.image(job.spec), job.spec, bundle)
            await asyncio.to_thread(session.places.note, job, made)
        elif session.places.shared:
            await asyncio.to_thread(session.places.share, bundle)
        return session.places.inside(job)

    async def _small(self, inside: Inside, job: Job, bundle: Bundle) -> bytes | None:
        """The bundle as one tar, where it fits into a Secret."""
        if "job" in inside.there:
            return None
        blobs = blob_directory(self._target.home or self._target.root)
        parcel = delivery.Parcel(Path(job.directory), blobs, bundle, inside.there)
        return await asyncio.to_thread(delivery.small, parcel)

    async def plan(self, spec: JobSpec, inside: Inside, *, small: bool) -> Plan:
        """What is decided before the Job is made."""
        liked: Sequence[str] = ()
        if spec.resources.gpus and spec.resources.gpu_type:
            liked = await self._models(spec.resources.gpu_type)
        return Plan(
            image=self.image(spec),
            gpu_models=liked,
            receiver=delivery.receiver(),
            small=small,
            inside=inside,
            minor=await self._api.minor(),
        )

    async def _models(self, gpu_type: str) -> list[str]:
        try:
            nodes = (await self._api.get("/api/v1/nodes"))["items"]
        except ApiError as error:
            if error.code != 403:
                raise
            return [self._settings.gpu_models.get(w, w) for w in gpu_type.split(",")]
        label = self._settings.gpu_label
        known = [node["metadata"].get("labels", {}).get(label, "") for node in nodes]
        return models(gpu_type, self._settings, known)
