"""Hand a job to its place from the main thread; interrupted or not, no job is left nameless."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import blocking
from ..job import Job
from ..telling import listening
from .telling import Told
from .watch import Detached, cancel, inside_a_job, let_go, say

if TYPE_CHECKING:
    from ..manager import Manager

#: What is said after so many interrupts.
_WORDS = (
    "",
    "Interrupted; waiting until the job is there. Interrupt again to cancel it.",
    "Cancelling the job as soon as it is there …",
)


def submitted(
    manager: Manager,
    submit: Coroutine[Any, Any, Job],
    staged: Path | None = None,
    known: Callable[[Job], None] = lambda job: None,
) -> Job:
    """The job, once its place has it; ``staged`` is a directory that is not needed any more then.
    ``known`` is told of the job in any case.

    The submit is never cut off, for then nobody would know the job. An interrupt waits for it and
    detaches (raises ``Detached``); a second one cancels the job as soon as there is one, and a
    third one does not wait for that.
    """
    told = Told()
    with listening(told):
        future = blocking.start(_submit(submit, staged))
    interrupts = 0
    while True:
        try:
            if interrupts:
                say(_WORDS[interrupts])
            job = told.result(future)
            break
        except KeyboardInterrupt:
            interrupts += 1
        if interrupts == len(_WORDS):
            future.add_done_callback(lambda done: _cancel_later(manager, done))
            raise Detached("the job is cancelled as soon as its place has it; see %remote jobs")
    known(job)
    if interrupts == 1 and not inside_a_job():
        let_go(manager, job)
    elif interrupts:
        cancel(manager, job)
    return job


def tell_detached(job: Job) -> None:
    """Say how to come back to a job that nobody waits for."""
    say(
        f"{job.spec.target}: job {job.id} is {job.state.value}. "
        f"Watch it and take its results: %remote attach {job.id}"
    )


async def _submit(submit: Coroutine[Any, Any, Job], staged: Path | None) -> Job:
    try:
        return await submit
    finally:
        if staged is not None:
            # moved into the job, if all went well
            shutil.rmtree(staged, ignore_errors=True)


def _cancel_later(manager: Manager, submit: Future[Job]) -> None:
    if submit.exception() is None:
        blocking.start(manager.cancel(submit.result().id))
