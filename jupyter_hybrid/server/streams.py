"""What a job says: events by number, texts by offset, the notebook as it fills."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import quote

from ..errors import PlaceError
from ..executed import notebook_sent, without_widgets
from .answers import notebook_answer
from .base import Endpoint, endpoint, to_text
from .reading import decoded, log_ending, printed
from .shortening import shortened_notebook

if TYPE_CHECKING:
    from ..job import Job

#: Events of one page of text.
LINES = 2000
#: Bytes of the part before another one, where nobody says how many.
TAIL = 1 << 18


class Events(Endpoint):
    """What happened."""

    path = "/jobs/{id}/events"

    @endpoint("read")
    async def get(self, job_id: str) -> None:
        """Give out what is behind a number."""
        query, job = self.query(), await self.job(job_id)
        page = await self.service.reader.page(
            self.manager, job, query["after"], query["limit"], query.get("outputs")
        )
        # joined by hand: the events are JSON already
        rest = to_text(
            {"last": page.last, "more": page.more, "ended": job.state.final and not page.more}
        )
        self.finish(f'{{"events":[{",".join(page.texts)}],{rest[1:]}')


class Log(Endpoint):
    """Text."""

    path = "/jobs/{id}/log"

    @endpoint("read")
    async def get(self, job_id: str) -> None:
        """Give out what is behind an offset, or at the end."""
        query, job = self.query(), await self.job(job_id)
        offset, before, final = query["offset"], query.get("before"), job.state.final
        size = query.get("tail", 0 if before is None else TAIL)
        reader = self.service.reader
        if query["of"] == "cells":
            page = await (
                reader.ending(self.manager, job, size, before)
                if size
                else reader.page(self.manager, job, offset, LINES)
            )
            text, first, after, more = printed(page.events), page.first, page.last, page.more
        else:
            chunk, first = await (
                log_ending(self.manager.executor(job.spec.target), job, size, before)
                if size
                else self._behind(job.id, offset)
            )
            text, used = decoded(chunk, whole=size > 0 and (final or before is not None))
            if final and not used:
                # what is left of a character: nothing follows that could complete it
                text, used = decoded(chunk, whole=True)
            after, more = first + used, used > 0 and not size
        ended = final and not more
        self.answer({"text": text, "first": first, "next": after, "more": more, "ended": ended})

    async def _behind(self, job_id: str, offset: int) -> tuple[bytes, int]:
        return await self.manager.log(job_id, offset), offset


class Notebook(Endpoint):
    """The job's notebook."""

    path = "/jobs/{id}/notebook"

    @endpoint("read")
    async def get(self, job_id: str) -> None:
        """Give it out with the outputs so far."""
        query, job = self.query(), await self.job(job_id)
        most = query.get("outputs")
        if most == 0 and not job.state.final:
            # none of a job's events need be read for that
            last, notebook = 0, await notebook_sent(self.manager.executor(job.spec.target), job)
        else:
            # read before the notebook: what comes in between is told twice, and never lost
            last = await self._last(job)
            notebook = await self.manager.notebook(job.id)
        if not query["download"]:
            # who looks at it has no kernel with its widgets, of which a file keeps the state
            notebook = without_widgets(notebook)
        if most is not None:
            notebook = await asyncio.to_thread(shortened_notebook, notebook, most, job.id)
        self.set_header("X-Last-Event", str(last))
        if query["download"]:
            name = f"{job.spec.name}.ipynb".replace("/", "-")
            self.set_header("Content-Disposition", attachment(name))
        self.answer(notebook_answer(notebook))

    async def _last(self, job: Job) -> int:
        """The number of the job's newest event."""
        try:
            return await self.service.reader.last(self.manager, job)
        except PlaceError:
            if not job.state.final:
                raise
            # its notebook may be here, and no event of it is awaited
            return 0


def attachment(name: str) -> str:
    """The value of ``Content-Disposition`` for a file of any name (RFC 6266)."""
    return f"attachment; filename*=UTF-8''{quote(name.encode('utf-8', 'replace'), safe='')}"
