"""Jobs of several processes on two nodes: MPI, the variables of torchrun, and how they end."""

from __future__ import annotations

from pathlib import Path

import pytest
from hpc import NEEDS, Cluster
from slurm_jobs import TICKS, User

from jupyter_hybrid.errors import UsageError
from jupyter_hybrid.events import Kind
from jupyter_hybrid.job import State
from jupyter_hybrid.spec import Cause
from jupyter_hybrid.tailing import tail_of_rank

pytestmark = [pytest.mark.needs(*NEEDS), pytest.mark.timeout(600)]

TWO = {"nodes": 2, "ntasks_per_node": 2, "mem": 1600 << 20, "gpus": 1, "gpu_type": "v100"}
ALLREDUCE = """
import os, socket
from mpi4py import MPI
world = MPI.COMM_WORLD
print("sum", world.allreduce(world.rank + 1), "of", world.size)
names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR")
mine = [socket.gethostname(), *(os.environ[name] for name in names), open("data.txt").read()]
for line in world.gather(mine, root=0) or ():
    print(*line)
open(f"by-{world.rank}.txt", "w").close()
"""


async def test_mpi_on_two_nodes(user: User) -> None:
    (user.folder / "data.txt").write_text("read")
    job = await user.submit(ALLREDUCE, **TWO)
    ended, text = await user.follow(job)
    assert ended.state is State.COMPLETED, f"{ended.reason} {await user.manager.log(job.id)!r}"
    assert text.splitlines() == [
        "sum 10 of 4",
        "v100-01 0 4 0 2 v100-01 read",
        "v100-01 1 4 1 2 v100-01 read",
        "v100-02 2 4 0 2 v100-01 read",
        "v100-02 3 4 1 2 v100-01 read",
    ]
    for rank in (1, 2, 3):
        events = [event async for event in tail_of_rank(user.executor, job, rank).new()]
        assert [e.data["output"]["text"] for e in events if e.kind == Kind.OUTPUT] == [
            "sum 10 of 4\n"
        ]
    with pytest.raises(UsageError, match="has the ranks 0 to 3, and no rank 4"):
        tail_of_rank(user.executor, job, 4)
    await user.manager.fetch(job.id)
    assert sorted(path.name for path in user.folder.glob("by-*.txt")) == [
        f"by-{rank}.txt" for rank in range(4)
    ]


#: Where a process of MPI is killed, all others are: no kernel goes before rank 0 has its record.
LAST = """
import time
from mpi4py import MPI
world = MPI.COMM_WORLD
world.Barrier()
if world.rank == {waits}:
    time.sleep(4)
if world.rank == {fails}:
    raise ValueError("no luck")
print("all of", world.size)
"""


async def test_a_rank_of_mpi_that_ends_early_ends_no_other(user: User) -> None:
    job = await user.submit(LAST.format(waits=0, fails=None), **TWO)
    ended, text = await user.follow(job)
    said = await user.manager.log(job.id)
    assert (ended.state, text) == (State.COMPLETED, "all of 4\n"), f"{ended.reason} {said!r}"
    # nothing that would be ended from outside is left then
    assert b"CANCELLED" not in said


async def test_a_rank_of_mpi_that_fails_says_why(user: User) -> None:
    job = await user.submit(LAST.format(waits=None, fails=3), **TWO)
    ended, text = await user.follow(job)
    assert (ended.state, text) == (State.FAILED, "all of 4\n"), ended.reason
    assert "Rank 3 on v100-02 failed, and the others were ended" in ended.reason
    assert "no luck" in ended.reason


async def test_mpi_in_an_image_on_two_nodes(cluster: Cluster, tmp_path: Path) -> None:
    """The image is the nodes' own system, which has all that MPI needs, as a directory."""
    machines = ("hpc-login", "v100-01", "v100-02")
    for machine in machines:
        cluster.on(machine, "sh", "-c", "mountpoint -q /mnt || mount --bind / /mnt")
    # (with the site's Python, which has a kernel: one layer less to be made)
    options = ["--env", "PATH=/opt/jupyter/bin:/usr/bin:/bin"]
    user = User(cluster, tmp_path, engine="apptainer", image="/mnt", engine_options=options)
    source = "import os\nfrom mpi4py import MPI\nworld = MPI.COMM_WORLD\n"
    source += "print(world.allreduce(world.rank + 1), os.environ['APPTAINER_CONTAINER'])"
    try:
        job = await user.submit(source, **TWO)
        ended, text = await user.follow(job)
        assert ended.state is State.COMPLETED, f"{ended.reason} {await user.manager.log(job.id)!r}"
        assert text == "10 /mnt\n"
    finally:
        await user.leave()
        for machine in machines:
            cluster.on(machine, "umount", "--lazy", "/mnt")


@pytest.mark.parametrize("rank", [0, 3])
async def test_the_failure_of_a_rank_ends_all(user: User, rank: int) -> None:
    source = f"import os\nprint('up')\nif os.environ['RANK'] == '{rank}':\n    1 / 0\n"
    job = await user.submit(source + TICKS.format(6000), **TWO)
    ended, text = await user.follow(job)
    assert ended.state is State.FAILED and ended.exit is not None
    assert (ended.exit.cause, ended.exit.ename) == (Cause.CELL_ERROR, "ZeroDivisionError")
    assert "up" in text
    if rank:
        assert f"Rank {rank} on v100-02 failed, and the others were ended" in ended.reason


async def test_ranks_are_cancelled_together(user: User) -> None:
    job = await user.submit(TICKS.format(6000), **TWO)
    await user.says(job, "tick 2")
    await user.manager.cancel(job.id)
    ended, text = await user.follow(job)
    assert (ended.state, "tick 2" in text) == (State.CANCELLED, True)
    assert "tick 2" in str(await user.manager.notebook(job.id))
