"""Other programs, run to their end from async code; nothing of them is left where nobody waits."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .blocking import within

#: Seconds for what was killed to be gone.
_DYING = 5.0


@dataclass(frozen=True)
class Ended:
    """How a program ended, and what it said."""

    status: int
    out: bytes
    err: bytes


async def run_program(
    argv: Sequence[str],
    *,
    seconds: float,
    env: Mapping[str, str],
    cwd: Path,
) -> Ended:
    """Run it, with nothing on its standard input, whatever its exit status.

    Where it takes longer than ``seconds``, or the caller is cancelled, it is killed with all its
    children. Raises ``OSError`` where it cannot be started, and ``asyncio.TimeoutError``.
    """
    process = await asyncio.create_subprocess_exec(
        *argv,
        env=dict(env),
        cwd=cwd,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        out, err = await within(seconds, process.communicate())
    except BaseException:
        # (its children would hold the pipes, and with them whoever waits)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        with contextlib.suppress(asyncio.TimeoutError):
            await within(_DYING, process.wait())
        raise
    return Ended(process.returncode or 0, out, err)
