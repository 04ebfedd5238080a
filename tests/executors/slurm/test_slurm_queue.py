"""What is asked of Slurm's commands, how often, and what becomes of old answers."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_hybrid.errors import PlaceError, UsageError
from jupyter_hybrid.executors.base import JobStatus, TargetConfig
from jupyter_hybrid.executors.slurm import SlurmExecutor, status
from jupyter_hybrid.executors.slurm.listing import NODE_COLUMNS, Row
from jupyter_hybrid.executors.slurm.queue import LATE, Queue
from jupyter_hybrid.executors.slurm.script import job_name
from jupyter_hybrid.executors.slurm.shelf import prune
from jupyter_hybrid.executors.slurm.status import SETTLED, SHARED, Statuses, ended_from_outside
from jupyter_hybrid.job import Job, State, new_job_id
from jupyter_hybrid.spec import Cause, ExitRecord, JobSpec, Resources
from jupyter_hybrid.transport import LocalTransport


class Site:
    """A site whose programs say what a test wants, and note that they were asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "bin").mkdir()
        self.transport = LocalTransport(str(folder / "root"))
        self.queue = Queue(self.transport)

    def program(self, name: str, text: str) -> None:
        path = self.folder / "bin" / name
        path.write_text(f"#!/bin/sh\n# test fixture\necho {name} >>{self.folder}/asked\n{text}\n")
        path.chmod(0o755)

    def asked(self) -> list[str]:
        path = self.folder / "asked"
        return path.read_text().split() if path.exists() else []

    def job(self, *, record: ExitRecord | None = None) -> Job:
        """A job, which left that record."""
        spec = JobSpec("x", "dgx", "notebook")
        job = Job(
            id=new_job_id(), spec=spec, directory="", created_at=time.time(), state=State.RUNNING
        )
        job = job.evolve(handle={"name": job_name(job)})
        directory = self.folder / "root" / "jobs" / job.id
        directory.mkdir(parents=True)
        (directory / "slurm.id").write_text("7\n")
        if record is not None:
            (directory / "exit.json").write_text(json.dumps(record.to_json()))
        return job


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_CONF_SERVER", "controller")
    site = Site(tmp_path)
    site.program("squeue", "")
    site.program("sacct", "echo 'Slurm accounting storage is disabled' >&2; exit 1")
    yield site
    site.transport.close()


KILLED = ExitRecord("FAILED", Cause.PREEMPTED, "told to end", finished_at=1000.0, seconds=60.0)


async def test_an_answer_from_before_is_none(site: Site) -> None:
    job = site.job()
    site.program("squeue", f"echo '7|RUNNING|p|900|N/A|10:00|1|n1|None|{job_name(job)}'")
    assert (await site.queue.rows([job]))[job.id].state == "RUNNING"
    await site.queue.rows([job])
    assert site.asked() == ["squeue"]
    site.program("squeue", f"echo '7|COMPLETED|p|900|N/A|10:00|1|n1|None|{job_name(job)}'")
    since = time.monotonic()
    rows = await site.queue.rows([job], since=since)
    assert rows[job.id].state == "COMPLETED" and site.asked() == ["squeue"] * 2
    # what was new once grows old
    site.queue._snapshot.at -= 60
    await site.queue.rows([job], since=since - 60)
    assert site.asked() == ["squeue"] * 3


async def test_where_nothing_is_accounted_for_nobody_asks_again(site: Site) -> None:
    job = site.job()
    for _ in range(3):
        assert await site.queue.rows([job], since=time.monotonic()) == {}
    assert site.asked().count("sacct") == 1


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        (
            "7|RUNNING|p|900|N/A|10:00|1|n1|None",
            "8|FAILED|p|910|N/A|10:00|1|n2|NonZeroExitCode",
            "7",
        ),
        ("7|PENDING|p|N/A|N/A|10:00|1||Priority", "8|RUNNING|p|910|N/A|10:00|1|n2|None", "8"),
        ("7|RUNNING|p|900|N/A|10:00|1|n1|None", "8|RUNNING|p|910|N/A|10:00|1|n2|None", "7"),
        ("7|OUT_OF_MEMORY|p|900|N/A|10:00|1|n1|None", "8|FAILED|p|910|N/A|10:00|1|n2|None", "7"),
        ("7|CANCELLED|p|N/A|N/A|10:00|1||None", "8|PENDING|p|N/A|N/A|10:00|1||Priority", "8"),
    ],
)
async def test_of_two_in_the_queue_the_one_that_runs_the_job_tells(
    site: Site, first: str, second: str, told: str
) -> None:
    job = site.job()
    for lines in ((first, second), (second, first)):
        words = " ".join(f"'{line}|{job_name(job)}'" for line in lines)
        site.program("squeue", f"printf '%s\\n' {words}")
        assert (await site.queue.rows([job], since=time.monotonic()))[job.id].id == told


async def test_accounting_that_does_not_answer_loses_no_job(site: Site) -> None:
    gone, runs = site.job(), site.job()
    claim = site.folder / "root" / "jobs" / gone.id / "runner.json"
    claim.write_text("{}")
    os.utime(claim, (1000.0, 1000.0))
    row = f"8|RUNNING|p|900|N/A|10:00|1|n1|None|{job_name(runs)}"
    site.program("squeue", f"echo '{row}'")
    site.program("sacct", "echo 'sacct: error: Problem talking to the database' >&2; exit 1")
    statuses = Statuses(site.transport, site.queue, site.folder)
    assert list(await statuses.of([gone, runs])) == [runs.id]
    with pytest.raises(PlaceError, match="Problem talking to the database") as error:
        await statuses.of([gone])
    assert error.value.transient
    # it answers, and may hear of the job for a minute more
    site.program("sacct", "")
    status = (await statuses.of([gone]))[gone.id]
    assert status.missing and status.late == LATE
    assert status.silent is not None and status.silent > 1e8
    row = f"7|OUT_OF_MEMORY|0:125|1000|8200|60|n1|{job_name(gone)}"
    site.program("sacct", f"echo '{row}'")
    site.queue._accounts.clear()
    status = (await statuses.of([gone]))[gone.id]
    assert not status.missing and status.reason == "ending"


async def test_slurm_tells_how_long_a_job_without_a_record_ran(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status, "SHARED", 0.0)
    in_queue, in_accounts = site.job(), site.job()
    row = f"7|TIMEOUT|p|900|1500|10:00|1|n1|None|{job_name(in_queue)}"
    site.program("squeue", f"echo '{row}'")
    row = f"8|OUT_OF_MEMORY|0:125|1000|8200|60|n1|{job_name(in_accounts)}"
    site.program("sacct", f"echo '{row}'")
    found = await Statuses(site.transport, site.queue, site.folder).of([in_queue, in_accounts])
    records = [found[job.id].exit for job in (in_queue, in_accounts)]
    assert [record and record.seconds for record in records] == [600.0, 7200.0]


async def test_without_accounting_nothing_is_waited_for(site: Site) -> None:
    job = site.job()
    status = (await Statuses(site.transport, site.queue, site.folder).of([job]))[job.id]
    assert status.missing and status.late == 0.0


async def test_many_that_were_ended_are_explained_by_one_answer(site: Site) -> None:
    site.program("sacct", "")
    jobs = [site.job(record=KILLED) for _ in range(50)]
    statuses = Statuses(site.transport, site.queue, site.folder)
    assert await statuses.of(jobs) == {}
    assert site.asked() == ["squeue", "sacct"]


async def test_what_has_ended_is_told_while_slurm_does_not_answer(site: Site) -> None:
    site.program("squeue", "echo 'slurm_load_jobs error: Unable to contact' >&2; exit 1")
    ended, runs = site.job(record=ExitRecord("COMPLETED")), site.job()
    statuses = Statuses(site.transport, site.queue, site.folder)
    found = await statuses.of([runs, ended])
    assert {job_id: status.state for job_id, status in found.items()} == {ended.id: State.COMPLETED}
    with pytest.raises(PlaceError, match="Unable to contact"):
        await statuses.of([runs])


async def test_a_record_that_nobody_can_read_ends_nothing(site: Site) -> None:
    job = site.job()
    site.program("squeue", f"echo '7|RUNNING|p|900|N/A|10:00|1|n1|None|{job_name(job)}'")
    for text in ("[" * 50_000, '{"state": []}', "null"):
        (site.folder / "root" / "jobs" / job.id / "exit.json").write_text(text)
        status = (await Statuses(site.transport, site.queue, site.folder).of([job]))[job.id]
        assert status.state is State.RUNNING


async def test_the_sites_own_variables_reach_its_programs(site: Site) -> None:
    done = await site.queue.command("printenv", "SLURM_CONF_SERVER", "SLURM_TIME_FORMAT")
    assert done.stdout == b"controller\n%s\n"


async def test_a_submit_asks_for_nodes_where_it_would_be_refused(site: Site) -> None:
    target = TargetConfig(name="dgx", executor="slurm", root=site.folder / "root")
    executor = SlurmExecutor(target)
    values = ("p*", "n1", "idle", "0/4/0/4", "4000", "0", "1-00:00:00", "10:00", "", "", "")
    widths = NODE_COLUMNS.values()
    line = "".join(f"{value:<{width}}" for value, width in zip(values, widths, strict=True))
    site.program("sinfo", f"echo '{line}'")
    for name in ("scontrol", "sacctmgr"):
        site.program(name, "exit 1")
    try:
        await executor.check(Resources(cpus=4))
        (at, nodes), (since, text) = executor.queue._nodes, executor.queue._in_use
        executor.queue._nodes, executor.queue._in_use = (at - 60, nodes), (since - 60, text)
        await executor.check(Resources(cpus=4))
        assert site.asked().count("sinfo") == 1
        with pytest.raises(UsageError, match="at most 4 cores"):
            await executor.check(Resources(cpus=8))
        assert site.asked().count("sinfo") == 2
    finally:
        executor.transport.close()


async def test_warnings_among_the_waiting_are_no_jobs(site: Site) -> None:
    site.program("squeue", "echo 'a warning: loved'; echo 4711")
    assert await site.queue.waiting("p") == 1
    image = site.folder / "root" / "images" / "x.sif"
    image.parent.mkdir(parents=True)
    image.touch()
    os.utime(image, (0.0, 0.0))
    # what waits since long ago may need it, and so may what nobody can read the time of
    for said in ("0", "1970-01-01T00:00:00"):
        site.program("squeue", f"echo 'a warning: loved'; echo {said}")
        await prune(site.transport, site.queue, 1.0)
        assert image.exists()
    site.program("squeue", "echo 'a warning: loved'")
    await prune(site.transport, site.queue, 1.0)
    assert not image.exists()


def told(row: Row | None, seconds: float, cause: str = Cause.PREEMPTED) -> JobStatus | None:
    record = ExitRecord("FAILED", cause, "told to end", finished_at=1000.0, seconds=60.0)
    return ended_from_outside(row, record, seconds)


def row(state: str, start: float = 900.0) -> Row:
    return Row("7", state, "x.01abc", start=start, limit=3600.0)


@pytest.mark.parametrize("state", ["RUNNING", "COMPLETING"])
def test_an_end_that_slurm_has_not_seen_is_waited_for(state: str) -> None:
    assert told(row(state), SHARED + 1) is None
    late = told(row(state), SETTLED + 1)
    assert late is not None and late.exit is not None and late.exit.cause == Cause.PREEMPTED
    # nobody puts back what ended by itself
    died = told(row(state), SHARED + 1, Cause.KERNEL_DIED)
    assert died is not None and died.exit is not None
    assert told(None, SHARED - 1) is None and told(None, SHARED + 1) is not None


def test_the_record_of_an_earlier_attempt_ends_nothing() -> None:
    # the one that ended last began after that
    assert told(row("COMPLETED", 1120.0), 0.0) is None
    assert told(row("COMPLETED", 1120.0), SHARED + 1) is not None
    again = told(row("RUNNING", 1120.0), 0.0)
    assert again is not None and again.state is State.PENDING
    waits = told(row("PENDING", 1120.0), 0.0)
    assert waits is not None and waits.state is State.PENDING
    same = told(row("CANCELLED"), 0.0)
    assert same is not None and same.state is State.CANCELLED
