"""An engine's commands, run on this machine."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from ...containers.engines import Command, Engine
from ...errors import PlaceError
from ...programs import run_program
from ...sentences import telling_lines

#: Seconds for what should take a moment.
PATIENCE = 60.0


async def run(command: Command, *, timeout: float = PATIENCE) -> subprocess.CompletedProcess[str]:
    """Run it to its end, whatever its exit status; raises ``PlaceError`` where it does not end.

    Nothing of it is left where the caller is cancelled.
    """
    program = command.argv[0]
    environ = {**os.environ, **command.env}
    try:
        ended = await run_program(
            command.argv, seconds=timeout, env=environ, cwd=command.cwd or Path("/")
        )
    except asyncio.TimeoutError as error:
        what = " ".join(command.argv[:2])
        raise PlaceError(f"{what} did not end within {timeout:.0f} seconds") from error
    except OSError as error:
        raise PlaceError(
            f"{program} cannot be started: {error.strerror or error}; is it installed?"
        ) from error
    texts = (data.decode("utf-8", "replace") for data in (ended.out, ended.err))
    return subprocess.CompletedProcess(command.argv, ended.status, *texts)


async def first_at_work(engines: Sequence[Engine]) -> Engine:
    """The first engine that answers: of docker there may be the program and no daemon.

    One alone is taken as it is. Raises ``PlaceError`` in the words of the first.
    """
    said = []
    for engine in engines:
        command = engine.storage()
        done = await run(command) if command is not None and len(engines) > 1 else None
        if done is None or done.returncode == 0:
            return engine
        said.append(f"{engine.name}: {complaint(done)}")
    raise PlaceError(f"no container engine is at work here; {'; '.join(said)}")


def complaint(done: subprocess.CompletedProcess[str]) -> str:
    """What the program said of its failure, in one line: engines say other things as well."""
    lines = telling_lines(done.stderr)
    worst = [line for line in lines if line.lower().startswith(("fatal", "error"))]
    return (worst or lines or [f"exit status {done.returncode}"])[-1][:300]
