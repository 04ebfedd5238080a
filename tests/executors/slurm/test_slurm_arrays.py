"""Many notebooks at once: array jobs, each job of which is like any other."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hpc import NEEDS, Cluster
from jobs import until
from slurm_jobs import TICKS, User

from jupyter_hybrid.errors import PlaceError
from jupyter_hybrid.executors.slurm import arrays as together
from jupyter_hybrid.job import State
from jupyter_hybrid.spec import Cause

pytestmark = [pytest.mark.needs(*NEEDS), pytest.mark.timeout(600)]


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that are wanted at once go together, however long a full machine takes until then."""
    monkeypatch.setattr(together, "TOGETHER", 30.0)


def arrays(user: User) -> list[str]:
    """Slurm's numbers of those of the user's jobs that are in arrays."""
    return sorted(re.findall(r"^\d+_\d+", "\n".join(user.cluster.jobs()), re.M))


async def test_many_at_once_are_an_array(user: User) -> None:
    sources = [f"print('mine', {number})" for number in range(4)]
    sources += ["1 / 0", f"print('up')\n{TICKS.format(6000)}"]
    jobs = await asyncio.gather(*map(user.submit, sources))
    numbers = [str(job.handle["job"]) for job in jobs if job.handle]
    assert len(numbers) == 6 and sum("_" in number for number in numbers) >= 4, numbers
    endless = jobs[-1]
    await user.says(endless, "up")
    await user.manager.cancel(endless.id)
    ended = await asyncio.gather(*map(user.follow, jobs))
    states = [job.state for job, _ in ended]
    assert states == [State.COMPLETED] * 4 + [State.FAILED, State.CANCELLED]
    assert [text for _, text in ended[:4]] == [f"mine {number}\n" for number in range(4)]
    assert ended[4][0].exit is not None and ended[4][0].exit.cause == Cause.CELL_ERROR
    assert "tick" in str(await user.manager.notebook(endless.id))
    for job in jobs:
        await user.manager.delete(job.id)
    assert user.cluster.ssh("ls ~/faults/arrays") == ""


async def test_an_array_whose_submit_broke_off_is_adopted(
    user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    transport = user.executor.transport
    write = transport.write

    async def breaks(files: Mapping[str, bytes], *rest: Any, **more: Any) -> None:
        if any(name.startswith("jobs/") and name.endswith("slurm.id") for name in files):
            raise PlaceError("this machine was switched off")
        await write(files, *rest, **more)

    monkeypatch.setattr(transport, "write", breaks)
    source = "import os\nprint('once', os.environ['SLURM_ARRAY_TASK_ID'])\n" + TICKS.format(6000)
    gone = asyncio.gather(*(user.submit(source) for _ in range(4)), return_exceptions=True)
    with monkeypatch.context() as patch:
        # whoever is switched off cancels nothing
        patch.setattr(user.executor, "cancel", _nothing)
        await gone
    monkeypatch.setattr(transport, "write", write)
    cut = [job for job in user.manager.jobs() if job.wanted is State.CANCELLED]
    assert len(cut) >= 2 and len(arrays(user)) == len(cut)
    # another process finds what became of each, before and after it goes on with the submit
    user.executor.queue.forget()
    known = await user.executor.poll(cut)
    found = {job.id: known[job.id].handle for job in cut}
    assert all(handle and "_" in handle["job"] for handle in found.values()), found
    bundle = user.bundle(source)
    for job in cut:
        handles = [dict(handle) async for handle in user.executor.submit(job, bundle)]
        assert handles[-1]["job"] == dict(found[job.id] or {})["job"]
    assert len(arrays(user)) == len(cut)
    user.cluster.on("hpc-login", "scancel", "--user", user.cluster.user)
    await until(lambda: not user.cluster.jobs())


async def _nothing(*_: Any, **__: Any) -> None:
    pass


async def test_each_is_told_what_is_refused(cluster: Cluster, tmp_path: Path) -> None:
    user = User(cluster, tmp_path, account="nosuch")
    try:
        submits = (user.submit("1") for _ in range(3))
        refused = await asyncio.gather(*submits, return_exceptions=True)
        assert ["account 'nosuch' may not be used" in str(said) for said in refused] == [True] * 3
    finally:
        await user.leave()
