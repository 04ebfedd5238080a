"""What goes wrong on clusters, for real: right state, right words, nothing lost or doubled."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hpc import NEEDS, Cluster, restart
from jobs import until
from slurm_jobs import TICKS, User

from jupyter_hybrid.errors import PlaceError
from jupyter_hybrid.executors.slurm import queue
from jupyter_hybrid.job import State
from jupyter_hybrid.spec import Cause, Resources

pytestmark = [pytest.mark.needs(*NEEDS), pytest.mark.timeout(600)]


@pytest.fixture
def user(lone_user: User) -> User:
    return lone_user


def daemon(cluster: Cluster, node: str, name: str, *, up: bool) -> None:
    """End one of the cluster's programs, or bring it back.

    All are killed but the controller: it saves its state every few seconds only, and one that was
    killed gives the numbers of jobs that it has forgotten to others, which nodes refuse.
    """
    if up:
        cluster.on(node, "hpc-init", "start", name)
        return
    signal = "TERM" if name == "slurmctld" else "KILL"
    cluster.on(node, "sh", "-c", f"pkill -{signal} -x {name}; while pgrep -x {name}; do :; done")


async def answers(cluster: Cluster) -> None:
    await until(lambda: "UP" in cluster.on("hpc-login", "sh", "-c", "scontrol ping || true"))


async def test_the_controller_restarts_while_a_job_runs(user: User) -> None:
    job = await user.submit(TICKS.format(60))
    await user.says(job, "tick 3")
    following = asyncio.create_task(user.follow(job))
    daemon(user.cluster, "hpc-login", "slurmctld", up=False)
    await asyncio.sleep(2)
    daemon(user.cluster, "hpc-login", "slurmctld", up=True)
    await answers(user.cluster)
    ended, text = await following
    assert ended.state is State.COMPLETED and text.count("tick") == 60


async def test_a_submit_waits_for_the_controller(user: User) -> None:
    await user.executor.offers(Resources())
    daemon(user.cluster, "hpc-login", "slurmctld", up=False)
    submitting = asyncio.create_task(user.submit("print('once')"))
    await asyncio.sleep(3)
    daemon(user.cluster, "hpc-login", "slurmctld", up=True)
    await answers(user.cluster)
    ended, text = await user.follow(await submitting)
    assert (ended.state, text) == (State.COMPLETED, "once\n")


async def test_accounting_is_down(user: User) -> None:
    daemon(user.cluster, "hpc-login", "slurmdbd", up=False)
    try:
        ended, text = await user.follow(await user.submit("print('counted later')"))
        assert (ended.state, text) == (State.COMPLETED, "counted later\n")
        job = await user.submit(TICKS.format(6000))
        await user.says(job, "tick")
        user.cluster.on("hpc-login", "scancel", "--user", user.cluster.user)
        ended, _ = await user.follow(job)
        assert ended.state is State.CANCELLED
    finally:
        daemon(user.cluster, "hpc-login", "slurmdbd", up=True)
        await until(
            lambda: user.cluster.on("hpc-login", "sh", "-c", "sacctmgr -n show cluster || true")
        )


async def test_a_node_fails(user: User) -> None:
    job = await user.submit(TICKS.format(6000), gpus=1, gpu_type="p100")
    await user.says(job, "tick 3")
    daemon(user.cluster, "p100-01", "slurmd", up=False)
    down = "scontrol update nodename=p100-01 state=DOWN reason=test"
    user.cluster.on("hpc-login", *down.split())
    try:
        ended, text = await user.follow(job)
        assert ended.state is State.FAILED and "tick 3" in text
        assert "NODE_FAIL" in ended.reason and "p100-01" in ended.reason
        assert "tick 3" in str(await user.manager.notebook(job.id))
    finally:
        daemon(user.cluster, "p100-01", "slurmd", up=True)
        up = "scontrol update nodename=p100-01 state=RESUME"
        await until(lambda: "idle" in idle(user.cluster, up))


async def test_a_job_with_more_rights_takes_its_place(user: User) -> None:
    cluster = user.cluster
    if "partition_prio" not in cluster.on("hpc-login", "scontrol", "show", "config"):
        # another checkout has started it, with a configuration of its own
        restart(cluster)
    partition = "partitionname=urgent"
    create = f"scontrol create {partition} nodes=p100-01 prioritytier=10 hidden=yes"
    cluster.on("hpc-login", *create.split())
    try:
        job = await user.submit(TICKS.format(6000), gpus=2, gpu_type="p100")
        await user.says(job, "tick 3")
        cluster.ssh("sbatch -p urgent --gres=gpu:p100:2 -o /dev/null --wrap 'sleep 1'")
        ended, text = await user.follow(job)
        assert ended.state is State.FAILED and ended.exit is not None
        assert ended.exit.cause == Cause.PREEMPTED and "tick 3" in text
        assert "a job with more rights took its place" in ended.reason
        assert "tick 3" in str(await user.manager.notebook(job.id))
    finally:
        await until(lambda: not cluster.jobs())
        cluster.on("hpc-login", "scontrol", "delete", partition)


def idle(cluster: Cluster, command: str) -> str:
    cluster.on("hpc-login", "sh", "-c", f"{command} 2>/dev/null || true")
    return cluster.on("hpc-login", "sinfo", "-h", "-n", "p100-01", "-o", "%T")


@pytest.fixture
def fake(user: User) -> Iterator[Callable[[str, str], None]]:
    """Puts a program of this name before Slurm's own on the login node, until the test ends."""
    cluster = user.cluster
    path = f"/home/{cluster.user}/fake:/usr/local/bin:/usr/bin:/bin"
    cluster.restart_sshd("-o", f"SetEnv=PATH={path}")

    def write(name: str, script: str) -> None:
        text = f"#!/bin/sh\n# test fixture: Slurm's own is called with what the test adds\n{script}"
        command = f"mkdir -p ~/fake; cat > ~/fake/{name}; chmod +x ~/fake/{name}"
        cluster.ssh(command, input=text)

    yield write
    cluster.restart_sshd()


async def test_sbatch_answers_an_error_after_accepting(user: User, fake: Any) -> None:
    fake(
        "sbatch",
        '/usr/bin/sbatch "$@" >/dev/null\necho "sbatch: error: Socket timed out" >&2\nexit 1\n',
    )
    ended, text = await user.follow(await user.submit("print('once')"))
    assert (ended.state, text) == (State.COMPLETED, "once\n")
    asked = ("sacct", "-n", "-X", "-u", user.cluster.user, "-o", "jobname%60")
    deadline = time.monotonic() + 90.0
    # accounting hears of a job some time after its end
    while not (times := user.cluster.on("hpc-login", *asked).count(ended.id)):
        assert time.monotonic() < deadline, "accounting does not know the job"
        await asyncio.sleep(0.2)
    assert times == 1


async def test_squeue_warns_hangs_and_says_nothing(
    user: User, fake: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake("squeue", 'echo "a warning: this cluster is loved"\nexec /usr/bin/squeue "$@"\n')
    job = await user.submit(TICKS.format(6000))
    await user.says(job, "tick")
    assert (await user.state(job, State.RUNNING)).state is State.RUNNING
    fake("squeue", "sleep 100\n")
    user.executor.queue.forget()
    with monkeypatch.context() as patch:
        # (what answers may take longer on a full machine)
        patch.setattr(queue, "PATIENCE", 1.0)
        with pytest.raises(PlaceError, match="squeue on hpc did not answer for 1 seconds"):
            await user.executor.poll([job])
        assert (await user.manager.status(job.id)).state is State.RUNNING
    fake("squeue", "exit 0\n")
    user.executor.queue.forget()
    status = (await user.executor.poll([job])).get(job.id)
    # accounting knows it
    assert status is None or (status.state is State.RUNNING and not status.missing)
    fake("squeue", 'exec /usr/bin/squeue "$@"\n')
    await user.manager.cancel(job.id)
    assert (await user.state(job, State.CANCELLED)).state is State.CANCELLED


async def test_sshd_dies_in_every_phase(user: User) -> None:
    (user.folder / "data.bin").write_bytes(bytes(range(256)) * 40_000)
    submitting = asyncio.create_task(user.submit("open('data.bin').close()\n" + TICKS.format(40)))
    for _ in range(3):
        await asyncio.sleep(0.15)
        await asyncio.to_thread(user.cluster.restart_sshd)
    job = await submitting
    following = asyncio.create_task(user.follow(job))
    for _ in range(3):
        await asyncio.sleep(1.0)
        await asyncio.to_thread(user.cluster.restart_sshd)
    ended, text = await following
    assert ended.state is State.COMPLETED
    assert [line for line in text.splitlines() if line] == [f"tick {n}" for n in range(40)]
    await asyncio.to_thread(user.cluster.restart_sshd)
    assert "tick 39" in str(await user.manager.notebook(job.id))


async def test_a_full_disk_refuses_the_submit(user: User) -> None:
    cluster = user.cluster
    cluster.ssh("mkdir -p ~/faults")
    uid = cluster.ssh("id -u").strip()
    mount = ["mount", "-t", "tmpfs", "-o", f"size=64k,mode=700,uid={uid}", "tmpfs"]
    cluster.on("hpc-login", *mount, f"/home/{cluster.user}/faults")
    try:
        with pytest.raises(PlaceError, match="disk is full"):
            await user.submit("1")
        (job,) = user.manager.jobs()
        assert job.state is State.FAILED and "disk is full" in job.reason
    finally:
        user.executor.transport.close()
        cluster.on("hpc-login", "umount", f"/home/{cluster.user}/faults")


async def test_a_quota_that_is_nearly_used_up_refuses_the_submit(user: User, fake: Any) -> None:
    fake("quota", 'echo "Filesystem"; echo "nas:/home 9999000 0 10000000 0 5 0 0 0"\n')
    (user.folder / "data.bin").write_bytes(bytes(range(256)) * 80_000)
    with pytest.raises(
        PlaceError, match=r"your quota leaves 1\.0 MB .* are used\); make room there"
    ):
        await user.submit("open('data.bin').close()")
    (job,) = user.manager.jobs()
    assert job.state is State.FAILED and "your quota leaves" in job.reason
    assert "20 MB" not in user.cluster.ssh("du -sh ~/faults")
    # what needs little room runs
    ended, text = await user.follow(await user.submit("print('little')"))
    assert (ended.state, text) == (State.COMPLETED, "little\n")
