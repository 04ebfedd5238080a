"""The composer on the real thing: submit, follow, cancel, lose, find again, bring back."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from jobs import a_job, a_manager, a_request, until

from jupyter_hybrid.errors import HybridError, UnknownTarget, UsageError
from jupyter_hybrid.events import Event, Kind
from jupyter_hybrid.job import Job, State
from jupyter_hybrid.manager import Manager
from jupyter_hybrid.paths import JobPaths
from jupyter_hybrid.spec import Cause, Resources

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
async def manager(environment: Path) -> AsyncIterator[Manager]:
    manager = a_manager(lost_after=0.3, grace=2.0)
    yield manager
    for job in manager.store.unfinished():
        await manager.executor(job.spec.target).cancel(job, force=True)


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    directory = tmp_path / "workspace"
    directory.mkdir()
    return directory


async def followed(manager: Manager, job_id: str) -> tuple[list[Event], Job]:
    events, last = [], None
    async for item in manager.follow(job_id):
        if isinstance(item, Event):
            events.append(item)
        else:
            last = item
    assert last is not None
    return events, last


def text_of(events: list[Event]) -> str:
    outputs = [e.data["output"] for e in events if e.kind == Kind.OUTPUT]
    return "".join(o["text"] for o in outputs if o["output_type"] == "stream")


async def test_a_job_from_submit_to_results(manager: Manager, workspace: Path) -> None:
    (workspace / "data.csv").write_text("1,2")
    (workspace / "helper.py").write_text("def twice(x): return 2 * x")
    job = await manager.submit(
        a_request(
            workspace,
            "import helper\nprint(helper.twice(21), open('data.csv').read())",
            "open('out.csv', 'w').write('made')",
        )
    )
    assert job.state is State.PENDING and job.handle is not None
    events, job = await followed(manager, job.id)
    assert (job.state, job.cells_done, job.cells_total) == (State.COMPLETED, 2, 2), job.reason
    assert "42 1,2" in text_of(events)
    assert [e.seq for e in events] == list(range(1, len(events) + 1))
    fetched = await manager.fetch(job.id)
    assert (workspace / "out.csv").read_text() == "made"
    assert fetched.notebook and "42 1,2" in Path(fetched.notebook).read_text()
    assert manager.get(job.id).fetched["files"] == [str(workspace / "out.csv")]


async def test_another_manager_replays_everything(manager: Manager, workspace: Path) -> None:
    job = await manager.submit(a_request(workspace, "print('one')", "print('two')"))
    first, _ = await followed(manager, job.id)
    second, again = await followed(a_manager(), job.id)
    assert second == first
    assert again.state is State.COMPLETED


async def test_a_large_output_comes_whole(manager: Manager, workspace: Path) -> None:
    job = await manager.submit(a_request(workspace, "print('x' * 300_000)"))
    events, _ = await followed(manager, job.id)
    assert text_of(events) == "x" * 300_000 + "\n"


async def test_the_second_submit_copies_nothing(manager: Manager, workspace: Path) -> None:
    (workspace / "big.bin").write_bytes(os.urandom(2_000_000))
    request = a_request(workspace, "len(open('big.bin', 'rb').read())")
    first = await manager.submit(request)
    await followed(manager, first.id)
    blobs = Path(manager.config.directory) / "blobs"
    before = {p: p.stat().st_ino for p in blobs.rglob("*") if p.is_file() and len(p.name) == 64}
    second = await manager.submit(request)
    await followed(manager, second.id)
    after = {p: p.stat().st_ino for p in blobs.rglob("*") if p.is_file() and len(p.name) == 64}
    assert before and after == before


async def test_a_job_writes_to_its_copy_and_not_to_what_was_sent(
    manager: Manager, workspace: Path
) -> None:
    (workspace / "big.bin").write_bytes(b"a" * 2_000_000)
    request = a_request(workspace, "f = open('big.bin', 'r+b')\nf.write(b'changed')\nf.close()")
    job = await manager.submit(request)
    _, job = await followed(manager, job.id)
    assert job.state is State.COMPLETED, job.reason
    await manager.fetch(job.id)
    assert (workspace / "big.bin").read_bytes().startswith(b"changed")
    (workspace / "big.bin").write_bytes(b"a" * 2_000_000)
    again = await manager.submit(a_request(workspace, "print(open('big.bin').read(3))"))
    events, _ = await followed(manager, again.id)
    assert text_of(events) == "aaa\n"


async def test_a_failing_cell_is_told_and_everything_before_is_kept(
    manager: Manager, workspace: Path
) -> None:
    job = await manager.submit(a_request(workspace, "print('kept')", "{}['x']", "print('never')"))
    events, job = await followed(manager, job.id)
    assert job.state is State.FAILED
    assert job.exit is not None and (job.exit.cause, job.exit.ename) == ("cell-error", "KeyError")
    assert text_of(events) == "kept\n"
    fetched = await manager.fetch(job.id)
    assert fetched.notebook and "kept" in Path(fetched.notebook).read_text()


async def test_cancel_is_confirmed_by_the_place(manager: Manager, workspace: Path) -> None:
    job = await manager.submit(a_request(workspace, "import time\nprint('on')\ntime.sleep(600)"))
    await until(lambda: b"on" in JobPaths(Path(job.directory)).events.read_bytes()
                if JobPaths(Path(job.directory)).events.exists() else False)  # fmt: skip
    await manager.cancel(job.id)
    _, ended = await followed(manager, job.id)
    assert ended.state is State.CANCELLED
    notebook = await manager.notebook(job.id)
    assert "on" in json.dumps(notebook)


async def test_a_killed_runner_is_told_and_its_outputs_are_kept(
    manager: Manager, workspace: Path
) -> None:
    source = "import os, signal, time\nprint('last words', flush=True)\ntime.sleep(0.5)\n"
    job = await manager.submit(
        a_request(workspace, source + "os.kill(os.getppid(), signal.SIGKILL)\ntime.sleep(60)")
    )
    events, job = await followed(manager, job.id)
    assert job.state is State.FAILED
    assert job.exit is not None and job.exit.cause == Cause.RUNNER_DIED
    assert "SIGKILL" in job.reason or "signal 9" in job.reason
    assert "last words" in text_of(events)


async def test_everything_killed_is_lost_after_the_grace_period(
    manager: Manager, workspace: Path
) -> None:
    job = await manager.submit(a_request(workspace, "import time\nprint('on')\ntime.sleep(600)"))
    job = await until(lambda: manager.status(job.id))
    await until(lambda: _running(manager, job.id))
    assert job.handle is not None
    os.killpg(job.handle["pid"], signal.SIGKILL)
    _, job = await followed(manager, job.id)
    assert job.state is State.LOST
    assert "kept" in job.reason
    assert "on" in json.dumps(await manager.notebook(job.id))
    assert (await manager.fetch(job.id)).notebook


async def _running(manager: Manager, job_id: str) -> bool:
    job = await manager.status(job_id)
    events = JobPaths(Path(job.directory)).events
    return job.state is State.RUNNING and events.exists() and b'"on' in events.read_bytes()


async def test_a_submit_that_died_before_the_start_failed(
    manager: Manager, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Died(BaseException):
        pass

    def die(*args: Any) -> None:
        raise Died

    executor = manager.executor("local")
    monkeypatch.setattr(executor, "_spawn", die)
    with pytest.raises(Died):
        await manager.submit(a_request(workspace, "print(1)"))
    (job,) = manager.jobs()
    assert job.state is State.CREATED and job.handle is not None
    _, job = await followed(a_manager(lost_after=0.3), job.id)
    assert job.state is State.FAILED
    assert job.exit is not None and job.exit.cause == Cause.SUBMIT_INTERRUPTED


async def test_a_start_that_was_not_recorded_is_adopted(
    manager: Manager, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Died(BaseException):
        pass

    saved = manager.store.save
    calls = iter(range(100))

    def save(job: Job) -> Job:
        if next(calls) >= 1:
            raise Died
        return saved(job)

    with monkeypatch.context() as patch, pytest.raises(Died):
        patch.setattr(manager.store, "save", save)
        await manager.submit(a_request(workspace, "print('ran')"))
    (job,) = manager.jobs()
    assert job.handle is not None and "pid" not in job.handle
    _, job = await followed(a_manager(), job.id)
    assert job.state is State.COMPLETED


async def test_two_processes_may_reconcile_one_job(manager: Manager, workspace: Path) -> None:
    job = await manager.submit(a_request(workspace, "print(1)", "print(2)", "print(3)"))
    other = a_manager()
    results = await asyncio.gather(*(followed(m, job.id) for m in (manager, other, a_manager())))
    assert {record.state for _, record in results} == {State.COMPLETED}
    assert {record.revision for _, record in results} == {manager.get(job.id).revision}
    assert {record.cells_done for _, record in results} == {3}


async def test_a_store_deleted_while_a_job_runs_is_made_again(
    manager: Manager, workspace: Path
) -> None:
    job = await manager.submit(a_request(workspace, "import time\ntime.sleep(1)\nprint('done')"))
    manager.store.path.unlink()
    _, job = await followed(a_manager(), job.id)
    assert job.state is State.COMPLETED


async def test_what_cannot_be_carried_out_leaves_nothing(manager: Manager, workspace: Path) -> None:
    with pytest.raises(UnknownTarget, match="no target named 'dgx'"):
        await manager.submit(a_request(workspace, "1", target="dgx"))
    with pytest.raises(UsageError, match="GPU"):
        await manager.submit(a_request(workspace, "1", resources=Resources(gpus=99)))
    with pytest.raises(HybridError, match="absent"):
        await manager.submit(a_request(workspace, "1", files=("absent-*.csv",)))
    assert manager.jobs() == []


async def test_rerun_uses_what_was_sent_then(manager: Manager, workspace: Path) -> None:
    (workspace / "data.csv").write_text("then")
    job = await manager.submit(a_request(workspace, "print(open('data.csv').read())"))
    await followed(manager, job.id)
    (workspace / "data.csv").write_text("now")
    again = await manager.rerun(job.id)
    events, _ = await followed(manager, again.id)
    assert text_of(events) == "then\n"
    assert again.id != job.id


async def test_delete_forgets_an_ended_job(manager: Manager, workspace: Path) -> None:
    job = await manager.submit(a_request(workspace, "import time; time.sleep(600)"))
    with pytest.raises(UsageError, match="cancel it before"):
        await manager.delete(job.id)
    await manager.cancel(job.id, force=True)
    await manager.delete(job.id)
    assert manager.jobs() == []
    assert not Path(job.directory).exists()


async def test_twenty_jobs_at_once_are_all_right(manager: Manager, workspace: Path) -> None:
    jobs = [await manager.submit(a_request(workspace, f"print({n})")) for n in range(20)]
    results = await asyncio.gather(*(followed(manager, job.id) for job in jobs))
    assert [text_of(events) for events, _ in results] == [f"{n}\n" for n in range(20)]


def test_recent_jobs_are_the_newest_and_all_that_have_not_ended(environment: Path) -> None:
    manager = a_manager()
    jobs = [manager.store.add(a_job(environment)[0]) for _ in range(4)]
    for job in (jobs[0], *jobs[2:]):
        manager.store.save(job.evolve(state=State.FAILED))
    assert [job.id for job in manager.recent(2)] == [jobs[n].id for n in (3, 2, 1)]
