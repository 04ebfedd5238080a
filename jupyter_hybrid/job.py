"""A job as the submitting side remembers it, and the one table of its states."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from enum import Enum
from typing import Any

from .spec import ExitRecord, JobSpec

#: Crockford's base 32, in lower case: digits and letters that are not mistaken for one another.
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
#: Characters at an id's end that tell a user's jobs apart: in names of files, and on the terminal.
SHORT_ID = 8


def new_job_id(now: float | None = None, *, after: str = "") -> str:
    """26 characters that sort by time: 48 bits of milliseconds, then 80 random bits (as ULIDs).

    It sorts behind the id ``after`` even where the clock has been set back since that was made.
    """
    milliseconds = int((time.time() if now is None else now) * 1000)
    if after:
        earlier = sum(_ALPHABET.index(letter) << 5 * i for i, letter in enumerate(after[::-1]))
        milliseconds = max(milliseconds, (earlier >> 80) + 1)
    number = (milliseconds & (1 << 48) - 1) << 80 | int.from_bytes(os.urandom(10), "big")
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))


class State(str, Enum):
    """Where a job stands (design §5)."""

    #: Recorded here; nothing exists elsewhere yet.
    CREATED = "CREATED"
    #: The place accepted it and waits with it.
    PENDING = "PENDING"
    #: The runner's first event was read, or the place says so.
    RUNNING = "RUNNING"
    #: Every cell ran.
    COMPLETED = "COMPLETED"
    #: Something in the job went wrong; ``Job.exit`` says what.
    FAILED = "FAILED"
    #: Ended because somebody asked for it.
    CANCELLED = "CANCELLED"
    #: The place does not know it and no exit record came.
    LOST = "LOST"

    @property
    def final(self) -> bool:
        """True where the state never changes again."""
        return not TRANSITIONS[self]


TRANSITIONS: Mapping[State, frozenset[State]] = {
    State.CREATED: frozenset(
        {
            State.PENDING,
            State.RUNNING,
            State.COMPLETED,
            State.FAILED,
            State.CANCELLED,
            State.LOST,
        }
    ),
    State.PENDING: frozenset(
        {State.RUNNING, State.COMPLETED, State.FAILED, State.CANCELLED, State.LOST}
    ),
    # a requeued job waits again
    State.RUNNING: frozenset(
        {State.PENDING, State.COMPLETED, State.FAILED, State.CANCELLED, State.LOST}
    ),
    State.COMPLETED: frozenset(),
    State.FAILED: frozenset(),
    State.CANCELLED: frozenset(),
    State.LOST: frozenset(),
}


@dataclass(frozen=True, kw_only=True)
class Job:
    """A job as it was when last written. Changes make a new record (``evolve``)."""

    #: 26 lower-case characters, sortable by the time of submission.
    id: str
    spec: JobSpec
    state: State = State.CREATED
    #: The state somebody asked for, where it is not reached yet (``CANCELLED``).
    wanted: State | None = None
    #: The place's own id for the job: JSON, usable from any process.
    handle: Mapping[str, Any] | None = None
    #: Directory of the job at the place.
    directory: str
    #: Directory here that the work directory stands for; results are brought back to it.
    base: str = ""
    #: What its submit gave, once for all attempts of one; no other job of the store has it.
    submit_key: str = ""
    #: Why it waits or what it does, in plain words.
    reason: str = ""
    #: Code cells done and to do, and the first line of the current one.
    cells_done: int = 0
    cells_total: int | None = None
    current: str = ""
    #: Bytes of the events that the progress above was read from.
    events_offset: int = 0
    #: Since when the place has not known the job, when it was looked for last, and how often; None
    #: where it knows it.
    missing_since: float | None = None
    missing_last: float | None = None
    missing_seen: int = 0
    #: Why its submit failed half-way; the job fails with it once its place confirms the end.
    refused: str = ""
    #: What the user should know of what travelled, and of what did not.
    notes: tuple[str, ...] = ()
    exit: ExitRecord | None = None
    #: Seconds since the epoch, by this machine's clock.
    created_at: float
    started_at: float | None = None
    finished_at: float | None = None
    #: Counts the saves; compare-and-set rests on it.
    revision: int = 0
    #: What came back and where it was put, by fetch.
    fetched: Mapping[str, Any] = field(default_factory=dict)

    def lasted(self, now: float | None = None) -> float | None:
        """Seconds that it ran, by its place's own count; ``now`` is the end of what still runs.

        None before it has started, and of what runs without a ``now``.
        """
        if self.exit is not None and self.exit.seconds is not None:
            return self.exit.seconds
        end = now if self.finished_at is None else self.finished_at
        return None if self.started_at is None or end is None else max(0.0, end - self.started_at)

    def to_json(self) -> dict[str, Any]:
        """A JSON object; ``from_json`` reads it back."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        values["spec"] = self.spec.to_json()
        values["state"] = self.state.value
        values["wanted"] = self.wanted.value if self.wanted else None
        values["exit"] = self.exit.to_json() if self.exit else None
        return values

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Job:
        """Read ``to_json``'s object, ignoring keys of newer versions."""
        known = {f.name for f in fields(cls)}
        values = {key: value for key, value in data.items() if key in known}
        values["spec"] = JobSpec.from_json(values["spec"])
        values["state"] = State(values["state"])
        values["notes"] = tuple(values.get("notes") or ())
        values["wanted"] = State(values["wanted"]) if values.get("wanted") else None
        values["exit"] = ExitRecord.from_json(values["exit"]) if values.get("exit") else None
        return cls(**values)

    def evolve(self, **changes: Any) -> Job:
        """This job with some fields changed.

        Raises ``ValueError`` where the table of transitions does not allow the new state.
        """
        state = changes.get("state", self.state)
        if state is not self.state and state not in TRANSITIONS[self.state]:
            raise ValueError(f"job {self.id} cannot go from {self.state.value} to {state.value}")
        return replace(self, **changes)
