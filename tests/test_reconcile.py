"""The record moves on with the place's news, and only with them."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_hybrid import reconcile
from jupyter_hybrid.events import Event, Kind
from jupyter_hybrid.executors.base import JobStatus
from jupyter_hybrid.job import TRANSITIONS, Job, State, new_job_id
from jupyter_hybrid.spec import Cause, ExitRecord, JobSpec

SPEC = JobSpec(name="demo", target="local", kind="notebook")


def a_job(**changes: Any) -> Job:
    values: dict[str, Any] = {
        "id": new_job_id(),
        "spec": SPEC,
        "directory": "/j",
        "created_at": 1.0,
    }
    return Job(**{**values, **changes})


def advance(job: Job, status: JobStatus, now: float = 100.0) -> Job:
    return reconcile.advance(job, status, now=now, lost_after=10.0)


def looked_for(job: Job, status: JobStatus, *times: float) -> Job:
    for now in times:
        job = advance(job, status, now=now)
    return job


def test_ids_sort_by_time_and_differ() -> None:
    ids = [new_job_id(now) for now in (1.0, 1.5, 2.0, 1e9, 2e9)]
    assert ids == sorted(ids)
    assert all(len(i) == 26 for i in ids)
    assert len({new_job_id(5.0) for _ in range(1000)}) == 1000
    # the clock is set back
    ids += [new_job_id(1e9, after=ids[-1])]
    assert ids == sorted(ids)


@pytest.mark.parametrize("state", [state for state in State if not TRANSITIONS[state]])
def test_final_states_never_change(state: State) -> None:
    assert state.final
    job = a_job(state=state)
    assert advance(job, JobStatus(state=State.RUNNING)) is job
    assert advance(job, JobStatus(state=State.RUNNING, missing=True)) is job
    with pytest.raises(ValueError, match="cannot go from"):
        job.evolve(state=State.RUNNING)


def test_no_news_is_the_same_object() -> None:
    job = a_job(state=State.RUNNING, started_at=3.0, reason="busy")
    assert advance(job, JobStatus(state=State.RUNNING, reason="busy")) is job


def test_running_and_back_to_pending_after_a_requeue() -> None:
    job = advance(a_job(), JobStatus(state=State.RUNNING), now=7.0)
    assert (job.state, job.started_at) == (State.RUNNING, 7.0)
    job = advance(job, JobStatus(state=State.PENDING, reason="requeued"))
    assert (job.state, job.reason) == (State.PENDING, "requeued")


def test_an_exit_record_ends_the_job_with_its_own_sentence() -> None:
    record = ExitRecord("FAILED", Cause.OUT_OF_MEMORY, "used 3 GB of 2 GB", seconds=4.0)
    job = advance(
        a_job(state=State.RUNNING, started_at=10.0), JobStatus(state=State.FAILED, exit=record)
    )
    assert (job.state, job.reason, job.exit) == (State.FAILED, "used 3 GB of 2 GB", record)
    assert job.finished_at == 14.0


def test_a_job_began_when_it_began_and_not_when_somebody_looked() -> None:
    began = [(Event(1, 40.0, Kind.STARTED, {"pid": 1}), 60)]
    job = reconcile.take_events(a_job(), began)
    assert advance(job, JobStatus(state=State.RUNNING), now=100.0).started_at == 40.0
    behind = [(Event(1, 0.5, Kind.STARTED, {"pid": 1}), 60)]
    assert reconcile.take_events(a_job(), behind).started_at == 1.0
    ended = ExitRecord("CANCELLED", Cause.CANCELLED, "cancelled", seconds=30.0)
    job = advance(
        a_job(state=State.RUNNING, started_at=99.0), JobStatus(state=State.CANCELLED, exit=ended)
    )
    assert (job.started_at, job.finished_at) == (70.0, 100.0)


def test_how_long_a_job_ran_is_its_places_count() -> None:
    job = a_job()
    assert job.lasted() is None and job.lasted(9.0) is None
    job = job.evolve(started_at=2.0)
    assert job.lasted() is None and job.lasted(9.0) == 7.0
    assert job.lasted(1.0) == 0.0  # the clock was set back
    job = job.evolve(finished_at=5.0)
    assert job.lasted(9.0) == 3.0
    assert job.evolve(exit=ExitRecord("COMPLETED", seconds=1.5)).lasted(9.0) == 1.5


def test_missing_is_lost_only_after_the_grace_period() -> None:
    handle = {"pid": 1}
    job = a_job(state=State.RUNNING, handle=handle)
    gone = JobStatus(state=State.RUNNING, missing=True, reason="the process is gone")
    job = advance(job, gone, now=100.0)
    assert (job.state, job.missing_since) == (State.RUNNING, 100.0)
    assert advance(job, gone, now=101.0) is job
    found = advance(job, JobStatus(state=State.RUNNING), now=106.0)
    assert (found.state, found.missing_since, found.missing_seen) == (State.RUNNING, None, 0)
    lost = looked_for(job, gone, 103.0, 106.0, 109.0, 112.0)
    assert lost.state is State.LOST
    assert "the process is gone" in lost.reason and "kept" in lost.reason


def test_a_place_that_may_still_hear_of_a_job_is_waited_for() -> None:
    gone = JobStatus(state=State.RUNNING, missing=True, late=60.0)
    job = advance(a_job(state=State.RUNNING, handle={"pid": 1}), gone, now=100.0)
    job = looked_for(job, gone, 115.0, 130.0, 145.0)
    assert job.state is State.RUNNING
    assert looked_for(job, gone, 160.0, 175.0).state is State.LOST


def test_a_lost_job_ran_until_it_was_last_heard_of() -> None:
    gone = JobStatus(state=State.RUNNING, missing=True, silent=3000.0)
    times = (9000.0, 9003.0, 9006.0, 9009.0, 9012.0)
    job = looked_for(a_job(state=State.RUNNING, started_at=5000.0), gone, *times)
    assert (job.state, job.lasted()) == (State.LOST, 1012.0)
    job = looked_for(a_job(state=State.RUNNING, started_at=8000.0), gone, *times)
    assert job.lasted() == 0.0


def test_the_dates_of_a_job_that_began_again_are_those_of_its_last_attempt() -> None:
    lines = [(Event(n, 1000.0 * n, Kind.STARTED, {"attempt": n}), n) for n in (1, 2)]
    record = ExitRecord("COMPLETED", seconds=500.0)
    for events in ((lines,), ([lines[0]], [lines[1]])):
        job = a_job()
        for seen in events:
            job = reconcile.take_events(job, seen)
            job = advance(job, JobStatus(state=State.RUNNING), now=2100.0)
        job = advance(job, JobStatus(state=State.COMPLETED, exit=record), now=9000.0)
        assert (job.started_at, job.finished_at) == (2000.0, 2500.0)


def test_a_clock_that_jumps_back_starts_the_grace_period_again() -> None:
    gone = JobStatus(state=State.RUNNING, missing=True)
    job = advance(a_job(state=State.RUNNING, handle={"pid": 1}), gone, now=1000.0)
    job = advance(job, gone, now=10.0)
    assert (job.state, job.missing_since) == (State.RUNNING, 10.0)
    assert looked_for(job, gone, 13.0, 16.0, 19.0, 22.0).state is State.LOST


def test_a_clock_that_jumps_forward_loses_nothing() -> None:
    gone = JobStatus(state=State.RUNNING, missing=True)
    job = advance(a_job(state=State.RUNNING, handle={"pid": 1}), gone, now=100.0)
    # asleep for eight hours between two looks
    job = advance(job, gone, now=28_900.0)
    assert job.state is State.RUNNING
    assert advance(job, JobStatus(state=State.RUNNING), now=28_901.0).missing_since is None


def test_a_submit_that_died_before_anything_existed_failed() -> None:
    gone = JobStatus(state=State.CREATED, missing=True, started=False)
    job = advance(a_job(), gone, now=1.0)
    job = looked_for(job, gone, 4.0, 7.0, 10.0, 13.0)
    assert job.state is State.FAILED
    assert job.exit is not None and job.exit.cause == Cause.SUBMIT_INTERRUPTED
    assert "submit it again" in job.reason


def test_a_cancelled_job_that_is_gone_is_cancelled() -> None:
    gone = JobStatus(state=State.RUNNING, missing=True)
    job = a_job(state=State.RUNNING, handle={"pid": 1}, wanted=State.CANCELLED)
    job = looked_for(job, gone, 1.0, 4.0, 7.0, 10.0, 13.0)
    assert job.state is State.CANCELLED


def test_a_place_without_exit_records_ends_jobs_by_its_own_word() -> None:
    status = JobStatus(state=State.CANCELLED, reason="taken out of the queue")
    job = advance(a_job(state=State.PENDING), status)
    assert (job.state, job.reason) == (State.CANCELLED, "taken out of the queue")
    assert advance(a_job(), JobStatus(state=State.COMPLETED)).state is State.COMPLETED


def test_a_state_that_cannot_follow_is_no_news() -> None:
    job = a_job(state=State.PENDING, reason="queued")
    assert advance(job, JobStatus(state=State.CREATED, reason="queued")) is job


def test_what_the_place_ended_because_we_asked_is_cancelled() -> None:
    job = a_job(state=State.RUNNING, wanted=State.CANCELLED)
    for cause, signal in [
        (Cause.PREEMPTED, None),
        (Cause.KERNEL_DIED, 15),
        (Cause.RUNNER_DIED, 9),
    ]:
        record = ExitRecord("FAILED", cause, "nobody cancelled it", signal=signal)
        ended = advance(job, JobStatus(state=State.FAILED, exit=record))
        assert (ended.state, ended.reason[:21]) == (State.CANCELLED, "The job was cancelled")
        assert advance(a_job(), JobStatus(state=State.FAILED, exit=record)).state is State.FAILED
    # its own end came before
    record = ExitRecord("FAILED", Cause.KERNEL_DIED, "a segmentation fault", signal=11)
    assert advance(job, JobStatus(state=State.FAILED, exit=record)).state is State.FAILED


def test_a_refused_submit_fails_with_its_own_words() -> None:
    job = a_job(wanted=State.CANCELLED, refused="no quota", handle={"id": 1})
    nothing = JobStatus(state=State.CREATED, missing=True, started=False)
    assert advance(job, nothing).reason == "no quota"
    ended = JobStatus(state=State.CANCELLED, exit=ExitRecord("CANCELLED"))
    assert (advance(job, ended).state, advance(job, ended).reason) == (State.FAILED, "no quota")


def test_progress_is_counted_from_events() -> None:
    events = [
        Event(1, 0.0, Kind.KERNEL, {"name": "python3", "total": 3}),
        Event(2, 0.0, Kind.CELL, {"cell_id": "a", "number": 1, "total": 3, "line": "x = 1"}),
        Event(3, 0.0, Kind.CELL_END, {"cell_id": "a", "status": "ok"}),
        Event(4, 0.0, Kind.CELL, {"cell_id": "b", "number": 2, "total": 3, "line": "fit()"}),
    ]
    lines = [(event, 30 * event.seq) for event in events]
    new = a_job()
    job = reconcile.take_events(new, lines)
    assert (job.cells_done, job.cells_total, job.current) == (1, 3, "fit()")
    assert job.events_offset == 120
    assert reconcile.take_events(job, []) is job
    assert reconcile.take_events(job, lines) is job
    assert reconcile.take_events(reconcile.take_events(new, lines[:2]), lines) == job
    failed = [(Event(5, 0.0, Kind.CELL_END, {"cell_id": "b", "status": "error"}), 140)]
    assert reconcile.take_events(job, failed).cells_done == 1


def test_a_job_that_prints_for_days_is_counted_in_little_memory() -> None:
    kinds = [Kind.STARTED, Kind.KERNEL, Kind.CELL, *[Kind.OUTPUT] * 1000, Kind.CELL_END]
    kinds += [Kind.CELL, *[Kind.OUTPUT] * 1000]
    data = {"total": 2, "number": 2, "line": "fit()", "status": "ok"}
    lines = [(Event(n, 5.0, kind, data), 30 * n) for n, kind in enumerate(kinds, 1)]
    kept: list[tuple[Event, int]] = []
    for line in lines:
        reconcile.add_event(kept, line)
    assert len(kept) == 6
    new = a_job()
    assert reconcile.take_events(new, kept) == reconcile.take_events(new, lines)
    counted = reconcile.take_events(new, lines[:500])
    assert reconcile.take_events(counted, kept) == reconcile.take_events(counted, lines)
