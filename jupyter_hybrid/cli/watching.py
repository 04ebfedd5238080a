"""Watch a job until it ends or the user lets go of it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import HybridError
from ..job import Job
from . import INTERRUPTED
from .interrupts import Interrupts
from .naming import short_id
from .terminal import Terminal

if TYPE_CHECKING:
    from ..manager import Manager
    from ..progress import Progress

T = TypeVar("T")

#: Seconds after the first Ctrl-C in which a second one cancels the job.
SECOND_INTERRUPT = 2.0
#: Seconds after which it is shown what the job waits for.
SHOW_WAITING = 1.0


class Detached(Exception):
    """The user, or the end of this process, let go of the job."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        #: Exit status.
        self.status = status


async def submitted(submit: Coroutine[Any, Any, Job], interrupts: Interrupts) -> Job:
    """The job, once its place has it: a first Ctrl-C waits for that, so that no job is orphaned.

    Raises ``KeyboardInterrupt`` at the second one.
    """
    return await _unless(interrupts.reached(2), submit)


async def unless_interrupted(work: Coroutine[Any, Any, T], interrupts: Interrupts) -> T:
    """The work's result; raises ``Detached`` at the next Ctrl-C, or where the process shall end."""
    try:
        return await _unless(interrupts.reached(interrupts.count + 1), work)
    except KeyboardInterrupt:
        number = interrupts.ended_by
        raise Detached(INTERRUPTED if number is None else 128 + number) from None


async def _unless(interrupted: asyncio.Future[None], work: Coroutine[Any, Any, T]) -> T:
    task = asyncio.ensure_future(work)
    if not await _first(task, interrupted):
        task.cancel()
        await asyncio.wait({task})
        raise KeyboardInterrupt
    return task.result()


class Watch:
    """One job in front of one user."""

    def __init__(
        self, manager: Manager, job: Job, terminal: Terminal, interrupts: Interrupts
    ) -> None:
        self._manager = manager
        self._job = job
        self._terminal = terminal
        self._interrupts = interrupts

    async def until_end(self, progress: Progress) -> Job:
        """Show the job until it ended; returns its final record. Raises ``Detached``."""
        task = asyncio.ensure_future(self._show(progress))
        try:
            await self._until_end_or_interrupt(task)
            return task.result()
        finally:
            task.cancel()
            await asyncio.wait({task})
            progress.close()

    async def _show(self, progress: Progress) -> Job:
        job = self._job
        waiting = asyncio.get_running_loop().call_later(SHOW_WAITING, progress.wait)
        try:
            async for item in self._manager.follow(job.id):
                progress.take(item)
                if isinstance(item, Job):
                    job = item
        finally:
            waiting.cancel()
        return job

    async def _until_end_or_interrupt(self, task: asyncio.Task[Job]) -> None:
        if await _first(task, self._interrupts.reached(1)):
            return
        self._leave_if_asked_to()
        name = short_id(self._job)
        self._terminal.say(
            f"Detached; the job goes on. 'jupyter hybrid attach {name}' shows it, "
            f"'jupyter hybrid cancel {name}' ends it, and so does Ctrl-C within 2 seconds."
        )
        again = self._interrupts.reached(self._interrupts.count + 1)
        if await _first(task, again, timeout=SECOND_INTERRUPT):
            return
        self._leave_if_asked_to()
        if not again.done():
            raise Detached(INTERRUPTED)
        await self._cancel(task)

    async def _cancel(self, task: asyncio.Task[Job]) -> None:
        """Polite at first, at once with the next Ctrl-C, and let go of with the one after."""
        for force in (False, True):
            self._terminal.say("Cancelling at once." if force else "Cancelling.")
            again = self._interrupts.reached(self._interrupts.count + 1)
            try:
                await self._manager.cancel(self._job.id, force=force)
            except HybridError as error:
                self._terminal.complain(f"{error}; it is asked again while somebody looks at it")
            if await _first(task, again):
                return
            self._leave_if_asked_to()
        raise Detached(INTERRUPTED)

    def _leave_if_asked_to(self) -> None:
        if self._interrupts.ended_by is not None:
            raise Detached(128 + self._interrupts.ended_by)


async def _first(
    task: asyncio.Future[Any], other: asyncio.Future[None], timeout: float | None = None
) -> bool:
    """True where the task is done before the other, or at the same time."""
    pair: set[asyncio.Future[Any]] = {task, other}
    await asyncio.wait(pair, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    return task.done()
