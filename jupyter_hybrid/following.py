"""Follow a job from any process: its events and its record, from the beginning and then live."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import TYPE_CHECKING

from .errors import PlaceError
from .events import Event
from .job import Job
from .pace import Pace
from .tailing import Tail

if TYPE_CHECKING:
    from .manager import Manager

#: Seconds between two looks at the events: short while a job talks, longer while it is silent.
SHORTEST_PAUSE, LONGEST_PAUSE = 0.005, 0.05
#: How much longer each pause of a silence is: what comes next is seen late by 3 % of the silence.
LONGER = 1.03
#: The longest pause between questions to a place that answers with errors.
ASK_AT_MOST = 60.0
#: How often the last events of an ended job are asked for, of a place that does not answer.
LAST_ATTEMPTS = 5


async def follow(manager: Manager, job: Job, after: int) -> AsyncIterator[Event | Job]:
    """Events behind number ``after`` and changed records; the last item is the final record.

    Goes on while the place does not answer. Raises ``UnknownJob`` where the job is deleted.
    """
    executor = manager.executor(job.spec.target)
    tail = Tail(executor, job, after=after)
    ask_every = executor.ask_every
    looks, questions = Pace(SHORTEST_PAUSE, LONGEST_PAUSE), Pace(ask_every, ASK_AT_MOST)
    failed = 0
    yield job
    while True:
        ending = tail.ended
        try:
            async for event in tail.new():
                looks.again()
                yield event
            failed = 0
        except PlaceError:
            failed += 1
            looks.later(10.0)
        if job.state.final and (not failed or failed >= LAST_ATTEMPTS):
            yield job
            return
        if tail.ended and not ending:
            # its exit record follows at once, and soon after that nothing more is to be asked
            questions.again(SHORTEST_PAUSE)
        if not job.state.final and questions.due():
            try:
                new = await manager.refresh(job)
                questions.later(2.0 if tail.ended else 1.0, at_most=ask_every)
            except PlaceError:
                new = job
                questions.later(2.0)
            if new != job:
                job = tail.job = new
                # what was printed before comes before the final record
                if job.state.final:
                    continue
                yield job
        pause = asyncio.sleep if tail.ended else partial(executor.idle, job)
        await pause(looks.pause)
        looks.later(LONGER)
