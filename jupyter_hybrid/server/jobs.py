"""``/jobs`` and what is done to one of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from jupyter_server.utils import url_path_join

from ..blocking import aside
from ..commands import commands
from ..errors import NotebookError, UsageError
from ..job import TRANSITIONS, Job, State
from ..notebook_request import sent_notebook
from .answers import LISTED, job_answer
from .base import Endpoint, endpoint
from .submissions import notebook_of, request_of
from .submitting import READ

#: Stands for every state that is not final.
UNFINISHED = "unfinished"
#: Characters of an ``Idempotency-Key``.
LONGEST_KEY = 200


class Jobs(Endpoint):
    """All jobs."""

    path = "/jobs"

    @endpoint("read")
    async def get(self) -> None:
        """List them, newest first, page by page."""
        query = self.query()
        limit = query["limit"]
        filters: dict[str, str] = {
            name: query[name] for name in ("target", "text") if name in query
        }
        if "path" in query:
            filters["notebook"] = await self._local(query["path"])
        store = self.manager.store
        states = _states(query["state"]) if query.get("state") else None
        found = await aside(
            store.jobs,
            states=states,
            before=query.get("before", query["offset"]),
            limit=limit + 1,
            **filters,
        )
        counts = await aside(store.counts, **filters)
        jobs = await aside(lambda: [job_answer(self.service, job) for job in found[:limit]])
        self.answer(
            {
                "jobs": jobs,
                "next": found[limit - 1].id if len(found) > limit else None,
                "counts": {state.value: number for state, number in counts.items()},
            }
        )

    @endpoint("execute", READ)
    async def post(self) -> None:
        """Submit a notebook."""
        body = self.body()

        async def submit(key: str) -> Job:
            notebook, _, _ = await notebook_of(self.service, body)
            request = request_of(self.service, notebook, body)
            return await self.manager.submit(replace(request, submit_key=key))

        await answer_submit(self, submit)

    async def _local(self, path: str) -> str:
        clean = await self.service.workspace.clean(path)
        return str(self.service.workspace.local(clean) or "")


class OneJob(Endpoint):
    """One job's record."""

    path = "/jobs/{id}"

    @endpoint("read")
    async def get(self, job_id: str) -> None:
        """Show it as it is recorded or, if asked to, after asking its place."""
        job = await self.job(job_id)
        if self.query()["ask"]:
            job = await self.manager.status(job.id)
        words = commands(job, await asyncio.to_thread(self._cell, job))
        detail = {"commands": words, "env": dict(job.spec.env)}
        self.answer({**await aside(job_answer, self.service, job, LISTED), **detail})

    def _cell(self, job: Job) -> dict[str, Any] | None:
        """The notebook with the cell of a ``%%remote`` job, where it is here."""
        if job.spec.kind != "cell":
            return None
        try:
            return sent_notebook(job, self.manager.config).content
        except NotebookError:
            return None

    @endpoint("write")
    async def delete(self, job_id: str) -> None:
        """Forget it."""
        await self.manager.delete((await self.job(job_id)).id)
        self.set_status(204)
        self.finish()


class Cancel(Endpoint):
    """The end of a job before its time."""

    path = "/jobs/{id}/cancel"

    @endpoint("execute")
    async def post(self, job_id: str) -> None:
        """Ask for it."""
        force = self.body().get("force", False)
        job = await self.manager.cancel((await self.job(job_id)).id, force=force)
        self.answer(await aside(job_answer, self.service, job), 202)


async def answer_submit(handler: Endpoint, submit: Callable[[str], Awaitable[Job]]) -> None:
    """Submit, once for every ``Idempotency-Key``, and say where the job is."""
    key = handler.request.headers.get("Idempotency-Key") or ""
    if len(key) > LONGEST_KEY:
        raise UsageError(f"Idempotency-Key: it has more than {LONGEST_KEY} characters")
    service = handler.service

    async def once() -> Job:
        # the answer of a server that is no more may have been lost
        known = await aside(handler.manager.store.submitted, key) if key else None
        return known or await submit(key)

    with service.news.at_once():
        job = await service.submits.do(key or None, once)
    base = handler.request.path.rpartition("/jobs")[0]
    handler.set_header("Location", url_path_join(base, "jobs", job.id))
    handler.answer(await aside(job_answer, service, job), 201)


def _states(text: str) -> list[State]:
    states: list[State] = []
    for name in text.split(","):
        if name.strip().lower() == UNFINISHED:
            states += [state for state in State if TRANSITIONS[state]]
            continue
        try:
            states.append(State(name.strip().upper()))
        except ValueError:
            known = ", ".join([*(state.value for state in State), UNFINISHED])
            raise UsageError(f"there is no state {name!r}; there are: {known}") from None
    return states
