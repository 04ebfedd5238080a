"""How a job's record moves on with what its place says: pure functions, no I/O.

The place is the truth and silence is no news (design §4.2). Any process may call these with the
same news, in any order, any number of times.
"""

from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from .events import Event, Kind
from .executors.base import JobStatus
from .job import TRANSITIONS, Job, State
from .runner.endings import cancelled
from .spec import Cause, ExitRecord

_ENDING = (signal.SIGTERM, signal.SIGKILL)


def advance(job: Job, status: JobStatus, *, now: float, lost_after: float) -> Job:
    """The job with the place's news taken in; the same object where nothing is new."""
    if job.state.final:
        return job
    if status.exit is not None:
        return finish(job, _as_wanted(job, status.exit), now=now)
    if status.state.final:
        # a place without exit records: its own word is the job's
        return finish(job, _as_wanted(job, _own_word(status)), now=now)
    if status.missing:
        return _missing(job, status, now=now, lost_after=lost_after)
    changes: dict[str, Any] = {}
    if status.handle is not None and dict(status.handle) != dict(job.handle or {}):
        changes["handle"] = status.handle
    if job.missing_since is not None:
        changes.update(missing_since=None, missing_last=None, missing_seen=0)
    if status.state in TRANSITIONS[job.state]:
        changes["state"] = status.state
    if status.state is State.RUNNING and job.started_at is None:
        changes["started_at"] = now
    if status.reason != job.reason and not job.refused:
        changes["reason"] = status.reason
    return job.evolve(**changes) if changes else job


def _own_word(status: JobStatus) -> ExitRecord:
    known = status.state in (State.COMPLETED, State.FAILED, State.CANCELLED)
    cause = {State.CANCELLED: Cause.CANCELLED, State.LOST: Cause.LOST}.get(status.state)
    return ExitRecord(status.state.value if known else "FAILED", cause, status.reason)


def _as_wanted(job: Job, record: ExitRecord) -> ExitRecord:
    """The record in the light of what was asked for here."""
    if record.state == "COMPLETED":
        return record
    if job.refused:
        return replace(record, state="FAILED", cause=Cause.REFUSED, message=job.refused)
    if job.wanted is State.CANCELLED and _from_outside(record):
        # the place ended it because we asked, though what left the record could not know that
        ours = cancelled()
        return replace(record, state=ours.state, cause=ours.cause, message=ours.message)
    return record


def _from_outside(record: ExitRecord) -> bool:
    """True for an end by signals as places send them to all processes of a job."""
    died = record.cause in (Cause.KERNEL_DIED, Cause.RUNNER_DIED) and record.signal in _ENDING
    return died or record.cause == Cause.PREEMPTED


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
        missing_last=None,
        missing_seen=0,
        current="",
    )


#: A job is lost after it was looked for so often in vain, over the whole grace period: then one
#: jump of the clock, or a laptop that slept, does not lose it.
SIGHTINGS = 4


def _missing(job: Job, status: JobStatus, *, now: float, lost_after: float) -> Job:
    where = f"on {job.spec.target}"
    if job.refused and not status.started:
        return finish(job, ExitRecord("FAILED", Cause.REFUSED, job.refused), now=now)
    if job.wanted is None and not job.refused:
        lost_after = max(lost_after, status.late)
    since, last = job.missing_since, job.missing_last
    if since is None or last is None or last > now:
        return job.evolve(
            missing_since=now, missing_last=now, missing_seen=1, reason=status.reason or job.reason
        )
    if now - last < lost_after / SIGHTINGS:
        return job
    if now - since < lost_after or job.missing_seen < SIGHTINGS:
        return job.evolve(missing_last=now, missing_seen=job.missing_seen + 1)
    if job.refused:
        return finish(job, ExitRecord("FAILED", Cause.REFUSED, job.refused), now=now)
    if job.wanted is State.CANCELLED:
        message = f"cancelled; {where} nothing of the job is left"
        return finish(job, ExitRecord("CANCELLED", Cause.CANCELLED, message), now=now)
    if not status.started:
        message = f"the submit was interrupted before anything ran {where}; submit it again"
        # whoever does that by the same request gets another job
        job = replace(job, submit_key="")
        return finish(job, ExitRecord("FAILED", Cause.SUBMIT_INTERRUPTED, message), now=now)
    message = (
        f"{status.reason or f'the job is not known {where} any more'}, and it left no exit record; "
        "what it printed and wrote until then is kept"
    )
    # nobody may have looked for long
    ended = now - max(0.0, status.silent or 0.0)
    return _lost(job, message, now=max(ended, job.started_at or ended))


def orphan(job: Job, *, now: float) -> Job:
    """The job, given up with its target: else it would be among those that run for ever."""
    words = (
        f"the target {job.spec.target!r} is not configured any more, so what the job does there "
        "can be neither seen nor ended from here; if it still runs, end it with the place's own "
        "tools"
    )
    return job if job.state.final else _lost(job, words, now=now)


def _lost(job: Job, message: str, *, now: float) -> Job:
    return job.evolve(
        state=State.LOST,
        exit=ExitRecord("FAILED", Cause.LOST, message),
        reason=message,
        finished_at=now,
        current="",
    )


#: Events that say how far a job is.
_TELLING = (Kind.STARTED, Kind.KERNEL, Kind.CELL, Kind.CELL_END)


def add_event(events: list[tuple[Event, int]], line: tuple[Event, int]) -> None:
    """Append it for ``take_events``, which needs those that tell and the last: few of many."""
    if events and events[-1][0].kind not in _TELLING:
        del events[-1]
    events.append(line)


def take_events(job: Job, events: Sequence[tuple[Event, int]]) -> Job:
    """The job with its progress as of these events, each with the offset at which it ends.

    Events that were counted already, by whichever process, are passed over.
    """
    changes: dict[str, Any] = {}
    for event, end in events:
        if end <= job.events_offset:
            continue
        changes["events_offset"] = end
        data = event.data
        if event.kind == Kind.STARTED:
            # the record of its end will count the seconds of its last attempt
            if job.started_at is None or int(data.get("attempt") or 1) > 1:
                # (a clock that is behind ours does not start it before it was asked for)
                changes["started_at"] = max(event.time, job.created_at)
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
    return job.evolve(**changes) if changes else job
