"""Results that are brought here from another machine: once, whole, and by one at a time."""

from __future__ import annotations

import asyncio
import fcntl
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_hybrid.errors import PlaceError, ResultError
from jupyter_hybrid.executors import locks
from jupyter_hybrid.executors.fetching import fetch_results
from jupyter_hybrid.transport import LocalTransport

REMOTE = "jobs/x"


class There(LocalTransport):
    """A place, and the names of files that were asked for in packs."""

    def __init__(self, root: Path) -> None:
        super().__init__(str(root))
        self.job = root / REMOTE
        self.packed: list[str] = []

    async def ask(self, op: str, *more: Any, **fields: Any) -> Any:
        if op == "pack":
            self.packed += fields["paths"]
        return await super().ask(op, *more, **fields)


@pytest.fixture
async def there(tmp_path: Path) -> AsyncIterator[There]:
    place = There(tmp_path / "there")
    (place.job / "work").mkdir(parents=True)
    (place.job / "spec.json").write_text("{}")
    (place.job / "files.json").write_text("{}")
    (place.job / "work" / "made").write_text("once")
    yield place
    place.close()


async def fetch(there: There, here: Path) -> str:
    """Bring it; what the job's own file says here then."""
    await fetch_results(there, REMOTE, here, 20.0)
    return (here / "work" / "made").read_text()


async def test_a_job_that_left_no_exit_record_is_brought_once(there: There, tmp_path: Path) -> None:
    here = tmp_path / "here"
    assert await fetch(there, here) == "once"
    there.packed.clear()
    assert await fetch(there, here) == "once" and there.packed == []
    # it ran on, and has ended now
    (there.job / "exit.json").write_text('{"state": "COMPLETED"}')
    (there.job / "work" / "made").write_text("at last")
    assert await fetch(there, here) == "at last"
    # whatever becomes of the place then, it is here
    shutil.rmtree(there.job)
    assert await fetch(there, here) == "at last"


async def test_what_cannot_be_written_here_is_said_in_a_sentence(
    there: There, tmp_path: Path
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    (here / "work").write_text("in the way")
    with pytest.raises(ResultError, match=r"here cannot be written: .*; make room"):
        await fetch(there, here)


async def test_who_has_all_of_it_waits_for_nobody(there: There, tmp_path: Path) -> None:
    here = tmp_path / "here"
    await fetch(there, here)
    with (here / "fetch.lock").open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert await asyncio.wait_for(fetch(there, here), 60) == "once"


async def test_who_stands_still_is_complained_of(
    there: There, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "STILL", 0.3)
    here = tmp_path / "here"
    here.mkdir()
    with (here / "fetch.lock").open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(PlaceError, match="has stood still for two minutes"):
            await fetch(there, here)
    assert await fetch(there, here) == "once"


async def test_who_is_at_work_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "STILL", 1.0)
    monkeypatch.setattr(locks, "ALIVE", 0.1)
    begun, order = asyncio.Event(), []

    async def slow() -> None:
        async with locks.fetching(tmp_path):
            begun.set()
            await asyncio.sleep(3.0)
            order.append("slow")

    async def next_one() -> None:
        await begun.wait()
        async with locks.fetching(tmp_path):
            order.append("next")

    await asyncio.gather(slow(), next_one())
    assert order == ["slow", "next"]
