"""What a job says: events by number, texts by offset, the notebook as it fills."""

from __future__ import annotations

from urllib.parse import quote

from .answers import notebook_answer
from .base import Endpoint, endpoint, to_text
from .reading import decoded, printed

#: Events of one page of text.
LINES = 2000


class Events(Endpoint):
    """What happened."""

    path = "/jobs/{id}/events"

    @endpoint("read")
    async def get(self, job_id: str) -> None:
        """Give out what is behind a number."""
        query, job = self.query(), self.job(job_id)
        page = await self.service.reader.page(self.manager, job, query["after"], query["limit"])
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
        """Give out what is behind an offset."""
        query, job = self.query(), self.job(job_id)
        offset, final = query["offset"], job.state.final
        if query["of"] == "cells":
            page = await self.service.reader.page(self.manager, job, offset, LINES)
            text, after, more = printed(page.events), page.last, page.more
        else:
            chunk = await self.manager.log(job.id, offset)
            text, used = decoded(chunk, whole=final)
            after, more = offset + used, used > 0
        self.answer({"text": text, "next": after, "more": more, "ended": final and not more})


class Notebook(Endpoint):
    """The job's notebook."""

    path = "/jobs/{id}/notebook"

    @endpoint("read")
    async def get(self, job_id: str) -> None:
        """Give it out with the outputs so far."""
        query, job = self.query(), self.job(job_id)
        # read before the notebook: what comes in between is told twice, and never lost
        last = await self.service.reader.last(self.manager, job)
        notebook = await self.manager.notebook(job.id)
        self.set_header("X-Last-Event", str(last))
        if query["download"]:
            name = f"{job.spec.name}.ipynb".replace("/", "-")
            self.set_header("Content-Disposition", attachment(name))
        self.answer(notebook_answer(notebook))


def attachment(name: str) -> str:
    """The value of ``Content-Disposition`` for a file of any name (RFC 6266)."""
    return f"attachment; filename*=UTF-8''{quote(name.encode('utf-8', 'replace'), safe='')}"
