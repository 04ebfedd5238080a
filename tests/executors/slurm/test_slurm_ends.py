"""How jobs end where nothing is broken: cancelled, refused, requeued, out of time or memory."""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path
from typing import Any

import pytest
from hpc import NEEDS, Cluster
from jobs import until
from slurm_jobs import TICKS, User

from jupyter_hybrid.errors import PlaceError, UsageError
from jupyter_hybrid.executors.slurm import status
from jupyter_hybrid.job import Job, State
from jupyter_hybrid.spec import Cause, Resources

pytestmark = [pytest.mark.needs(*NEEDS), pytest.mark.timeout(600)]


async def test_somebody_else_cancels(user: User) -> None:
    job = await user.submit(TICKS.format(600))
    await user.says(job, "tick 2")
    user.cluster.on("hpc-login", "scancel", "--user", user.cluster.user)
    ended, text = await user.follow(job)
    assert (ended.state, "tick 2" in text) == (State.CANCELLED, True)
    assert "not from here" in ended.reason or "somebody else" in ended.reason


async def test_a_waiting_job_says_why_and_is_cancelled(user: User) -> None:
    holds = [await user.submit(TICKS.format(6000), gpus=2, gpu_type="p100")]
    await user.says(holds[0], "tick")
    job = await user.submit("1", gpus=1, gpu_type="p100")

    async def explained() -> Job | None:
        user.executor.queue.forget()
        now = await user.manager.status(job.id)
        return now if now.reason.startswith("waiting for 1 p100:") else None

    waits = await until(explained)
    assert waits.state is State.PENDING
    (offer,) = await user.executor.offers(Resources(gpus=1, gpu_type="p100"))
    assert "0 of 1 nodes free, 0 of 2 p100 free" in offer.note and not offer.free_now
    # (others in the cluster may wait for it as well)
    assert re.search(r"\d jobs? waiting", offer.note)
    ended = await user.manager.cancel(job.id)
    assert (await user.state(ended, State.CANCELLED)).started_at is not None
    await user.manager.cancel(holds[0].id)
    await user.state(holds[0], State.CANCELLED)


async def test_too_much_memory(user: User) -> None:
    job = await user.submit(
        "print('before')\nx = bytearray(900 << 20)\nprint('after')", mem=400 << 20
    )
    ended, text = await user.follow(job)
    assert ended.state is State.FAILED and ended.exit is not None
    assert (ended.exit.cause, text) == (Cause.OUT_OF_MEMORY, "before\n")


async def test_too_much_memory_for_slurm(user: User) -> None:
    """Nobody asked for any: the site's default is what the job has, and the kernel kills."""
    if "freezer" not in Path("/proc/self/cgroup").read_text():
        pytest.skip("needs cgroup v1 with the memory controller")
    source = "print('before', flush=True)\nimport time; time.sleep(1)\n"
    job = await user.submit(source + "x = bytearray(900 << 20)\nprint('after')")
    ended, text = await user.follow(job)
    assert ended.state is State.FAILED and ended.exit is not None
    assert (ended.exit.cause, text) == (Cause.OUT_OF_MEMORY, "before\n"), ended.reason
    assert "ask for more with --mem" in ended.reason.lower()


async def test_what_sbatch_refuses_is_told_before_anything_waits(
    cluster_alone: Cluster, tmp_path: Path
) -> None:
    for options, words in (
        ({"partition": "nosuch"}, "partition 'nosuch', which the cluster does not have"),
        ({"account": "nosuch"}, "the account 'nosuch' may not be used"),
        ({"qos": "nosuch"}, "the QOS 'nosuch' may not be used"),
        ({"constraint": "nosuch"}, "no node has the feature 'nosuch'"),
    ):
        user = User(cluster_alone, tmp_path, **options)
        with pytest.raises((UsageError, PlaceError), match=words):
            await user.submit("1")
        for job in user.manager.jobs():
            assert job.state is State.FAILED and words in job.reason
            user.manager.store.delete(job.id)
        user.executor.transport.close()


async def test_a_requeued_job_begins_again_and_says_so(cluster: Cluster, tmp_path: Path) -> None:
    user = User(cluster, tmp_path, requeue=True)
    source = "import pathlib\nseen = pathlib.Path('~/faults/seen').expanduser()\n"
    source += "again = seen.exists()\nseen.touch()\n" + TICKS.format("600 if not again else 5")
    try:
        job = await user.submit(source)
        await user.says(job, "tick 2")
        await user.state(job, State.RUNNING)
        following = asyncio.create_task(user.follow(job))
        number = cluster.jobs()[0].split()[0]
        cluster.on("hpc-login", "scontrol", "requeue", number)
        waits = await user.state(job, State.PENDING)
        assert "it starts again" in waits.reason or "put back" in waits.reason
        # Slurm lets two minutes pass; in the second in which it was killed, the node takes the job
        # for the killed one ("already killed, do not launch batch job")
        cluster.on("hpc-login", "scontrol", "update", f"jobid={number}", "starttime=now+2")
        ended, text = await following
        assert ended.state is State.COMPLETED, ended.reason
        assert "has started this job again (attempt 2)" in text
        # what the first attempt printed was shown; the record is the second's
        assert text.count("tick 1\n") == 2
        assert str(await user.manager.notebook(job.id)).count("tick 1") == 1
    finally:
        await user.leave()


async def test_cancelled_while_it_waits_to_begin_again(cluster: Cluster, tmp_path: Path) -> None:
    user = User(cluster, tmp_path, requeue=True)
    try:
        job = await user.submit(TICKS.format(600))
        await user.says(job, "tick 2")
        await user.state(job, State.RUNNING)
        cluster.on("hpc-login", "scontrol", "requeue", cluster.jobs()[0].split()[0])
        await user.state(job, State.PENDING)
        # the record of the first attempt, which comes by now, does not stand for the second's
        await user.manager.cancel(job.id)
        await user.state(job, State.CANCELLED)
        await until(lambda: not cluster.jobs())
    finally:
        await user.leave()


async def test_the_record_of_the_first_attempt_is_not_taken_for_the_seconds(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look at the record and Slurm's answer, the second attempt runs to its end."""
    user = User(cluster, tmp_path, requeue=True)
    source = "import pathlib\nseen = pathlib.Path('~/faults/seen').expanduser()\n"
    source += "again = seen.exists()\nseen.touch()\n" + TICKS.format("600 if not again else 1")
    rows, number = user.executor.queue.rows, ""

    async def late(*asked: Any, **more: Any) -> Any:
        monkeypatch.setattr(user.executor.queue, "rows", rows)
        await until(lambda: "PENDING" in "".join(cluster.jobs()))
        cluster.on("hpc-login", "scontrol", "update", f"jobid={number}", "starttime=now+2")
        await until(lambda: not cluster.jobs())
        return await rows(*asked, **more)

    try:
        job = await user.submit(source)
        await user.says(job, "tick 2")
        number = cluster.jobs()[0].split()[0]
        cluster.on("hpc-login", "scontrol", "requeue", number)
        record = f"jobs/{job.id}/exit.json"
        await until(lambda: user.executor.transport.read(record))
        monkeypatch.setattr(user.executor.queue, "rows", late)
        with monkeypatch.context() as patience:
            # a full machine may take longer for the second attempt than files take to be seen
            patience.setattr(status, "SHARED", 120.0)
            assert (await user.executor.poll([job])).get(job.id) is None
        ended, text = await user.follow(job)
        assert ended.state is State.COMPLETED, ended.reason
        assert "has started this job again (attempt 2)" in text
    finally:
        await user.leave()


async def test_slurms_time_is_nearly_up_and_everything_is_saved(
    cluster: Cluster, tmp_path: Path
) -> None:
    user = User(cluster, tmp_path, sbatch=["--time=1"])
    try:
        job = await user.submit("open('half.txt', 'w').write('x')", TICKS.format(6000))
        ended, text = await user.follow(job)
        assert ended.exit is not None and ended.exit.cause == Cause.WALL_TIME, ended.reason
        assert "ask for more with --time" in ended.reason.lower()
        assert "tick 0" in text and "tick 0" in str(await user.manager.notebook(job.id))
        await user.manager.fetch(job.id)
        assert (tmp_path / "half.txt").read_text() == "x"
    finally:
        await user.leave()


@pytest.mark.parametrize("ahead", [-600.0, 600.0])
async def test_the_clock_here_is_ten_minutes_off(
    user: User, ahead: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = time.time
    monkeypatch.setattr(time, "time", lambda: clock() + ahead)
    ended, text = await user.follow(await user.submit(TICKS.format(20)))
    assert (ended.state, text.count("tick")) == (State.COMPLETED, 20), ended.reason
    assert ended.exit is not None and 1.5 < (ended.exit.seconds or 0.0) < 60.0
    assert ended.started_at is not None and ended.finished_at is not None
    assert ended.created_at <= ended.started_at <= ended.finished_at <= time.time()
