"""What other users of a cluster see of a job: nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hpc import NEEDS, USERS, Cluster
from jobs import a_manager, until
from slurm_jobs import TICKS, User

from jupyter_hybrid.job import State

pytestmark = [pytest.mark.needs(*NEEDS), pytest.mark.timeout(600)]


@pytest.fixture
async def user(cluster: Cluster, tmp_path: Path) -> AsyncIterator[User]:
    """A user whose jobs are in a directory that all can enter, as scratch file systems are."""
    scratch = f"/home/scratch-{cluster.user}"
    cluster.on("hpc-login", "install", "-d", "-m", "1777", scratch)
    user = User(cluster, tmp_path)
    target = {"executor": "slurm", "root": scratch, **cluster.options()}
    user.manager = a_manager(targets={"dgx": target}, default_target="dgx")
    yield user
    await user.leave()
    cluster.on("hpc-login", "rm", "-rf", scratch)


async def test_nobody_else_reads_a_job_or_reaches_its_kernel(user: User) -> None:
    cluster = user.cluster
    job = await user.submit(TICKS.format(6000), gpus=1, gpu_type="p100")
    await user.says(job, "tick")
    directory = f"/home/scratch-{cluster.user}/{cluster.user}/jobs/{job.id}"
    stranger = next(name for name in USERS if name != cluster.user)
    as_stranger = f"setpriv --reuid={stranger} --regid={stranger} --clear-groups"

    def seen(command: str) -> str:
        return cluster.on("p100-01", "sh", "-c", f"{command} 2>&1 || true")

    assert "tick" in seen(f"cat {directory}/events.jsonl")
    for name in ("events.jsonl", "key", "runner.log", "work", "../../blobs"):
        assert "Permission denied" in seen(f"{as_stranger} ls {directory}/{name}"), name
    modes = seen(f"find {directory} -not -type l -printf '%m %p\\n'").splitlines()
    readable = [line for line in modes if line.split()[0][-2:] != "00"]
    # what is there by its content is shared among the user's jobs, and closed further up
    assert {line.rpartition("/")[2] for line in readable} <= {"notebook.ipynb", "files.json"}
    # the kernel listens on sockets in a directory of the user's alone, and on no port
    uid = seen(f"id -u {cluster.user}").strip()
    ports = [line for line in seen("ss -ltneH").splitlines() if f"uid:{uid} " in line]
    assert ports == []
    sockets = seen(f"find /tmp /run /dev/shm -type s -user {cluster.user}").split()
    assert sockets
    for path in sockets:
        assert "Permission denied" in seen(f"{as_stranger} ls {path}")
    await user.manager.cancel(job.id)
    assert (await user.state(job, State.CANCELLED)).state is State.CANCELLED
    await until(lambda: not seen(f"find /tmp /run -type s -user {cluster.user}"))
