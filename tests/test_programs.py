"""Programs that are run to their end, or to ours."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest

from jupyter_hybrid.programs import run_program

#: A child that holds the program's pipes.
WITH_CHILD = ("sh", "-c", "sleep 600 & echo $! > child; wait")


async def test_what_it_says_and_how_it_ends(tmp_path: Path) -> None:
    argv = ("sh", "-c", "cat; pwd; echo $WORD >&2; exit 3")
    ended = await run_program(argv, seconds=60, env={**os.environ, "WORD": "x"}, cwd=tmp_path)
    assert (ended.status, ended.out, ended.err) == (3, f"{tmp_path}\n".encode(), b"x\n")


async def test_nothing_of_it_is_left_where_it_takes_too_long(tmp_path: Path) -> None:
    begun = time.monotonic()
    with pytest.raises(asyncio.TimeoutError):
        await run_program(WITH_CHILD, seconds=2, env=os.environ, cwd=tmp_path)
    assert time.monotonic() - begun < 60
    await _gone(tmp_path / "child")


async def test_nothing_of_it_is_left_where_the_caller_is_cancelled(tmp_path: Path) -> None:
    running = asyncio.create_task(
        run_program(WITH_CHILD, seconds=600, env=os.environ, cwd=tmp_path)
    )
    while not (tmp_path / "child").exists() or not (tmp_path / "child").read_text():
        await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(running, 60)
    await _gone(tmp_path / "child")


async def _gone(pid: Path) -> None:
    """Wait until the child is: it is nobody's here, so whoever has it may take a moment."""
    status = Path("/proc", pid.read_text().strip(), "stat")
    for _ in range(600):
        if not status.exists() or status.read_text().rpartition(")")[2].split()[0] == "Z":
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"{status} is still there")
