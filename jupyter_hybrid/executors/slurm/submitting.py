"""One ``sbatch`` for one job, whatever breaks in the middle."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from ...errors import PlaceError
from ...job import Job
from ...transport import Transport
from ..shipping import relative_directory
from .listing import parse_submitted
from .words import parse_refusal

if TYPE_CHECKING:
    from . import SlurmExecutor

#: Seconds that one sbatch may take.
SBATCH = 60.0
#: Seconds after which a submit of another machine, of which nothing was heard, counts as dead.
SILENT = 120.0
PAUSE = 0.25


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


async def _queued(executor: SlurmExecutor, job: Job, record: str) -> str | None:
    """Slurm's number for the job, where it has it; noted for the next one who asks."""
    rows = await executor.queue.rows([job], fresh=0.0)
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
