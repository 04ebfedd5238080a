"""Lines that are slow or gone, places that clear up: what is sent arrives, what is here stays."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from hpc import NEEDS, hang_up
from jobs import until
from slurm_jobs import User

from jupyter_hybrid.errors import PlaceError, ResultError
from jupyter_hybrid.executors import slurm
from jupyter_hybrid.executors.shipping import ship
from jupyter_hybrid.job import Job, State
from jupyter_hybrid.spec import Cause

pytestmark = [pytest.mark.needs(*NEEDS), pytest.mark.timeout(300)]

#: A cell that leaves a file which does not fit into one message.
LARGE = "import os\nwith open('large', 'wb') as file:\n    file.write(os.urandom(40 << 20))"


def impatient(user: User) -> None:
    """A job that is not known for this long is lost."""
    user.manager.config = replace(user.manager.config, lost_after=0.4)


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Nothing gets through before it is set."""
    free = asyncio.Event()

    async def slow(*args: Any) -> Any:
        await free.wait()
        return await ship(*args)

    monkeypatch.setattr(slurm, "ship", slow)
    return free


async def on_its_way(user: User) -> tuple[asyncio.Task[Job], Job]:
    """A submit that has not got through, and its job."""
    impatient(user)
    submitting = asyncio.create_task(user.submit("print('there')"))
    (job,) = await until(user.manager.store.unfinished)
    return submitting, job


async def test_a_job_whose_files_are_on_their_way_is_not_given_up(
    user: User, line: asyncio.Event
) -> None:
    submitting, job = await on_its_way(user)
    for _ in range(30):
        await asyncio.sleep(0.1)
        await user.manager.reconcile()
    job = user.manager.get(job.id)
    assert (job.state, job.missing_seen) == (State.CREATED, 0)
    line.set()
    ended, text = await user.follow(await submitting)
    assert (ended.state, text) == (State.COMPLETED, "there\n")


async def test_who_cancels_a_job_that_is_being_sent_does_not_wait_for_its_files(
    user: User, line: asyncio.Event
) -> None:
    submitting, job = await on_its_way(user)
    await user.manager.cancel(job.id)
    job = await user.state(job, State.CANCELLED)
    line.set()
    with pytest.raises(PlaceError, match="ended meanwhile"):
        await submitting
    assert not user.cluster.jobs()


async def test_a_submit_that_was_interrupted_gives_its_key_back(
    user: User, line: asyncio.Event
) -> None:
    submitting, job = await on_its_way(user)
    await user.manager._keeper.change(job, lambda j: j.evolve(submit_key="from a dialog"))
    submitting.cancel()
    await asyncio.wait([submitting])
    job = await user.state(job, State.FAILED)
    assert job.exit is not None and job.exit.cause == Cause.SUBMIT_INTERRUPTED
    # whoever sends it again has another job, not this one
    assert job.submit_key == "" and user.manager.store.submitted("from a dialog") is None


async def test_results_that_are_here_outlive_their_place(user: User) -> None:
    job, _ = await user.follow(await user.submit("open('made', 'w').write('once')"))
    directory = await user.manager.result_directory(job)
    user.cluster.ssh(f"rm -rf ~/faults/jobs/{job.id}")
    assert await user.manager.result_directory(job) == directory
    assert (directory / "work" / "made").read_text() == "once"
    assert "made" in str(await user.manager.notebook(job.id))
    hang_up(user.executor.transport)
    user.executor.transport._program = ("false",)  # type: ignore[attr-defined]
    assert await user.manager.result_directory(job) == directory
    assert "made" in str(await user.manager.notebook(job.id))


async def test_results_that_are_nowhere_are_said_to_be_gone(user: User) -> None:
    job, _ = await user.follow(await user.submit("print('gone')"))
    user.cluster.ssh(f"rm -rf ~/faults/jobs/{job.id}")
    with pytest.raises(ResultError, match="gone"):
        await user.manager.result_directory(job)


async def test_several_may_ask_for_the_same_results_at_once(user: User) -> None:
    job, _ = await user.follow(await user.submit(LARGE))
    found = await asyncio.gather(*(user.manager.result_directory(job) for _ in range(3)))
    assert (found[0] / "work" / "large").stat().st_size == 40 << 20
    assert not list(found[0].rglob("*.part"))
