"""Wait for a job in the main thread, interruptibly, while a background loop follows it."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from .. import blocking
from ..errors import HybridError
from ..events import Event
from ..job import Job, State

if TYPE_CHECKING:
    from ..manager import Manager

#: Seconds after an interrupt in which another one cancels the job.
SECOND_CHANCE = 2.0
#: The environment variable that a job's own kernel has.
INSIDE = "JUPYTER_HYBRID_JOB_DIR"
#: Seconds of waiting after which the reason is shown.
WORTH_A_WORD = 5.0


class Detached(HybridError):
    """The cell was interrupted."""


def items(manager: Manager, job_id: str) -> Iterator[Event | Job | None]:
    """Events and records of the job as they come; None when nothing more is to be had just now."""
    queue: SimpleQueue[Any] = SimpleQueue()

    async def pump() -> None:
        try:
            async for item in manager.follow(job_id):
                queue.put(item)
            queue.put(StopIteration())
        except BaseException as error:
            queue.put(error)
            raise

    future = blocking.start(pump())
    try:
        while True:
            try:
                item = queue.get_nowait()
            except Empty:
                yield None
                item = queue.get()
            if isinstance(item, StopIteration):
                return
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        future.cancel()


def watch(manager: Manager, job: Job, show: Callable[[Event | Job | None], None]) -> Job:
    """Show everything until the job has ended; returns its last record.

    An interrupt detaches (raises ``Detached``); a second one cancels the job and waits for its end.
    Within a job, the first one does: a job takes along what it began. Where the job is being
    cancelled already, an interrupt only ends the waiting.
    """
    try:
        for item in items(manager, job.id):
            if isinstance(item, Job):
                job = item
            show(item)
        return job
    except KeyboardInterrupt:
        if job.wanted is State.CANCELLED:
            raise Detached(_is_cancelled(job)) from None
        let_go(manager, job)
        # what was shown is not shown again
        return _await_end(manager, job)


def let_go(manager: Manager, job: Job) -> None:
    """Raise ``Detached``, unless another interrupt follows; then ask the job to end."""
    if inside_a_job():
        cancel(manager, job)
        return
    try:
        say("\nInterrupted; the job goes on. Interrupt again now to cancel it.")
        time.sleep(SECOND_CHANCE)
    except KeyboardInterrupt:
        cancel(manager, job)
        return
    raise Detached(_goes_on(job))


def let_go_if_interrupted(job: Job) -> AbstractContextManager[None]:
    """An interrupt of the block detaches."""
    return interruptible(_goes_on(job))


def _goes_on(job: Job) -> str:
    return (
        f"job {job.id} goes on. Watch it again: %remote attach {job.id} · "
        f"end it: %remote cancel {job.id}"
    )


def inside_a_job() -> bool:
    """True where this kernel is a job's own: once that ends, nobody comes back to what it began."""
    return bool(os.environ.get(INSIDE))


def say(line: str) -> None:
    """One line, at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


@contextmanager
def interruptible(sentence: str) -> Iterator[None]:
    """An interrupt of the block raises ``Detached`` with this sentence: nobody sees our stack."""
    try:
        yield
    except KeyboardInterrupt:
        raise Detached(sentence) from None


def cancel(manager: Manager, job: Job) -> None:
    """Ask the job to end, and say so."""
    with _being_cancelled(job):
        say(f"Cancelling job {job.id} …")
        blocking.run(manager.cancel(job.id))


def _await_end(manager: Manager, job: Job) -> Job:
    with _being_cancelled(job):
        for item in items(manager, job.id):
            if isinstance(item, Job):
                job = item
    return job


def _being_cancelled(job: Job) -> AbstractContextManager[None]:
    return interruptible(_is_cancelled(job))


def _is_cancelled(job: Job) -> str:
    return f"job {job.id} is being cancelled; %remote status {job.id}"


def is_waiting(job: Job) -> bool:
    """True where the job has waited long enough for its user to wonder why."""
    long = time.time() - job.created_at >= WORTH_A_WORD
    return job.state is State.PENDING and bool(job.reason) and long
