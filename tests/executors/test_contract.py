"""What every executor promises, on the real thing.

A new place adds a fixture parameter here and gets the whole suite.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import bases
import hpc
import kube
import pytest
from hpc import Cluster
from jobs import a_job, until
from kube import Kubernetes

from jupyter_hybrid.bundle import Bundle
from jupyter_hybrid.containers.endpoints import RegistrySettings
from jupyter_hybrid.errors import PlaceError, ResultError
from jupyter_hybrid.events import Kind, parse_events
from jupyter_hybrid.executors.base import Executor, TargetConfig
from jupyter_hybrid.executors.registry import load_executor
from jupyter_hybrid.job import Job, State, new_job_id
from jupyter_hybrid.paths import JobPaths
from jupyter_hybrid.spec import Cause, Resources

pytestmark = pytest.mark.timeout(600)


def _place(name: str, needs: tuple[str, ...]) -> Any:
    return pytest.param(name, marks=pytest.mark.needs(*needs))


PLACES = [
    "local",
    _place("podman", bases.NEEDS),
    _place("slurm", hpc.NEEDS),
    _place("kubernetes", kube.NEEDS),
    # the same with the code as layers on the image, in a registry
    _place("kubernetes-push", kube.NEEDS),
]


@pytest.fixture(params=PLACES)
async def executor(request: pytest.FixtureRequest, environment: Path) -> AsyncIterator[Executor]:
    name, root, options = request.param, environment, {}
    registries = None
    if name == "podman":
        image = request.getfixturevalue("base_image")("ngc")
        name, options = "local", {"engine": "podman", "image": image}
    if name == "slurm":
        cluster: Cluster = request.getfixturevalue("cluster")
        root, options = Path("~/contract"), cluster.options()
    if name.startswith("kubernetes"):
        found: Kubernetes = request.getfixturevalue("kubernetes")
        options = found.target()
        if name == "kubernetes-push":
            if kube.FOREIGN:
                pytest.skip("writes to the lab's registry")
            registries = RegistrySettings(
                registry_mirrors={"nvcr.io": f"http://{found.registry}"},
                insecure_registries=[found.registry],
            )
            options["push"] = f"{found.registry}/contract"
        name = "kubernetes"
    target = TargetConfig(
        name=name,
        executor=name,
        root=root,
        home=environment,
        options=options,
        registries=registries,
    )
    executor = load_executor(target)
    yield executor
    try:
        for job in JOBS:
            await executor.cancel(job, force=True)
            await executor.cleanup(job)
    finally:
        JOBS.clear()
        if name == "slurm":
            hpc.hang_up(executor.transport)


#: Jobs to be ended after the test, whatever became of it.
JOBS: list[Job] = []


def job_for(executor: Executor, *sources: str, **resources: float) -> tuple[Job, Bundle]:
    target = executor.target
    return a_job(target.root, *sources, home=target.home, **resources)


async def started(executor: Executor, *sources: str, **resources: float) -> Job:
    job, bundle = job_for(executor, *sources, **resources)
    async for handle in executor.submit(job, bundle):
        job = replace(job, handle=handle)
        JOBS[:] = [*(j for j in JOBS if j.id != job.id), job]
    return job


async def state(executor: Executor, job: Job) -> State | None:
    status = (await executor.poll([job])).get(job.id)
    return status.state if status and not status.missing else None


async def ended(executor: Executor, job: Job, expected: State) -> None:
    async def final() -> bool:
        current = await state(executor, job)
        return bool(current and current.final)

    await until(final)
    assert await state(executor, job) is expected


async def events(executor: Executor, job: Job) -> list[str]:
    content = b""
    while chunk := await executor.read(job, "events.jsonl", len(content)):
        content += chunk
    found, _ = parse_events(content)
    return [event.kind for event in found]


async def test_a_job_goes_through_its_states_and_leaves_its_results(
    executor: Executor, tmp_path: Path
) -> None:
    job = await started(executor, "print('hello')", "open('out.txt', 'w').write('x')")
    assert json.loads(json.dumps(job.handle)) == job.handle
    await ended(executor, job, State.COMPLETED)
    kinds = await events(executor, job)
    assert kinds[0] == Kind.STARTED and kinds[-1] == Kind.FINISHED
    assert kinds.count(Kind.CELL_END) == 2
    paths = JobPaths(await executor.fetch(job, tmp_path / "results"))
    assert "hello" in paths.result.read_text()
    assert (paths.work / "out.txt").read_text() == "x"


async def test_a_cell_that_raises_fails_the_job_with_its_traceback(executor: Executor) -> None:
    job = await started(executor, "print('before')", "1 / 0", "print('never')")
    await ended(executor, job, State.FAILED)
    record = (await executor.poll([job]))[job.id].exit
    assert record is not None
    assert (record.cause, record.ename, record.cell_id) == (
        Cause.CELL_ERROR,
        "ZeroDivisionError",
        "c1",
    )
    assert any("1 / 0" in line or "division" in line for line in record.traceback)


async def test_the_first_handle_comes_before_anything_runs(executor: Executor) -> None:
    """A submitter that dies over it leaves nothing running, and another one can go on."""
    job, bundle = job_for(executor, "open('ran', 'a').write('x')")
    handles = executor.submit(job, bundle)
    named = replace(job, handle=await anext(handles))
    JOBS.append(named)
    await handles.aclose()  # type: ignore[attr-defined]
    assert json.loads(json.dumps(named.handle)) == named.handle
    status = (await executor.poll([named])).get(job.id)
    # what has been started by now would have been started before anybody could cancel it
    assert status is None or (status.missing and not status.started)
    assert await executor.read(named, "events.jsonl", 0) == b""
    async for handle in executor.submit(job, bundle):
        named = replace(job, handle=handle)
    await ended(executor, named, State.COMPLETED)
    assert (await events(executor, named)).count(Kind.STARTED) == 1


async def test_a_job_of_which_there_is_only_the_first_handle_can_be_cancelled(
    executor: Executor,
) -> None:
    job, bundle = job_for(executor, "import time; time.sleep(600)")
    named = None
    async for handle in executor.submit(job, bundle):
        named = named or replace(job, handle=handle)
    assert named is not None
    JOBS.append(named)
    await executor.cancel(named, force=True)
    await ended(executor, named, State.CANCELLED)


async def test_a_submit_cut_off_after_its_start_is_adopted(executor: Executor) -> None:
    job, bundle = job_for(executor, "import time; time.sleep(60)")
    last = None
    async for handle in executor.submit(job, bundle):
        last = handle
    JOBS.append(replace(job, handle=last))
    again = None
    async for handle in executor.submit(job, bundle):
        again = handle
    assert again == last
    # and a poll finds it without any handle
    status = (await executor.poll([job]))[job.id]
    assert status.handle is not None and not status.missing


async def test_two_submitters_at_once_start_one_job(executor: Executor) -> None:
    job, bundle = job_for(executor, "open('ran', 'a').write('x')")
    JOBS.append(job)

    async def submit() -> None:
        async for _ in executor.submit(job, bundle):
            pass

    await asyncio.gather(submit(), submit(), submit())
    await ended(executor, job, State.COMPLETED)
    assert (await events(executor, job)).count(Kind.STARTED) == 1


async def test_cancel_is_polite_and_idempotent(executor: Executor, tmp_path: Path) -> None:
    job = await started(
        executor, "import time\nfor n in range(600):\n    print('tick', n)\n    time.sleep(0.1)"
    )

    async def ticked() -> bool:
        return b"tick 2" in await executor.read(job, "events.jsonl", 0)

    await until(ticked)
    await executor.cancel(job)
    await executor.cancel(job)
    await ended(executor, job, State.CANCELLED)
    await executor.cancel(job)
    paths = JobPaths(await executor.fetch(job, tmp_path / "results"))
    assert "tick 2" in paths.result.read_text()


async def test_cancel_by_force_ends_a_job_that_does_not_listen(executor: Executor) -> None:
    source = (
        "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('deaf')\n"
        "while True: time.sleep(1)"
    )
    job = await started(executor, source)

    async def deaf() -> bool:
        return b"deaf" in await executor.read(job, "events.jsonl", 0)

    await until(deaf)
    await executor.cancel(job, force=True)
    await ended(executor, job, State.CANCELLED)


async def test_the_wall_time_ends_a_job_and_keeps_its_outputs(
    executor: Executor, tmp_path: Path
) -> None:
    job = await started(executor, "import time\nprint('early')\ntime.sleep(600)", time=2.0)
    await ended(executor, job, State.FAILED)
    record = (await executor.poll([job]))[job.id].exit
    assert record is not None and record.cause == Cause.WALL_TIME
    paths = JobPaths(await executor.fetch(job, tmp_path / "results"))
    assert "early" in paths.result.read_text()


async def test_reading_is_confined_and_knows_no_missing_files(executor: Executor) -> None:
    job = await started(executor, "print(1)")
    assert await executor.read(job, "nothing", 0) == b""
    with pytest.raises(PlaceError, match="not a file of the job"):
        await executor.read(job, "../../secret", 0)
    with pytest.raises(PlaceError, match="not a file of the job"):
        await executor.read(job, "/etc/passwd", 0)
    await ended(executor, job, State.COMPLETED)


async def test_a_job_the_place_never_saw(executor: Executor, tmp_path: Path) -> None:
    job, _ = job_for(executor, "print(1)")
    status = (await executor.poll([job])).get(job.id)
    assert status is None or status.missing
    await executor.cancel(job)
    await executor.cancel(job, force=True)
    await executor.cleanup(job)
    with pytest.raises(ResultError):
        await executor.fetch(job, tmp_path)


async def test_cleanup_leaves_nothing_and_can_be_repeated(executor: Executor) -> None:
    job = await started(executor, "import os; os.mkdir('d'); os.chmod('d', 0)")
    await ended(executor, job, State.COMPLETED)
    await executor.cleanup(job)
    await executor.cleanup(job)
    assert await executor.read(job, "events.jsonl", 0) == b""


async def test_offers_name_the_target(executor: Executor) -> None:
    offers = await executor.offers(Resources())
    assert offers and all(offer.target == executor.target.name for offer in offers)
    assert all(offer.hardware for offer in offers)


def test_ids_are_new() -> None:
    assert new_job_id() != new_job_id()
