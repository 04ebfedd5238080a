"""What the local executor does besides the contract."""

from __future__ import annotations

import errno
import json
import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest
from jobs import a_job, until

from jupyter_hybrid.errors import ConfigError, UsageError
from jupyter_hybrid.executors import hardware, local_directory
from jupyter_hybrid.executors.base import TargetConfig
from jupyter_hybrid.executors.local import LocalExecutor
from jupyter_hybrid.executors.locks import locked
from jupyter_hybrid.job import Job, State
from jupyter_hybrid.paths import JobPaths
from jupyter_hybrid.process import marked
from jupyter_hybrid.spec import Resources

#: Recorded from a DGX (nvidia-smi 470), one GPU of four in use.
DGX = """\
Tesla V100-DGXS-32GB, 3, 0
Tesla V100-DGXS-32GB, 31004, 98
Tesla V100-DGXS-32GB, 3, 0
Quadro P400, [N/A], [N/A]
"""


@pytest.fixture
def executor(environment: Path) -> LocalExecutor:
    return LocalExecutor(TargetConfig(name="here", executor="local", root=environment))


def test_nvidia_smis_answer_is_read() -> None:
    assert hardware.parse_gpus(DGX) == {"Tesla V100-DGXS-32GB": (3, 2), "Quadro P400": (1, 0)}
    assert hardware.parse_gpus("No devices were found\n") == {}
    assert hardware.parse_gpus("") == {}


async def test_more_than_there_is_is_refused_with_numbers(executor: LocalExecutor) -> None:
    cpus = hardware.cpus()
    with pytest.raises(UsageError, match=f"has {cpus} cores, not {cpus + 1}"):
        await executor.offers(Resources(cpus=cpus + 1))
    with pytest.raises(UsageError, match="of memory, not 1"):
        await executor.offers(Resources(mem=2**60))
    with pytest.raises(UsageError, match="one machine, not 2 nodes"):
        await executor.offers(Resources(nodes=2))


async def test_gpus_are_counted_by_a_stand_in_for_nvidia_smi(
    executor: LocalExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bin/nvidia-smi"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n# test fixture: no GPU is here\ncat <<'END'\n{DGX}END\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    (offer,) = await executor.offers(Resources(gpus=2, gpu_type="v100"))
    assert (offer.free_now, offer.gpus, offer.gpu_type) == (True, 2, "v100")
    (offer,) = await executor.offers(Resources(gpus=3, gpu_type="v100"))
    assert offer.free_now is False
    with pytest.raises(UsageError, match="has 3 v100 GPUs that nvidia-smi shows, not 4"):
        await executor.offers(Resources(gpus=4, gpu_type="v100"))


def test_an_unknown_option_is_named(environment: Path) -> None:
    target = TargetConfig(
        name="here", executor="local", root=environment, options={"pyhton": "/usr/bin/python3"}
    )
    with pytest.raises(ConfigError, match=r"unknown option 'pyhton'.*price, python"):
        LocalExecutor(target)


async def started(executor: LocalExecutor, *sources: str, **resources: int) -> Job:
    job, bundle = a_job(executor.target.root, *sources, **resources)
    async for _ in executor.submit(job, bundle):
        pass
    return job


async def test_cores_limit_the_threads_of_numerical_libraries(executor: LocalExecutor) -> None:
    source = "import os\nopen('threads', 'w').write(os.environ['OMP_NUM_THREADS'])"
    job = await started(executor, source, cpus=1)
    await until(JobPaths(Path(job.directory)).exit.exists)
    assert (JobPaths(Path(job.directory)).work / "threads").read_text() == "1"


async def test_a_job_of_another_machine_is_left_to_it(
    executor: LocalExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await started(executor, "import time; time.sleep(60)")
    paths = JobPaths(Path(job.directory))
    await until(paths.claim.exists)
    monkeypatch.setattr("socket.gethostname", lambda: "another-host")
    try:
        status = (await executor.poll([job]))[job.id]
        assert (status.state, status.missing) == (State.RUNNING, False)
        monkeypatch.setattr(local_directory, "SILENT_AFTER", -1.0)
        status = (await executor.poll([job]))[job.id]
        assert status.missing and "where the job runs" in status.reason
    finally:
        monkeypatch.undo()
        await executor.cancel(job, force=True)


async def test_a_job_of_another_machine_that_never_began_is_missing_in_the_end(
    executor: LocalExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pod with the server went away between the start of a job and its first word."""
    job, _ = a_job(executor.target.root, "1")
    paths = JobPaths(Path(job.directory))
    paths.directory.mkdir(parents=True)
    note = paths.directory / local_directory.SPAWNED
    gone = {"pid": 1, "started_ticks": 5, "boot_id": "x", "host": "pod-of-before"}
    note.write_text(json.dumps(gone))
    job = replace(job, state=State.PENDING, handle={"directory": job.directory, **gone})
    # it may be about to begin
    assert await executor.poll([job]) == {}
    old = time.time() - local_directory.BEGINS_WITHIN - 5
    os.utime(note, (old, old))
    status = (await executor.poll([job]))[job.id]
    assert status.missing and "pod-of-before, where the job was started" in status.reason


async def test_a_submit_that_takes_its_time_is_no_news(executor: LocalExecutor) -> None:
    job, _ = a_job(executor.target.root, "1")
    Path(job.directory).mkdir(parents=True)
    async with locked(Path(job.directory)):
        assert await executor.poll([job]) == {}
    assert (await executor.poll([job]))[job.id].missing


async def test_what_a_killed_supervisor_left_is_alive(executor: LocalExecutor) -> None:
    source = "import subprocess\nsubprocess.Popen(['sleep', '60'], start_new_session=True)\n"
    job = await started(executor, source + "import time; time.sleep(60)")
    paths = JobPaths(Path(job.directory))
    claim = await until(lambda: local_directory.claimed(paths))
    await until(lambda: paths.events.exists() and b'"kernel"' in paths.events.read_bytes())
    os.kill(claim.pid, signal.SIGKILL)
    statuses = []

    async def gone() -> bool:
        statuses.append((await executor.poll([job]))[job.id])
        return statuses[-1].missing or statuses[-1].state.final

    await until(gone)
    assert any("supervisor is gone" in status.reason for status in statuses)
    await until(lambda: not marked(f"{local_directory.MARK}={job.id}"))


async def test_an_unreadable_folder_of_a_job_is_removed_too(executor: LocalExecutor) -> None:
    job = await started(executor, "import os; os.makedirs('a/b/c'); os.chmod('a/b', 0)")
    await until(JobPaths(Path(job.directory)).exit.exists)
    await executor.cleanup(job)
    assert not Path(job.directory).exists()


async def test_a_folder_of_another_user_does_not_keep_a_job_from_being_removed(
    executor: LocalExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, mode: int) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    job, _ = a_job(executor.target.root, "1")
    Path(job.directory, "work", "theirs").mkdir(parents=True)
    monkeypatch.setattr(Path, "chmod", refuse)
    await executor.cleanup(job)
    assert not Path(job.directory).exists()


async def test_without_gpus_a_sentence_says_so(
    executor: LocalExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UsageError, match=r"has no GPUs.*not 1; name another target"):
        await executor.offers(Resources(gpus=1))
