"""``jobs``, ``status``, ``cancel``, ``fetch`` and ``delete``."""

from __future__ import annotations

import asyncio
import time
from argparse import Namespace
from pathlib import Path

from ..documents import job_document
from ..errors import UsageError
from ..job import Job, State
from ..manager import Manager
from ..sentences import harmless
from ..units import format_duration
from .naming import short_id
from .requests import check_output
from .results import bring_results, check_formats, require_ended
from .terminal import Terminal

#: Jobs that ``jobs`` lists without ``--all``.
LISTED = 20
#: Seconds that ``cancel`` waits beyond the grace period for the place to confirm.
CONFIRM = 5.0
#: Seconds between two looks at a job that is being cancelled.
LOOK = 0.1

_COLOURS = {
    State.COMPLETED: "green",
    State.FAILED: "red",
    State.LOST: "red",
    State.RUNNING: "blue",
    State.CANCELLED: "yellow",
}


def jobs(options: Namespace, terminal: Terminal) -> int:
    """List jobs, newest first, after asking their places."""
    states = [_state(name) for name in options.state]
    manager = Manager.default()
    asyncio.run(manager.reconcile())
    if states or options.all:
        listed = manager.jobs(states=states or None, limit=-1 if options.all else LISTED)
    else:
        listed = manager.recent(LISTED)
    if options.json:
        terminal.document([job_document(job) for job in listed])
        return 0
    if not listed:
        terminal.say("no jobs; 'jupyter hybrid run NOTEBOOK' starts one")
        return 0
    terminal.table(("JOB", "NAME", "STATE", "CELLS", "TIME", "TARGET", ""), map(_row, listed))
    return 0


def status(options: Namespace, terminal: Terminal) -> int:
    """Say where a job stands, after asking its place."""
    manager = Manager.default()
    job = asyncio.run(manager.status(manager.get(options.job).id))
    if options.json:
        terminal.document(job_document(job))
        return 0
    state = job.state.value
    if job.wanted and not job.state.final:
        state += f" ({job.wanted.value} was asked for)"
    state = terminal.paint(state, _COLOURS.get(job.state, "bold"), out=True)
    lines = [
        ("job", job.id),
        ("state", state),
        ("reason", harmless(job.reason)),
        ("name", harmless(job.spec.name)),
        ("target", job.spec.target),
        ("notebook", harmless(job.spec.notebook_path or "")),
        ("cells", _cells(job)),
        ("cell", harmless(job.current)),
        ("time", _time(job)),
        ("result", harmless(str(job.fetched.get("notebook") or ""))),
    ]
    for name, value in lines:
        if value:
            terminal.write(f"{name:9} {value}\n")
    return 0


def cancel(options: Namespace, terminal: Terminal) -> int:
    """Ask jobs to end, and wait until their places say that they did."""
    manager = Manager.default()
    found = [manager.get(name) for name in options.jobs]
    ended = asyncio.run(_cancel_all(manager, found, options.force))
    if options.json:
        terminal.document([job_document(job) for job in ended])
    else:
        for before, job in zip(found, ended, strict=True):
            terminal.write(f"{short_id(job)} {_after_cancel(before, job)}\n")
    return 0 if all(job.state.final for job in ended) else 1


def fetch(options: Namespace, terminal: Terminal) -> int:
    """Bring an ended job's notebook and files here."""
    check_formats(options.to)
    manager = Manager.default()
    job = manager.get(options.job)
    source = job.spec.notebook_path
    check_output(options.output, Path(source) if source else None)
    return asyncio.run(_fetch(manager, job, options, terminal))


def delete(options: Namespace, terminal: Terminal) -> int:
    """Forget ended jobs, and remove what is kept of them here and at their places."""
    manager = Manager.default()
    found = [manager.get(name) for name in options.jobs]
    asyncio.run(_delete_all(manager, found))
    if options.json:
        terminal.document([job.id for job in found])
    else:
        for job in found:
            terminal.write(f"{short_id(job)} deleted\n")
    return 0


async def _fetch(manager: Manager, job: Job, options: Namespace, terminal: Terminal) -> int:
    job = await manager.status(job.id)
    require_ended(job)
    results = await bring_results(manager, job, options, terminal)
    if options.json:
        terminal.document({**job_document(manager.get(job.id)), **results.to_json()})
    return 0 if results.complete else 1


async def _cancel_all(manager: Manager, found: list[Job], force: bool) -> list[Job]:
    return list(await asyncio.gather(*(_cancel_one(manager, job, force) for job in found)))


async def _cancel_one(manager: Manager, job: Job, force: bool) -> Job:
    job = await manager.cancel(job.id, force=force)
    deadline = time.monotonic() + job.spec.grace + CONFIRM
    while not job.state.final and time.monotonic() < deadline:
        await asyncio.sleep(LOOK)
        job = await manager.status(job.id)
    return job


def _after_cancel(before: Job, job: Job) -> str:
    if before.state.final:
        return f"had ended already: {job.state.value}"
    if job.state.final:
        return job.state.value
    return f"was asked to end, and is still {job.state.value}; --force ends it at once"


async def _delete_all(manager: Manager, found: list[Job]) -> None:
    for job in found:
        await manager.delete(job.id)


def _state(name: str) -> State:
    try:
        return State(name.upper())
    except ValueError:
        known = ", ".join(state.value for state in State)
        raise UsageError(f"there is no state {name!r}; there are: {known}") from None


def _row(job: Job) -> tuple[str, ...]:
    what = "" if job.state is State.COMPLETED else job.reason
    return (
        short_id(job),
        job.spec.name,
        job.state.value,
        _cells(job),
        _time(job),
        job.spec.target,
        (job.current or what).split("\n")[0],
    )


def _cells(job: Job) -> str:
    return f"{job.cells_done}/{job.cells_total}" if job.cells_total is not None else ""


def _time(job: Job) -> str:
    seconds = job.lasted(time.time())
    return "" if seconds is None else format_duration(seconds)
