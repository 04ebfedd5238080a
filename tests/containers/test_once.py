"""One makes it, the others wait; whoever dies holds nobody up."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from jupyter_hybrid.containers.once import once
from jupyter_hybrid.errors import StoreError

HOLD = """
import asyncio, sys
from pathlib import Path
from jupyter_hybrid.containers.once import once
async def hold():
    async with once(Path(sys.argv[1]), "key"):
        print("held", flush=True)
        await asyncio.sleep(3600)
asyncio.run(hold())
"""


async def test_tasks_go_one_after_the_other(tmp_path: Path) -> None:
    inside, most, made = 0, 0, 0

    async def make() -> None:
        nonlocal inside, most, made
        async with once(tmp_path, "key"):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0.001)
            made += 1
            inside -= 1

    await asyncio.gather(*(make() for _ in range(20)))
    assert (most, made) == (1, 20)
    assert list(tmp_path.iterdir()) == []


async def test_other_keys_do_not_wait(tmp_path: Path) -> None:
    async with once(tmp_path, "a"), once(tmp_path, "b"):
        pass


async def test_a_process_that_is_killed_lets_go(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    holder = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert holder.stdout is not None
    assert await holder.stdout.readline() == b"held\n"
    waiting = asyncio.ensure_future(enter(tmp_path))
    done, _ = await asyncio.wait({waiting}, timeout=0.2)
    assert not done
    holder.kill()
    await asyncio.wait_for(waiting, 10)
    await holder.wait()


async def enter(directory: Path) -> None:
    async with once(directory, "key"):
        pass


async def test_whoever_gives_up_waiting_leaves_the_lock_alone(tmp_path: Path) -> None:
    async with once(tmp_path, "key"):
        waiting = asyncio.ensure_future(enter(tmp_path))
        await asyncio.sleep(0.01)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert len(list(tmp_path.iterdir())) == 1
    await enter(tmp_path)


async def test_a_directory_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"file/.*cannot be made"):
        await enter(tmp_path / "file")
