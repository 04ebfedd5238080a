"""A user with jobs on the cluster of ``tests/services/hpc``, for tests that break it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hpc import Cluster, hang_up
from jobs import a_job, a_manager, a_request, until

from jupyter_hybrid.bundle import Bundle
from jupyter_hybrid.events import Kind
from jupyter_hybrid.executors.slurm import SlurmExecutor
from jupyter_hybrid.job import Job, State
from jupyter_hybrid.manager import Manager
from jupyter_hybrid.spec import Resources

#: A cell that prints ``tick`` so many times, ten a second.
TICKS = "import time\nfor n in range({}):\n    print('tick', n, flush=True)\n    time.sleep(0.1)"


class User:
    """Somebody with jobs on the cluster."""

    def __init__(self, cluster: Cluster, folder: Path, **options: Any) -> None:
        self.cluster, self.folder = cluster, folder
        target = {"executor": "slurm", "root": "~/faults", **cluster.options(**options)}
        self.manager: Manager = a_manager(targets={"dgx": target}, default_target="dgx", grace=3.0)

    @property
    def executor(self) -> SlurmExecutor:
        """The target's executor."""
        executor = self.manager.executor("dgx")
        assert isinstance(executor, SlurmExecutor)
        return executor

    async def submit(self, *sources: str, image: str | None = None, **resources: Any) -> Job:
        """Submit a notebook of these cells."""
        asked = Resources(**resources)
        request = a_request(self.folder, *sources, image=image, resources=asked)
        return await self.manager.submit(request)

    def bundle(self, source: str) -> Bundle:
        """What travels with a job of one cell."""
        return a_job(self.folder, source)[1]

    async def follow(self, job: Job) -> tuple[Job, str]:
        """The job when it has ended, and all it printed and noted, each event once."""
        text, numbers, last = "", [], job
        async for item in self.manager.follow(job.id):
            if isinstance(item, Job):
                last = item
                continue
            numbers.append(item.seq)
            if item.kind == Kind.OUTPUT:
                text += "".join(item.data["output"].get("text", ""))
            elif item.kind == Kind.NOTE:
                text += f"[{item.data['text']}]"
        assert numbers == sorted(set(numbers))
        return last, text

    async def says(self, job: Job, word: str) -> None:
        """Wait until the job has printed the word."""

        async def said() -> bool:
            return word.encode() in await self.executor.read(job, "events.jsonl", 0)

        await until(said)

    async def state(self, job: Job, wanted: State) -> Job:
        """Wait until the job is in that state."""

        async def reached() -> Job | None:
            now = await self.manager.status(job.id)
            return now if now.state is wanted else None

        found: Job = await until(reached, 90.0)
        return found

    async def leave(self) -> None:
        """End what runs, and leave nothing behind."""
        for job in self.manager.store.unfinished():
            await self.executor.cancel(job, force=True)
        # what has said its last word may be at work for a moment longer
        await until(lambda: not self.cluster.jobs())
        hang_up(self.executor.transport)
        self.cluster.ssh("rm -rf ~/faults ~/fake")


@pytest.fixture
async def user(cluster: Cluster, tmp_path: Path) -> AsyncIterator[User]:
    """A user among others, who breaks nothing that is not theirs."""
    user = User(cluster, tmp_path)
    yield user
    await user.leave()


@pytest.fixture
async def lone_user(cluster_alone: Cluster, tmp_path: Path) -> AsyncIterator[User]:
    """A user who has the cluster for themselves, to break it."""
    user = User(cluster_alone, tmp_path)
    yield user
    await user.leave()
