"""From a request to what travels: plan, bundle and spec."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from .bundle import Bundle, read_job_directory
from .bundle.blobs import BlobStore
from .bundle.statcache import StatCache
from .capture import CaptureRequest, plan_files
from .capture.plan import check_limit
from .capture.storing import store_plan
from .housekeeping import tidy, tidy_images_sometimes
from .paths import JobPaths, blob_directory, job_directory
from .spec import JobSpec

if TYPE_CHECKING:
    from .capture.plan import Plan, Preview
    from .config import Hybrid
    from .executors.base import Executor
    from .job import Job
    from .request import Request


def plan(request: Request, config: Hybrid) -> Plan:
    """What would travel, and why; reads file names and sizes, no contents.

    Raises ``BundleError`` where that is more than the configured limit, without what is excluded.
    """
    planned = plan_files(
        CaptureRequest(
            directory=request.directory,
            code=request.code,
            files=request.files,
            limit=sys.maxsize,
            notebook=request.notebook_path,
            language=request.language,
            exclude=(Path(config.directory),),
        )
    ).without(request.exclude)
    check_limit(planned, config.max_bundle_size)
    return planned


def make_bundle(request: Request, config: Hybrid) -> tuple[Bundle, Plan]:
    """The request as what travels; new file contents are stored by content."""
    planned = plan(request, config)
    root = config.home
    tidy(root)
    blobs = BlobStore(blob_directory(root))
    entries = store_plan(planned, blobs, StatCache(blob_directory(root)))
    bundle = Bundle(
        notebook=json.dumps(request.notebook, ensure_ascii=False).encode("utf-8", "surrogatepass"),
        files=entries,
        directories=planned.directories,
        links=planned.links,
        inputs=request.inputs,
    )
    return bundle, planned


def preview(planned: Plan, config: Hybrid) -> Preview:
    """Every file with its size, and how much of it no earlier job here had; writes nothing."""
    directory = blob_directory(config.home)
    if not directory.is_dir():
        # looking for what is there would make the directory
        return planned.preview()
    return planned.preview(BlobStore(directory), StatCache(directory))


def notes(request: Request, planned: Plan) -> tuple[str, ...]:
    """What the user should know: what was noticed, and what does not travel."""
    refused = [f"{item.path} does not travel: {item.reason}" for item in planned.refused]
    return (*request.notes, *planned.notes, *refused)


def make_spec(request: Request, target: str, planned: Plan, config: Hybrid) -> JobSpec:
    """The request as what is asked for."""
    return JobSpec(
        name=request.name,
        target=target,
        kind=request.kind,
        notebook_path=str(request.notebook_path) if request.notebook_path else None,
        kernel=request.kernel,
        language=request.language,
        parameters=request.parameters,
        cwd=planned.cwd,
        import_paths=planned.import_paths,
        shown_cells=request.shown_cells,
        source_cell=request.source_cell,
        image=image_of(request, config),
        env=request.env,
        resources=request.resources,
        grace=config.grace,
    )


def image_of(request: Request, config: Hybrid) -> str | None:
    """The image that is asked for, by the name that registries know."""
    return config.images.get(request.image, request.image) if request.image else None


async def describe(executor: Executor, spec: JobSpec, request: Request) -> str:
    """What a submit would ask of the place, and do with the image, in text for people."""
    asked = await executor.describe(spec)
    if not executor.image(spec) or not executor.adds_packages:
        return asked
    from .admission import environment_of

    needs = await asyncio.to_thread(environment_of, request)
    foreseen = await executor.foresee(spec, needs)
    if not asked:
        return foreseen
    # scripts and YAML stay what they are
    return asked + "".join(f"# {line}\n" for line in foreseen.splitlines())


async def admitted(
    executor: Executor,
    spec: JobSpec,
    bundle: Bundle,
    config: Hybrid,
    request: Request | None = None,
) -> tuple[Bundle, tuple[str, ...]]:
    """The bundle as it may leave, and what the user should know; as ``admission.admit``."""
    if not executor.image(spec) and not config.checks:
        return bundle, ()
    # only where there is something to look at: a job in no image starts in milliseconds
    from .admission import admit

    tidy_images_sometimes(config)
    return await admit(executor, spec, bundle, config, request)


def sent_directory(job: Job, config: Hybrid) -> Path:
    """The directory here that holds what the job travelled with, wherever it ran."""
    own = job_directory(config.home, job.id)
    return own if JobPaths(own).spec.exists() else Path(job.directory)


def read_bundle(job: Job, config: Hybrid, exclude: Collection[str] = ()) -> Bundle:
    """What an earlier job travelled with, without these of its files, to be sent once more."""
    bundle = read_job_directory(sent_directory(job, config))
    if not exclude:
        return bundle
    left = frozenset(exclude)
    return replace(bundle, files=tuple(file for file in bundle.files if file.path not in left))
