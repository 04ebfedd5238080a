"""``logs``: the text of what a job's cells printed."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from codecs import getincrementaldecoder
from collections.abc import AsyncIterator
from typing import Any

from ..documents import job_document
from ..events import Event
from ..job import Job
from ..manager import Manager
from ..progress.plain import PlainProgress
from ..tailing import Tail, tail_of_rank
from .terminal import Terminal


def logs(options: Namespace, terminal: Terminal) -> int:
    """Print what the job's cells printed so far, and with ``-f`` until it has ended."""
    manager = Manager.default()
    job = manager.get(options.job)
    if options.runner:
        return asyncio.run(_runner_log(manager, job, options, terminal))
    return asyncio.run(_logs(manager, job, options, terminal))


async def _logs(manager: Manager, job: Job, options: Namespace, terminal: Terminal) -> int:
    if options.rank:
        events = _events_of_rank(manager, job, options.rank, live=options.follow)
    else:
        events = _events(manager, job, live=options.follow)
    if options.json and options.follow:
        async for event in events:
            terminal.line(_document(event))
    elif options.json:
        shown = [_document(event) async for event in events]
        terminal.document({**job_document(manager.get(job.id)), "events": shown})
    else:
        # what a pager or a file gets is all of it, in order: both streams go to standard output
        colour = terminal.out_is_terminal and terminal.colour
        progress = PlainProgress(terminal.out, terminal.out, None, colour=colour)
        async for event in events:
            progress.take(event)
        progress.close()
    return 0


async def _events(manager: Manager, job: Job, *, live: bool) -> AsyncIterator[Event]:
    """The job's events until now, or with ``live`` until its end."""
    last = None if live else await _last_number(manager, job)
    if last == 0:
        return
    async for event in manager.events(job.id):
        yield event
        if last is not None and event.seq >= last:
            return


async def _events_of_rank(
    manager: Manager, job: Job, rank: int, *, live: bool
) -> AsyncIterator[Event]:
    tail = tail_of_rank(manager.executor(job.spec.target), job, rank)
    while True:
        async for event in tail.new():
            yield event
        if not live or tail.ended or job.state.final:
            return
        await asyncio.sleep(0.2)
        job = tail.job = await manager.status(job.id)


async def _last_number(manager: Manager, job: Job) -> int:
    tail = Tail(manager.executor(job.spec.target), job)
    return max([event.seq async for event, _ in tail.lines()], default=0)


def _document(event: Event) -> dict[str, Any]:
    return {**event.data, "seq": event.seq, "time": event.time, "kind": event.kind}


async def _runner_log(manager: Manager, job: Job, options: Namespace, terminal: Terminal) -> int:
    content = bytearray()
    # (a piece may end within a character)
    decoder = getincrementaldecoder("utf-8")("replace")
    while True:
        # asked before it is read: what a job says last is there once it has ended
        job = await manager.status(job.id)
        while chunk := await manager.log(job.id, len(content)):
            content += chunk
            if not options.json:
                terminal.write(decoder.decode(chunk))
        terminal.out.flush()
        if job.state.final or not options.follow:
            break
        await asyncio.sleep(0.2)
    if options.json:
        text = content.decode("utf-8", "replace")
        terminal.document({**job_document(job), "log": text})
    else:
        terminal.write(decoder.decode(b"", final=True))
    return 0
