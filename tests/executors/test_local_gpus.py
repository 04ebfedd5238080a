"""GPUs of this machine: each job gets its own, and nobody waits for who counts them."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Any

import pytest
from jobs import a_job, until

from jupyter_hybrid.executors import local_gpus
from jupyter_hybrid.executors.base import TargetConfig
from jupyter_hybrid.executors.local import LocalExecutor
from jupyter_hybrid.job import Job
from jupyter_hybrid.paths import JobPaths
from jupyter_hybrid.spec import Resources

#: Number 1 is somebody's; the order is not that of nvidia-smi's numbers.
GPUS = """#!/bin/sh
# test fixture: no GPU is here
sleep ${SMI_SECONDS:-0}
case "$1" in
--query-gpu=index,*) printf '%s\\n' "2, Tesla V100, 3" "0, Tesla V100, 3" "1, Tesla V100, 31000" ;;
*) printf '%s\\n' "Tesla V100, 3, 0" "Tesla V100, 31000, 98" "Tesla V100, 3, 0" ;;
esac
"""
SHOWN = "import os\nopen('gpus', 'w').write(os.environ.get('CUDA_VISIBLE_DEVICES', 'all') + ' ' + "
SHOWN += "os.environ.get('CUDA_DEVICE_ORDER', ''))\nimport time; time.sleep({})"


@pytest.fixture
def executor(environment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalExecutor:
    program = tmp_path / "bin" / "nvidia-smi"
    program.parent.mkdir()
    program.write_text(GPUS)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return LocalExecutor(TargetConfig(name="here", executor="local", root=environment))


async def started(executor: LocalExecutor, seconds: int, **resources: Any) -> Job:
    job, bundle = a_job(executor.target.root, SHOWN.format(seconds), **resources)
    async for _ in executor.submit(job, bundle):
        pass
    return job


async def shown(job: Job) -> str:
    file = JobPaths(Path(job.directory)).work / "gpus"
    await until(lambda: file.exists() and file.read_text().endswith(("ID", " ")))
    return file.read_text()


async def test_a_job_sees_the_gpus_that_it_has_asked_for(
    executor: LocalExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    # two at once, of which none uses any memory yet
    jobs = await asyncio.gather(*(started(executor, 60, gpus=1) for _ in range(2)))
    try:
        assert {await shown(job) for job in jobs} == {"0 PCI_BUS_ID", "2 PCI_BUS_ID"}
        # where none is free, it is one all the same; and who asks for none sees what there is
        third, more = await started(executor, 0, gpus=2), await started(executor, 0)
        assert await shown(third) == "0,1 PCI_BUS_ID"
        assert await shown(more) == "all "
    finally:
        await executor.cancel(jobs[0], force=True)
    # those of jobs that have ended are free again
    await until(JobPaths(Path(jobs[0].directory)).exit.exists)
    given = (await shown(jobs[0])).split()[0]
    assert await shown(await started(executor, 0, gpus=1)) == f"{given} PCI_BUS_ID"
    await executor.cancel(jobs[1], force=True)
    # who has started the server with some of them alone has chosen
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")
    assert await shown(await started(executor, 0, gpus=1)) == "7 "


def test_jobs_of_other_machines_and_dead_ones_hold_no_gpus(
    executor: LocalExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    directories = [Path(a_job(executor.target.root, "1")[0].directory) for _ in range(4)]
    for directory in directories:
        directory.mkdir(parents=True)
    asked = Resources(gpus=1)
    monkeypatch.setattr(local_gpus, "_runs", lambda paths: True)
    monkeypatch.setattr("socket.gethostname", lambda: "another-host")
    assert local_gpus.chosen(directories[0], asked) == ("0",)
    monkeypatch.undo()
    monkeypatch.setenv("PATH", f"{executor.target.root}:{os.environ['PATH']}")
    (Path(executor.target.root) / "nvidia-smi").write_text(GPUS)
    (Path(executor.target.root) / "nvidia-smi").chmod(0o755)
    assert local_gpus.chosen(directories[1], asked) == ("0",)
    # nobody runs it
    assert local_gpus.chosen(directories[2], asked) == ("0",)
    # what a job has written over its own note is no number
    monkeypatch.setattr(local_gpus, "_runs", lambda paths: True)
    for text in ('{"gpus": 5}', '{"gpus": [["0"]]}', "[]", ""):
        for directory in directories[:3]:
            (directory / local_gpus.NOTE).write_text(text)
        assert local_gpus.chosen(directories[3], asked) == ("0",)


async def test_counting_gpus_holds_nothing_up(
    executor: LocalExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMI_SECONDS", "0.5")
    asking = asyncio.create_task(executor.check(Resources(gpus=1)))
    worst, last = 0.0, time.monotonic()
    while not asking.done():
        await asyncio.sleep(0.01)
        worst, last = max(worst, time.monotonic() - last), time.monotonic()
    await asking
    assert worst < 0.4
