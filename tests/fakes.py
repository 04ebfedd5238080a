"""A place that misbehaves in every way a real one does, on demand.

fake = Fake()
manager = a_manager_of(fake)
fake.polls = [PlaceError("down"), {}, running()]      # one entry a poll; the last one stays
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from jobs import a_manager

from jupyter_hybrid.bundle import Bundle
from jupyter_hybrid.errors import HybridError
from jupyter_hybrid.events import Event
from jupyter_hybrid.executors.base import Executor, Handle, JobStatus, Offer, TargetConfig
from jupyter_hybrid.job import Job, State
from jupyter_hybrid.manager import Manager
from jupyter_hybrid.spec import ExitRecord, Resources

#: What one poll answers for every job: a status, nothing (``None``), or an error.
Answer = JobStatus | HybridError | None


async def nothing(place: Fake) -> None:
    """Keeps nobody waiting."""


class Fake(Executor):
    """An executor whose place does what the test says."""

    name = "fake"

    def __init__(self, target: str = "fake") -> None:
        super().__init__(TargetConfig(name=target, executor="fake", root=Path("/nowhere")))
        #: Handles that submit yields, or makes when it comes to them; an error is raised instead.
        self.handles: list[Handle | Callable[[], Handle] | BaseException] = [{"id": 1}]
        #: Answers to the polls, in turn; the last one stays.
        self.polls: list[Answer] = [None]
        #: Errors of the next cancels, in turn; None: it is accepted.
        self.cancels: list[HybridError | None] = []
        #: The content of events.jsonl; an error is raised instead.
        self.events: bytes | HybridError = b""
        #: The contents of other files of the job, by name.
        self.files: dict[str, bytes] = {}
        #: Awaited before it answers a question.
        self.met: Callable[[Fake], Awaitable[None]] = nothing
        #: What was called, in order.
        self.calls: list[str] = []
        #: Handles of the jobs that were to be cancelled.
        self.cancelled: list[Handle | None] = []

    async def offers(self, resources: Resources) -> Sequence[Offer]:
        await self.met(self)
        return [Offer(target=self.target.name, hardware="imaginary")]

    async def submit(self, job: Job, bundle: Bundle) -> AsyncIterator[Handle]:
        for handle in self.handles:
            if isinstance(handle, BaseException):
                raise handle
            self.calls.append("handle")
            yield handle() if callable(handle) else handle

    async def poll(self, jobs: Sequence[Job]) -> Mapping[str, JobStatus]:
        self.calls.append("poll")
        await self.met(self)
        answer = self.polls.pop(0) if len(self.polls) > 1 else self.polls[0]
        if isinstance(answer, HybridError):
            raise answer
        return {} if answer is None else {job.id: answer for job in jobs}

    async def read(self, job: Job, name: str, offset: int) -> bytes:
        if isinstance(self.events, HybridError):
            raise self.events
        content = self.events if name == "events.jsonl" else self.files.get(name, b"")
        return content[offset:]

    async def cancel(self, job: Job, *, force: bool = False) -> None:
        self.calls.append("cancel")
        self.cancelled.append(job.handle)
        error = self.cancels.pop(0) if self.cancels else None
        if error is not None:
            raise error

    async def cleanup(self, job: Job) -> None:
        self.calls.append("cleanup")

    async def fetch(self, job: Job, directory: Path) -> Path:
        self.calls.append("fetch")
        return directory


def a_manager_of(fake: Fake, **config: Any) -> Manager:
    """A manager whose target ``fake`` is this place."""
    targets = {"fake": {"executor": "fake"}}
    manager = a_manager(targets=targets, default_target="fake", **config)
    manager._executors["fake"] = fake
    return manager


def running() -> JobStatus:
    """The place says that the job runs."""
    return JobStatus(state=State.RUNNING)


def missing() -> JobStatus:
    """The place does not know the job."""
    return JobStatus(state=State.RUNNING, missing=True, reason="never heard of it")


def ended(state: str = "COMPLETED") -> JobStatus:
    """An exit record was read."""
    return JobStatus(state=State(state), exit=ExitRecord(state))


def lines(*events: tuple[int, str]) -> bytes:
    """Event lines with these numbers and kinds."""
    return b"".join(Event(seq, 0.0, kind).to_line() for seq, kind in events)
