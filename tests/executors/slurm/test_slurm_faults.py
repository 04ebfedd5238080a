"""What goes wrong on clusters, for real: right state, right words, nothing lost or doubled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from hpc import NEEDS, Cluster
from jobs import a_manager, a_request, until

from jupyter_hybrid.errors import PlaceError, UsageError
from jupyter_hybrid.events import Kind
from jupyter_hybrid.executors.slurm import SlurmExecutor, queue
from jupyter_hybrid.job import Job, State
from jupyter_hybrid.manager import Manager
from jupyter_hybrid.spec import Cause, Resources

pytestmark = [pytest.mark.needs(*NEEDS), pytest.mark.timeout(600)]

TICKS = "import time\nfor n in range({}):\n    print('tick', n, flush=True)\n    time.sleep(0.1)"


class User:
    """Somebody with jobs on the cluster."""

    def __init__(self, cluster: Cluster, folder: Path, **options: Any) -> None:
        self.cluster, self.folder = cluster, folder
        target = {"executor": "slurm", "root": "~/faults", **cluster.options(**options)}
        self.manager: Manager = a_manager(targets={"dgx": target}, default_target="dgx", grace=3.0)

    @property
    def executor(self) -> SlurmExecutor:
        executor = self.manager.executor("dgx")
        assert isinstance(executor, SlurmExecutor)
        return executor

    async def submit(self, *sources: str, **resources: Any) -> Job:
        request = a_request(self.folder, *sources, resources=Resources(**resources))
        return await self.manager.submit(request)

    async def follow(self, job: Job) -> tuple[Job, str]:
        """The job when it has ended, and all it printed, each event once."""
        text, numbers, last = "", [], job
        async for item in self.manager.follow(job.id):
            if isinstance(item, Job):
                last = item
                continue
            numbers.append(item.seq)
            if item.kind == Kind.OUTPUT:
                text += "".join(item.data["output"].get("text", ""))
        assert numbers == sorted(set(numbers))
        return last, text

    async def says(self, job: Job, word: str) -> None:
        """Wait until the job has printed the word."""

        async def said() -> bool:
            return word.encode() in await self.executor.read(job, "events.jsonl", 0)

        await until(said, 60.0)

    async def state(self, job: Job, wanted: State) -> Job:
        """Wait until the job is in that state."""

        async def reached() -> Job | None:
            now = await self.manager.status(job.id)
            return now if now.state is wanted else None

        found: Job = await until(reached, 90.0)
        return found


@pytest.fixture
async def user(cluster_alone: Cluster, tmp_path: Path) -> AsyncIterator[User]:
    user = User(cluster_alone, tmp_path)
    yield user
    for job in user.manager.store.unfinished():
        await user.executor.cancel(job, force=True)
    user.executor.transport.disconnect()  # type: ignore[attr-defined]
    cluster_alone.ssh("rm -rf ~/faults ~/fake")


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
    await until(lambda: "UP" in cluster.on("hpc-login", "sh", "-c", "scontrol ping || true"), 60.0)


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
        job = await user.submit(TICKS.format(600))
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
        await until(lambda: "idle" in idle(user.cluster, up), 60.0)


def idle(cluster: Cluster, command: str) -> str:
    cluster.on("hpc-login", "sh", "-c", f"{command} 2>/dev/null || true")
    return cluster.on("hpc-login", "sinfo", "-h", "-n", "p100-01", "-o", "%T")


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

    waits = await until(explained, 30.0)
    assert waits.state is State.PENDING
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


@pytest.fixture
def fake(user: User) -> Callable[[str, str], None]:
    """Puts a program of this name before Slurm's own on the login node."""
    cluster = user.cluster
    home = f"/home/{cluster.user}"
    path = f"{home}/fake:/usr/local/bin:/usr/bin:/bin"
    cluster.on("hpc-login", "sh", "-c", "pkill -KILL sshd; sleep 0.2")
    cluster.on("hpc-login", "hpc-init", "start", "sshd", "-o", f"SetEnv=PATH={path}")

    def write(name: str, script: str) -> None:
        text = f"#!/bin/sh\n# test fixture: Slurm's own is called with what the test adds\n{script}"
        command = f"mkdir -p ~/fake; cat > ~/fake/{name}; chmod +x ~/fake/{name}"
        cluster.ssh(command, input=text)

    return write


async def test_sbatch_answers_an_error_after_accepting(user: User, fake: Any) -> None:
    fake(
        "sbatch",
        '/usr/bin/sbatch "$@" >/dev/null\necho "sbatch: error: Socket timed out" >&2\nexit 1\n',
    )
    ended, text = await user.follow(await user.submit("print('once')"))
    assert (ended.state, text) == (State.COMPLETED, "once\n")
    names = user.cluster.on(
        "hpc-login", "sacct", "-n", "-X", "-u", user.cluster.user, "-o", "jobname%60"
    )
    assert names.count(ended.id) == 1


async def test_squeue_warns_hangs_and_says_nothing(
    user: User, fake: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(queue.Queue.command.__kwdefaults__, "timeout", 1.0)
    fake("squeue", 'echo "a warning: this cluster is loved"\nexec /usr/bin/squeue "$@"\n')
    job = await user.submit(TICKS.format(600))
    await user.says(job, "tick")
    assert (await user.state(job, State.RUNNING)).state is State.RUNNING
    fake("squeue", "sleep 100\n")
    user.executor.queue.forget()
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
    def restart() -> None:
        user.cluster.on("hpc-login", "sh", "-c", "pkill -KILL sshd; true")
        user.cluster.on("hpc-login", "hpc-init", "start", "sshd")

    (user.folder / "data.bin").write_bytes(bytes(range(256)) * 40_000)
    submitting = asyncio.create_task(user.submit("open('data.bin').close()\n" + TICKS.format(40)))
    for _ in range(3):
        await asyncio.sleep(0.15)
        await asyncio.to_thread(restart)
    job = await submitting
    following = asyncio.create_task(user.follow(job))
    for _ in range(3):
        await asyncio.sleep(1.0)
        await asyncio.to_thread(restart)
    ended, text = await following
    assert ended.state is State.COMPLETED
    assert [line for line in text.splitlines() if line] == [f"tick {n}" for n in range(40)]
    await asyncio.to_thread(restart)
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
