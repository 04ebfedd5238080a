"""How a job's record moves on with what its place says: pure functions, no I/O.

The place is the truth and silence is no news (design §4.2). Any process may call these with the
same news, in any order, any number of times.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .events import Event, Kind
from .executors.base import JobStatus
from .job import Job, State
from .spec import Cause, ExitRecord


def advance(job: Job, status: JobStatus, *, now: float, lost_after: float) -> Job:
    """The job with the place's news taken in; the same object where nothing is new."""
    if job.state.final:
        return job
    if status.exit is not None:
        return finish(job, status.exit, now=now)
    if status.missing:
        return _missing(job, status, now=now, lost_after=lost_after)
    changes: dict[str, Any] = {}
    if status.handle is not None and dict(status.handle) != dict(job.handle or {}):
        changes["handle"] = status.handle
    if job.missing_since is not None:
        changes["missing_since"] = None
    if status.state is not job.state and not status.state.final:
        changes["state"] = status.state
    if status.state is State.RUNNING and job.started_at is None:
        changes["started_at"] = now
    if status.reason != job.reason:
        changes["reason"] = status.reason
    return job.evolve(**changes) if changes else job


def finish(job: Job, exit_record: ExitRecord, *, now: float) -> Job:
    """The job, ended as the record says."""
    state = State(exit_record.state)
    seconds = exit_record.seconds
    finished = now
    started = job.started_at
    # the place's clock need not be ours: its duration is worth more than its dates
    if seconds is not None:
        if started is not None:
            finished = min(now, started + seconds)
        # nor need anybody have looked when it began
        started = min(finished if started is None else started, finished - seconds)
    return job.evolve(
        state=state,
        exit=exit_record,
        reason=exit_record.message,
        finished_at=finished,
        started_at=finished if started is None else started,
        missing_since=None,
        current="",
    )


def _missing(job: Job, status: JobStatus, *, now: float, lost_after: float) -> Job:
    since = job.missing_since
    # a clock that was set back must not keep a job waiting for ever, nor one set forward lose it
    # at the first sight: the first sight only notes the time
    if since is None or since > now:
        return job.evolve(missing_since=now, reason=status.reason)
    if now - since < lost_after:
        return job
    where = f"on {job.spec.target}"
    if job.wanted is State.CANCELLED:
        message = f"cancelled; {where} nothing of the job is left"
        return finish(job, ExitRecord("CANCELLED", Cause.CANCELLED, message), now=now)
    if not status.started:
        message = f"the submit was interrupted before anything ran {where}; submit it again"
        return finish(job, ExitRecord("FAILED", Cause.SUBMIT_INTERRUPTED, message), now=now)
    message = (
        f"{status.reason or f'the job is not known {where} any more'}, and it left no exit record; "
        "what it printed and wrote until then is kept"
    )
    return job.evolve(
        state=State.LOST,
        exit=ExitRecord("FAILED", Cause.LOST, message),
        reason=message,
        finished_at=now,
        current="",
    )


def take_events(job: Job, events: Sequence[Event], offset: int) -> Job:
    """The job with its progress as of these events, which end at byte ``offset`` of the file."""
    changes: dict[str, Any] = {}
    for event in events:
        data = event.data
        if event.kind == Kind.STARTED and job.started_at is None:
            # (a clock that is behind ours does not start it before it was asked for)
            changes.setdefault("started_at", max(event.time, job.created_at))
        elif event.kind == Kind.KERNEL and data.get("total") is not None:
            changes["cells_total"] = int(data["total"])
        elif event.kind == Kind.CELL:
            changes["cells_done"] = int(data.get("number", 1)) - 1
            changes["cells_total"] = int(data.get("total") or 0) or job.cells_total
            changes["current"] = str(data.get("line", ""))
        elif event.kind == Kind.CELL_END:
            changes["current"] = ""
            if data.get("status") == "ok":
                done = changes.get("cells_done", job.cells_done)
                changes["cells_done"] = done + 1
    if offset != job.events_offset:
        changes["events_offset"] = offset
    return job.evolve(**changes) if changes else job
