"""Many jobs on a cluster: submitted at once, and all followed from one process."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import hpc
from harness import Bench
from hpc import Cluster
from jobs import a_job, until
from requirements import unmet

from jupyter_hybrid.executors.base import TargetConfig
from jupyter_hybrid.executors.slurm import SlurmExecutor
from jupyter_hybrid.job import Job, State

#: Jobs that are submitted at once, and that are followed.
AT_ONCE, MANY = 50, 200
#: Seconds for which they are followed.
SECONDS = 30.0


def rows(bench: Bench) -> None:
    """Measure."""
    gap = "; ".join(filter(None, map(unmet, hpc.NEEDS)))
    if gap:
        bench.gap("many jobs, on Slurm", gap)
        return
    with hpc.used() as cluster, tempfile.TemporaryDirectory() as home:
        asyncio.run(_many(bench, cluster, Path(home)))
        cluster.ssh("rm -rf ~/bench")


async def _many(bench: Bench, cluster: Cluster, home: Path) -> None:
    # they wait: what is measured is our own work, and not how two cores run 200 kernels
    options = cluster.options(sbatch=["--hold"])
    target = TargetConfig(
        name="dgx", executor="slurm", root=Path("~/bench"), home=home, options=options
    )
    executor = SlurmExecutor(target)
    try:
        await _submitted(executor, 1)
        began = time.perf_counter()
        jobs = await _submitted(executor, AT_ONCE)
        each = (time.perf_counter() - began) / AT_ONCE
        bench.figures(f"each of {AT_ONCE} submits at once, on Slurm", [each], bar=0.15)
        while len(jobs) < MANY:
            jobs += await _submitted(executor, AT_ONCE)
        await _followed(bench, executor, jobs)
    finally:
        cluster.on("hpc-login", "scancel", "--user", cluster.user)
        await until(lambda: not cluster.jobs())
        hpc.hang_up(executor.transport)


async def _submitted(executor: SlurmExecutor, count: int) -> list[Job]:
    async def one() -> Job:
        job, bundle = a_job(executor.target.root, "print('x')", home=executor.target.home)
        async for _ in executor.submit(job, bundle):
            pass
        return job

    return list(await asyncio.gather(*(one() for _ in range(count))))


async def _followed(bench: Bench, executor: SlurmExecutor, jobs: Sequence[Job]) -> None:
    polls, commands = 0, executor.queue.commands
    began, used = time.perf_counter(), time.process_time()
    while time.perf_counter() - began < SECONDS:
        found = await executor.poll(jobs)
        assert all(found[job.id].state is State.PENDING for job in jobs)
        polls += 1
        await asyncio.sleep(executor.ask_every)
    share = 100 * (time.process_time() - used) / (time.perf_counter() - began)
    asked = (executor.queue.commands - commands) / polls
    bench.figures(f"commands per poll of {len(jobs)} jobs", [asked], bar=2, unit="")
    bench.figures("of one core, to follow them", [share], bar=5, unit="%")
