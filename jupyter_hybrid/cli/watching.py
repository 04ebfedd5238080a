"""Watch jobs until they end or the user lets go of them."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine, Sequence
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


async def submitted(submit: Coroutine[Any, Any, T], interrupts: Interrupts) -> T:
    """What is submitted, once its place has it: a first Ctrl-C waits, so that nothing is orphaned.

    Raises ``KeyboardInterrupt`` with the signal's number at the second one, or where the process
    shall end.
    """
    return await _unless(interrupts, 2, submit)


async def unless_interrupted(work: Coroutine[Any, Any, T], interrupts: Interrupts) -> T:
    """The work's result; raises ``Detached`` at the next Ctrl-C, or where the process shall end."""
    try:
        return await _unless(interrupts, interrupts.count + 1, work)
    except KeyboardInterrupt as interrupt:
        raise Detached(128 + interrupt.args[0]) from None


async def _unless(interrupts: Interrupts, count: int, work: Coroutine[Any, Any, T]) -> T:
    task = asyncio.ensure_future(work)
    if not await _first(task, interrupts.reached(count)):
        task.cancel()
        await asyncio.wait({task})
        raise KeyboardInterrupt(interrupts.ended_by or signal.SIGINT)
    return task.result()


class Watch:
    """Jobs in front of one user, mostly one."""

    def __init__(
        self, manager: Manager, jobs: Sequence[Job], terminal: Terminal, interrupts: Interrupts
    ) -> None:
        self._manager = manager
        self._jobs = list(jobs)
        self._terminal = terminal
        self._interrupts = interrupts

    async def until_end(self, shown: Sequence[Progress]) -> list[Job]:
        """Show each job until all have ended; returns their final records. Raises ``Detached``."""
        task = asyncio.ensure_future(self._show_all(shown))
        try:
            await self._until_end_or_interrupt(task)
            return task.result()
        finally:
            task.cancel()
            await asyncio.wait({task})
            for progress in shown:
                progress.close()

    async def _show_all(self, shown: Sequence[Progress]) -> list[Job]:
        return list(await asyncio.gather(*map(self._show, self._jobs, shown)))

    async def _show(self, job: Job, progress: Progress) -> Job:
        waiting = asyncio.get_running_loop().call_later(SHOW_WAITING, progress.wait)
        try:
            async for item in self._manager.follow(job.id):
                progress.take(item)
                if isinstance(item, Job):
                    job = item
        finally:
            waiting.cancel()
        return job

    async def _until_end_or_interrupt(self, task: asyncio.Task[list[Job]]) -> None:
        if await _first(task, self._interrupts.reached(1)):
            return
        self._leave_if_asked_to()
        self._terminal.say(self._detached())
        again = self._interrupts.reached(self._interrupts.count + 1)
        if await _first(task, again, timeout=SECOND_INTERRUPT):
            return
        self._leave_if_asked_to()
        if not again.done():
            raise Detached(INTERRUPTED)
        await self._cancel(task)

    def _detached(self) -> str:
        names = " ".join(map(short_id, self._jobs))
        if len(self._jobs) == 1:
            return (
                f"Detached; the job goes on. 'jupyter hybrid attach {names}' shows it, "
                f"'jupyter hybrid cancel {names}' ends it, and so does Ctrl-C within 2 seconds."
            )
        return (
            "Detached; the jobs go on. 'jupyter hybrid jobs' lists them, "
            f"'jupyter hybrid cancel {names}' ends them, and so does Ctrl-C within 2 seconds."
        )

    async def _cancel(self, task: asyncio.Task[list[Job]]) -> None:
        """Polite at first, at once with the next Ctrl-C, and let go of with the one after."""
        for force in (False, True):
            self._terminal.say("Cancelling at once." if force else "Cancelling.")
            again = self._interrupts.reached(self._interrupts.count + 1)
            for said in await asyncio.gather(
                *(self._manager.cancel(job.id, force=force) for job in self._jobs),
                return_exceptions=True,
            ):
                if isinstance(said, HybridError):
                    self._terminal.complain(f"{said}; it is asked again while somebody looks at it")
                elif isinstance(said, BaseException):
                    raise said
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
