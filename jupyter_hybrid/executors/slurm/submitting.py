"""One ``sbatch`` for one job, whatever breaks in the middle."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...errors import PlaceError
from ...job import Job
from ...transport import Transport
from ..shipping import relative_directory
from .listing import parse_submitted
from .script import parse_member
from .words import parse_refusal

if TYPE_CHECKING:
    from . import SlurmExecutor

#: Seconds that one sbatch may take.
SBATCH = 60.0
#: Seconds after which a submit of another machine, of which nothing was heard, counts as dead.
SILENT = 120.0
PAUSE = 0.25
#: What the record of an array says that was never queued.
NONE = "none"


async def submit_script(executor: SlurmExecutor, job: Job, script: str, patience: float) -> str:
    """Queue the job unless that was done, and return Slurm's number for it.

    The record beside the job says so; where a submit broke off before it was written, the job's
    name in the queue does. Raises ``PlaceError`` with sbatch's reason.
    """
    transport = executor.transport
    record = f"{relative_directory(job)}/slurm.id"
    deadline = time.monotonic() + patience
    while True:
        header, out = await transport.once(
            ["sbatch", "--parsable"], script.encode("utf-8"),
            record=record, timeout=SBATCH, patience=patience,
        )  # fmt: skip
        if header.get("code") == 0 and (number := parse_submitted(out.decode("utf-8", "replace"))):
            return number
        if header.get("begun") and (member := parse_member(header["said"])):
            if (number := await _in_array(executor, member, record, patience)) is not None:
                return number
            continue
        if header.get("begun") and header["alive"] and time.monotonic() < deadline:
            await asyncio.sleep(PAUSE)
            continue
        # an error may come after the job was accepted, and a marker without a record from a crash
        try:
            number = await _queued(executor, job, record)
        except PlaceError as error:
            # nobody can say whether it is queued: the marker stays, until somebody can
            if not error.transient or time.monotonic() > deadline:
                raise
            await asyncio.sleep(PAUSE)
            continue
        if number is not None:
            return number
        if header.get("begun"):
            await _take_over(transport, record, header, deadline)
            continue
        words, transient = _refusal(executor, header, out)
        await transport.remove(f"{record}.begun", patience=patience)
        if not transient or time.monotonic() > deadline:
            raise PlaceError(f"{executor.target.name}: {words}", transient=transient)
        await asyncio.sleep(PAUSE)


async def _in_array(
    executor: SlurmExecutor, member: str, record: str, patience: float
) -> str | None:
    """Slurm's number for a job that was to go in an array; None where it may go by itself."""
    array, _, task = member.partition("_")
    number = await array_number(executor, array, patience)
    if number is None:
        await executor.transport.remove(f"{record}.begun", patience=patience)
        return None
    await executor.transport.write({record: f"{number}_{task}\n".encode("ascii")})
    return f"{number}_{task}"


async def array_number(
    executor: SlurmExecutor,
    array: str,
    patience: float,
    argv: Sequence[str] = ("echo", NONE),
    script: bytes = b"",
) -> str | None:
    """Slurm's number for an array of jobs; None where it has none, and never will.

    The command queues it where nobody has begun that; without one, nobody ever will.
    """
    transport, record = executor.transport, f"arrays/{array}/slurm.id"
    deadline, mine = time.monotonic() + patience, False
    while True:
        header, out = await transport.once(
            argv, script, record=record, timeout=SBATCH, patience=patience
        )
        said = out.decode("utf-8", "replace")
        if header.get("code") == 0 and (said.strip() == NONE or parse_submitted(said)):
            return parse_submitted(said)
        mine = mine or not header.get("begun")
        if mine or not _at_work(header):
            try:
                # an error may come after it was accepted
                number = await executor.queue.array(array)
                await transport.write({record: f"{number or NONE}\n".encode("ascii")})
                return number
            except PlaceError as error:
                if not error.transient or time.monotonic() > deadline:
                    raise
        elif time.monotonic() > deadline:
            raise PlaceError(
                "another submit of this job has begun and has not ended; try again in a minute",
                transient=True,
            )
        await asyncio.sleep(PAUSE)


def _at_work(header: dict[str, object]) -> bool:
    """Whether the one who began may still be at it."""
    return bool(header["alive"]) or (not header["here"] and float(str(header["age"])) < SILENT)


async def _queued(executor: SlurmExecutor, job: Job, record: str) -> str | None:
    """Slurm's number for the job, where it has it; noted for the next one who asks."""
    # not by an answer from before the sbatch that nobody knows the end of
    rows = await executor.queue.rows([job], since=time.monotonic())
    if job.id not in rows:
        return None
    number = rows[job.id].id
    await executor.transport.write({record: f"{number}\n".encode("ascii")})
    return number


async def _take_over(
    transport: Transport, record: str, header: dict[str, object], deadline: float
) -> None:
    """Remove the marker of a submit that died and left nothing in the queue."""
    age = float(str(header["age"]))
    if header["here"] or age > SILENT:
        await transport.remove(f"{record}.begun")
        return
    if time.monotonic() > deadline:
        raise PlaceError(
            "another submit of this job began on another login node and has not ended; try again "
            f"in {SILENT - age:.0f} seconds",
            transient=True,
        )
    await asyncio.sleep(PAUSE)


def _refusal(executor: SlurmExecutor, header: dict[str, object], out: bytes) -> tuple[str, bool]:
    if header.get("code") is None:
        return f"sbatch did not answer for {SBATCH:g} seconds", True
    if header.get("code") == 0:
        said = out.decode("utf-8", "replace").strip()[-200:]
        return f"sbatch answered {said!r}, which holds no job's number", False
    return parse_refusal(str(header.get("stderr", "")), executor.options.asked)
