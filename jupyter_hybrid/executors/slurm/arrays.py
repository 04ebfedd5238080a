"""Jobs that are submitted while others are on their way go together, as one array job.

::

    submit ─┐
    submit ─┼─ those that are wanted at once, of one kind, are one ``sbatch --array``
    submit ─┘

A submit by itself waits for nobody; one that is not alone waits a moment for the others, whose
files are on their way. What becomes of a job whose submit broke off is found by the marker
beside its record, which names the array (``submitting.py``).
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from ...errors import PlaceError
from ...job import Job, new_job_id
from ..shipping import relative_directory
from .script import array_script, kind, may_be_array
from .submitting import array_number, submit_script

if TYPE_CHECKING:
    from . import SlurmExecutor

#: Seconds for which a submit waits at most for others that are wanted.
TOGETHER = 0.5
#: Jobs in an array. Slurm allows a thousand where the site has not said otherwise.
LARGEST = 200
#: Fixed text; its arguments are the array's directory and those of its jobs.
_QUEUE = """\
cd "$1" || exit
shift; task=0
for directory; do ln -sfn "$directory" "$task"; task=$((task + 1)); done
exec sbatch --parsable
"""
#: Fixed text; its arguments are an array's directory and the number of a job in it.
_FORGET = 'rm -f "$1/$2"; [ -n "$(find "$1" -type l)" ] || rm -rf "$1"'


#: Called by a task's submit once it is in line.
_ARRIVED: ContextVar[Callable[[], None]] = ContextVar("arrived", default=lambda: None)


@dataclass
class _Waiting:
    job: Job
    script: str
    number: asyncio.Future[str]


@dataclass
class _Line:
    """Submits of one kind in one event loop, and who works on them."""

    waiting: list[_Waiting] = field(default_factory=list)
    worker: asyncio.Task[None] | None = None


class Submits:
    """The submits of an executor."""

    def __init__(self, executor: SlurmExecutor, patience: float) -> None:
        self._executor, self._patience = executor, patience
        self._loops: WeakKeyDictionary[
            asyncio.AbstractEventLoop, defaultdict[tuple[str, ...], _Line]
        ] = WeakKeyDictionary()
        #: Submits that are wanted and are not in line yet, by event loop.
        self._coming: WeakKeyDictionary[asyncio.AbstractEventLoop, int] = WeakKeyDictionary()

    @contextmanager
    def coming(self) -> Iterator[None]:
        """A submit of this task is wanted, until it is in line or over: others may wait for it."""
        loop, here = asyncio.get_running_loop(), [1]
        self._coming[loop] = self._coming.get(loop, 0) + 1

        def arrived() -> None:
            self._coming[loop] -= len(here)
            here.clear()

        token = _ARRIVED.set(arrived)
        try:
            yield
        finally:
            _ARRIVED.reset(token)
            arrived()

    async def _others(self) -> None:
        """Wait for submits that are wanted, for a moment at most."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + TOGETHER
        while self._coming.get(loop) and loop.time() < deadline:
            await asyncio.sleep(0.005)

    async def submit(self, job: Job, script: str) -> str:
        """Queue the job unless that was done, and return Slurm's number for it.

        Raises ``PlaceError`` with sbatch's reason.
        """
        loop = asyncio.get_running_loop()
        line = self._loops.setdefault(loop, defaultdict(_Line))[kind(script)]
        waiting = _Waiting(job, script, loop.create_future())
        line.waiting.append(waiting)
        _ARRIVED.get()()
        worker = line.worker or loop.create_task(self._work(line))
        line.worker = worker
        try:
            both: set[asyncio.Future[Any]] = {waiting.number, worker}
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if not waiting.number.done():
                await worker
            return await waiting.number
        finally:
            # whoever is interrupted here is not submitted any more
            waiting.number.cancel()

    async def _work(self, line: _Line) -> None:
        try:
            while line.waiting:
                await self._others()
                group, line.waiting = line.waiting[:LARGEST], line.waiting[LARGEST:]
                await self._together([item for item in group if not item.number.done()])
        finally:
            line.worker = None

    async def _together(self, group: Sequence[_Waiting]) -> None:
        numbers: dict[str, str] = {}
        if len(group) > 1 and may_be_array(group[0].script):
            try:
                numbers = await self._array(group)
            except PlaceError as error:
                for item in group:
                    if not item.number.done():
                        item.number.set_exception(error)
                return
        await asyncio.gather(*(self._one(item, numbers.get(item.job.id)) for item in group))

    async def _one(self, item: _Waiting, number: str | None) -> None:
        try:
            if number is None:
                number = await submit_script(self._executor, item.job, item.script, self._patience)
            if not item.number.done():
                item.number.set_result(number)
        except PlaceError as error:
            if not item.number.done():
                item.number.set_exception(error)

    async def _array(self, group: Sequence[_Waiting]) -> dict[str, str]:
        """Numbers by job id; jobs that are left out go by themselves."""
        transport, patience = self._executor.transport, self._patience
        array, root = new_job_id(), await transport.root(patience)
        places = [relative_directory(item.job) for item in group]
        scripts = {f"{relative_directory(i.job)}/script": i.script.encode() for i in group}
        members = "".join(f"{item.job.id}\n" for item in group).encode("ascii")
        await transport.write({f"arrays/{array}/jobs": members, **scripts}, patience=patience)
        records = [f"{place}/slurm.id" for place in places]
        begun, _ = await transport.ask("begin", patience=patience, records=records, array=array)
        tasks = [task for task in range(len(group)) if task not in begun["others"]]
        if not tasks:
            return {}
        own = f"{root}/arrays/{array}"
        number = await array_number(
            self._executor, array, patience,
            ["/bin/sh", "-c", _QUEUE, "array", own, *(f"{root}/{place}" for place in places)],
            array_script(group[0].script, array, own, tasks).encode(),
        )  # fmt: skip
        if number is None:
            # sbatch has something against arrays, or against one of these jobs: each is told
            await transport.remove(*(f"{records[task]}.begun" for task in tasks), f"arrays/{array}")
            return {}
        found = {task: f"{number}_{task}" for task in tasks}
        made = {records[task]: f"{name}\n".encode() for task, name in found.items()}
        await transport.write(made, patience=patience)
        return {group[task].job.id: name for task, name in found.items()}


async def forget(executor: SlurmExecutor, member: str, patience: float) -> None:
    """Take the job out of its array's directory, which goes with the last one."""
    array, _, task = member.partition("_")
    directory = f"{await executor.transport.root(patience)}/arrays/{array}"
    argv = ["/bin/sh", "-c", _FORGET, "forget", directory, task]
    await executor.transport.run(argv, patience=patience)
