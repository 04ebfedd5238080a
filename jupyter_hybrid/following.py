"""Follow a job from any process: its events and its record, from the beginning and then live."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
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

log = logging.getLogger(__name__)

#: Seconds between two looks at the events: short while a job talks, longer while it is silent.
SHORTEST_PAUSE, LONGEST_PAUSE = 0.005, 0.05
#: How much longer each pause of a silence is: what comes next is seen late by 3 % of the silence.
LONGER = 1.03
#: The longest pause between questions to a place that answers with errors.
ASK_AT_MOST = 60.0
#: How often the last events of an ended job are asked for, of a place that does not answer.
LAST_ATTEMPTS = 5

_UNREAD = "%s: what job %s said last cannot be read now: %s"


async def follow(manager: Manager, job: Job, after: int) -> AsyncIterator[Event | Job]:
    """Events behind number ``after`` and changed records; the last item is the final record.

    Goes on while the place does not answer; what an ended job said last is asked for a few times,
    and a warning says so where it could not be read. Raises ``UnknownJob`` for a deleted job.
    """
    executor = manager.executor(job.spec.target)
    tail = Tail(executor, job, after=after)
    looks, questions = Pace(SHORTEST_PAUSE, LONGEST_PAUSE), Pace(executor.ask_every, ASK_AT_MOST)
    errors: deque[PlaceError] = deque(maxlen=LAST_ATTEMPTS)
    yield job
    while True:
        ending = tail.ended
        try:
            async for event in tail.new():
                looks.again()
                yield event
            errors.clear()
        except PlaceError as error:
            errors.append(error)
            looks.later(10.0)
        if job.state.final and len(errors) in (0, LAST_ATTEMPTS):
            if errors:
                log.warning(_UNREAD, job.spec.target, job.id, errors[-1])
            yield job
            return
        if tail.ended and not ending:
            # its exit record follows at once, and soon after that nothing more is to be asked
            questions.again(SHORTEST_PAUSE)
        if not job.state.final and questions.due():
            try:
                new = await manager.refresh(job)
                questions.later(2.0 if tail.ended else 1.0, at_most=executor.ask_every)
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
