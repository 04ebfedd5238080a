"""What is known of jobs: by their own exit records, then by Slurm's queue and accounting."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ...errors import PlaceError
from ...job import Job, State
from ...paths import job_directory
from ...spec import Cause, ExitRecord
from ...transport import Peek, Transport
from ...units import format_duration
from ..base import JobStatus
from ..locks import is_locked
from ..shipping import relative_directory
from .listing import Row
from .queue import Queue
from .script import WARNING, parse_member
from .words import ENDS, WAITING, end_words, state_of, waiting_words

#: Seconds that an exit record may take to be seen after Slurm has seen the job's end.
SHARED = 5.0
#: Seconds that Slurm may take to see the end of a job that it may put back into its queue.
SETTLED = 120.0
#: Causes behind which may be that somebody or something ended the job from outside.
_FROM_OUTSIDE = frozenset({Cause.PREEMPTED, Cause.KERNEL_DIED, Cause.RUNNER_DIED})
#: Beside the record of a job's number: who has begun to submit it, or the array that it is in.
MARKER = "slurm.id.begun"
#: Files of a job that say how it is, in this order.
_NAMES = ("exit.json", "spec.json", "slurm.id", "runner.json", "cancel", MARKER)

_AGAIN = "it was put back into the queue and starts again, with its first cell"


class Statuses:
    """Says how jobs are. One question to the files and one to Slurm for all of them."""

    def __init__(self, transport: Transport, queue: Queue, home: Path) -> None:
        self._transport, self._queue, self._home = transport, queue, home
        #: When a job was first seen to have ended without a record, by a monotonic clock.
        self._ended: dict[str, float] = {}

    async def of(self, jobs: Sequence[Job]) -> dict[str, JobStatus]:
        """By id; a job of which there is no news is left out. Raises ``PlaceError``."""
        files = await self._files(jobs)
        found: dict[str, JobStatus] = {}
        outside: dict[str, ExitRecord] = {}
        asked = []
        for job in jobs:
            record = exit_record(files[job.id]["exit.json"])
            if record is not None:
                if record.cause not in _FROM_OUTSIDE or job.wanted is not None:
                    found[job.id] = JobStatus(state=State(record.state), exit=record)
                    continue
                outside[job.id] = record
            asked.append(job)
        if not asked:
            return found
        try:
            rows = await self._rows(asked, files, outside)
        except PlaceError:
            # what has ended is told, whatever Slurm does
            if not found:
                raise
            return found
        unsure: PlaceError | None = None
        for job in asked:
            row, record = rows.get(job.id), outside.get(job.id)
            try:
                if record is None:
                    status = await self._open(job, row, files[job.id])
                else:
                    status = self._from_outside(job, row, record)
            except PlaceError as error:
                unsure = error
                continue
            if status is not None:
                found[job.id] = status
        if unsure is not None and not found:
            raise unsure
        return found

    async def _rows(
        self,
        jobs: Sequence[Job],
        files: Mapping[str, Mapping[str, Peek | None]],
        outside: Mapping[str, ExitRecord],
    ) -> dict[str, Row]:
        """What Slurm says of them; of those with a record, after that was seen."""
        arrays = {job.id: member(files[job.id][MARKER]) for job in jobs}
        now = time.monotonic()
        seen = [self._ended.setdefault(job_id, now) for job_id in outside]
        return await self._queue.rows(jobs, arrays, since=max(seen, default=None))

    async def _files(self, jobs: Sequence[Job]) -> dict[str, dict[str, Peek | None]]:
        paths = [f"{relative_directory(job)}/{name}" for job in jobs for name in _NAMES]
        peeks = iter(await self._transport.peek(paths))
        return {job.id: {name: next(peeks) for name in _NAMES} for job in jobs}

    async def _open(
        self, job: Job, row: Row | None, files: dict[str, Peek | None]
    ) -> JobStatus | None:
        """A job without an exit record."""
        number = files["slurm.id"]
        if row is None:
            return self._unknown(job, files)
        handle = _handle(row)
        if row.state in WAITING:
            self._ended.pop(job.id, None)
            return JobStatus(
                state=State.PENDING, reason=await self._waiting(job, row), handle=handle
            )
        state = state_of(row)
        if state is None:
            return None
        if not state.final:
            self._ended.pop(job.id, None)
            begun = files["runner.json"] is not None
            reason = "" if begun else f"starting on {row.nodes}" if row.nodes else "starting"
            if row.state == "SUSPENDED":
                reason = "Slurm has suspended it for others"
            return JobStatus(state=State.RUNNING, reason=reason, handle=handle)
        never_began = files["runner.json"] is None and row.state == "CANCELLED"
        first = self._ended.setdefault(job.id, time.monotonic())
        if number is None and not never_began and job.handle is None:
            return None
        if time.monotonic() - first < SHARED and not never_began:
            # over a network file system its record may be on the way
            return JobStatus(state=State.RUNNING, reason="ending", handle=handle)
        cancelled = files["cancel"] is not None or job.wanted is not None
        word, cause, message = end_words(row, cancelled=cancelled)
        if row.state == "CANCELLED" and not cancelled:
            message += " by somebody else"
        record = ExitRecord(
            word, cause, message,
            code=row.code or None, signal=row.signal or None, seconds=row.seconds,
        )  # fmt: skip
        return JobStatus(state=State(word), exit=record, handle=handle)

    def _unknown(self, job: Job, files: dict[str, Peek | None]) -> JobStatus | None:
        submitted = files["slurm.id"] is not None
        if not submitted and job.wanted is None and is_locked(job_directory(self._home, job.id)):
            # its files are on their way
            return None
        marker = files[MARKER]
        if not submitted:
            # a submit from elsewhere, or that died: the next one finds out
            fresh = marker is not None and marker.age < 60
            return None if fresh else _missing(started=False)
        claim = files["runner.json"]
        if claim is not None and claim.age < 30:
            # its runner shows that it lives
            return JobStatus(state=State.RUNNING)
        silent = claim.age if claim is not None else None
        return _missing(started=True, late=self._queue.late(job), silent=silent)

    async def _waiting(self, job: Job, row: Row) -> str:
        hello = (await self._transport.channel()).hello
        now = time.time()
        ahead = await self._queue.ahead(row)
        offset = float(hello["time"]) - float(hello.get("here", now))
        return waiting_words(row, asked_words(job), ahead, offset, now)

    def _from_outside(self, job: Job, row: Row | None, record: ExitRecord) -> JobStatus | None:
        status = ended_from_outside(row, record, time.monotonic() - self._ended[job.id])
        if status is not None and not status.state.final:
            del self._ended[job.id]
        return status


def member(marker: Peek | None) -> str | None:
    """The place in an array of the job with this marker."""
    return parse_member(marker.content.decode("utf-8", "replace")) if marker else None


def ended_from_outside(row: Row | None, record: ExitRecord, seconds: float) -> JobStatus | None:
    """A job that was ended from outside knows by what, not by whom: Slurm does.

    None while Slurm has not seen its end, or its last record is not to be seen yet; ``seconds`` is
    for how long this one has been.
    """
    if row is not None and _runs_again(row, record):
        return JobStatus(state=State.PENDING, reason=_AGAIN, handle=_handle(row))
    if row is not None and row.state in ENDS:
        if seconds <= SHARED and _began_after(row, record):
            return None
        record = _explained(row, record)
    elif seconds <= (SETTLED if row is not None and record.cause == Cause.PREEMPTED else SHARED):
        return None
    return JobStatus(state=State(record.state), exit=record)


def _handle(row: Row) -> dict[str, str]:
    return {"name": row.name, "job": row.id}


def _runs_again(row: Row, record: ExitRecord) -> bool:
    """Whether Slurm put the job back into its queue after the attempt that left the record.

    It may be on a node already: its runner sets the record aside.
    """
    if row.state in WAITING:
        return True
    # COMPLETING is the attempt that ended
    if record.cause != Cause.PREEMPTED or row.state not in ("RUNNING", "CONFIGURING"):
        return False
    return _began_after(row, record)


def _began_after(row: Row, record: ExitRecord) -> bool:
    """Whether Slurm speaks of a later attempt than the one that left the record."""
    return row.start is not None and row.start > (record.finished_at or row.start)


def _explained(row: Row, record: ExitRecord) -> ExitRecord:
    """The record of a job that Slurm ended, with Slurm's reason."""
    nearly = row.limit is not None and (record.seconds or 0.0) >= row.limit - WARNING - 75
    if record.cause == Cause.PREEMPTED and row.limit and nearly:
        return replace(record, cause=Cause.WALL_TIME, message=_out_of_time(row.limit))
    if row.state == "CANCELLED":
        words = "The job was cancelled, and not from here; what it had printed is kept."
        return replace(record, state="CANCELLED", cause=Cause.CANCELLED, message=words)
    if row.state not in ("COMPLETED", "FAILED"):
        _, cause, words = end_words(row)
        return replace(record, cause=cause, message=words)
    return record


def _out_of_time(limit: float) -> str:
    return (
        f"The job's time of {format_duration(limit)} was nearly up, and it was stopped in order to "
        "save. Ask for more with --time; what it had printed and written until then is kept."
    )


def _missing(*, started: bool, late: float = 0.0, silent: float | None = None) -> JobStatus:
    reason = "Slurm does not know it" if started else "nothing of the job was submitted"
    state = State.RUNNING if started else State.CREATED
    return JobStatus(
        state=state, missing=True, started=started, late=late, silent=silent, reason=reason
    )


def exit_record(peek: Peek | None) -> ExitRecord | None:
    """How the job's last attempt ended; None where it has not."""
    if peek is None:
        return None
    try:
        record = ExitRecord.from_json(json.loads(peek.content))
        return record if State(record.state).final else None
    except (TypeError, ValueError, AttributeError, RecursionError):
        # the job can write there as well; what is no record ends nothing
        return None


def asked_words(job: Job) -> str:
    """What the job asks for: ``2 v100``, ``2 nodes with 4 GPUs``, ``cores``."""
    resources = job.spec.resources
    parts = []
    if resources.nodes > 1:
        parts.append(f"{resources.nodes} nodes")
    if resources.gpus:
        kind = resources.gpu_type or f"GPU{'s' if resources.gpus > 1 else ''}"
        parts.append(f"{resources.gpus} {kind}")
    return " with ".join(parts) or "a place"
