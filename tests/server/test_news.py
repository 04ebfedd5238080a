"""What happens is announced, whoever made it happen; and the records are kept true meanwhile."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

import pytest
from fakes import Fake, a_manager_of, ended, lines, running
from jobs import a_manager, a_request

from jupyter_hybrid.errors import PlaceError
from jupyter_hybrid.events import Kind
from jupyter_hybrid.job import Job, State
from jupyter_hybrid.manager import Manager
from jupyter_hybrid.server import news
from jupyter_hybrid.server.news import JOB, PROGRESS, TARGET, News

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Api

Heard = Callable[..., Any]


@pytest.fixture
async def hear(jp_ws_fetch: Callable[..., Any]) -> AsyncIterator[Heard]:
    """Subscribes to the event bus; gives a function that waits for one of our events."""
    socket = await jp_ws_fetch("api/events/subscribe")

    async def hear(schema: str, **wanted: Any) -> dict[str, Any]:
        while True:
            message = await asyncio.wait_for(socket.read_message(), 30)
            event: dict[str, Any] = json.loads(message)
            matches = all(event.get(name) == value for name, value in wanted.items())
            if event["schema_id"] == schema and matches:
                return event

    yield hear
    socket.close()
    # until the server has closed it as well, it counts as left open
    while await asyncio.wait_for(socket.read_message(), 30) is not None:
        pass


async def test_a_job_is_announced_from_its_beginning_to_its_end(api: Api, hear: Heard) -> None:
    code = "import time\nfor i in range(3):\n    print(i, flush=True)\n    time.sleep(0.5)"
    job = await api.submit(code)
    new = await hear(JOB, job=job["id"], change="new")
    assert State(new["state"]) and new["revision"] >= 0
    await hear(JOB, job=job["id"], state="RUNNING")
    read = 0
    while read < 3:
        event = await hear(PROGRESS, job=job["id"])
        page = await api.get(f"/jobs/{job['id']}/events", after=event["last"] - 1)
        assert page["events"][0]["seq"] == event["last"]
        read += 1
    done = await hear(JOB, job=job["id"], state="COMPLETED")
    assert (await api.get(f"/jobs/{job['id']}"))["revision"] >= done["revision"]
    await api.ask("DELETE", f"/jobs/{job['id']}", status=204)
    gone = await hear(JOB, job=job["id"], change="deleted")
    assert set(gone) >= {"job", "change"} and "state" not in gone


async def test_what_others_do_is_announced_too(api: Api, hear: Heard, tmp_path: Path) -> None:
    await api.get("/jobs")
    other = a_manager()
    job = await other.submit(a_request(tmp_path, "print(1)"))
    await hear(JOB, job=job.id, change="new")
    # nobody else looks after it from here on
    await hear(JOB, job=job.id, state="COMPLETED")
    assert (await api.get(f"/jobs/{job.id}"))["cells"]["done"] == 1


async def test_events_carry_no_content(api: Api, hear: Heard, jp_serverapp: Any) -> None:
    """What is printed must not end in an administrator's log of events."""
    # (what ends at once may have nothing announced but its end)
    code = "import time\nfor _ in 'secret':\n    print('secret text', flush=True); time.sleep(0.5)"
    job = await api.submit(code, name="secret name.ipynb")
    seen = [await hear(JOB, job=job["id"]), await hear(PROGRESS, job=job["id"])]
    await api.ended(job["id"])
    assert "secret" not in json.dumps(seen)


async def test_a_slow_place_delays_no_other(tmp_path: Path, monkeypatch: Any) -> None:
    manager = a_manager(targets={"slow": {"executor": "local"}})
    stuck = manager.executor("slow")

    async def never(*_: Any) -> Any:
        await asyncio.sleep(3600)

    slow = await manager.submit(a_request(tmp_path, "print(1)", target="slow"))
    monkeypatch.setattr(stuck, "poll", never)
    announced: list[tuple[str, Any]] = []
    looking = News(lambda: manager, lambda schema, data: announced.append((schema, data)))
    looking.somebody_looks()
    task = asyncio.create_task(looking.run())
    job = await manager.submit(a_request(tmp_path, "print(2)"))
    await state_of(manager, job, State.COMPLETED)
    assert manager.get(slow.id).state is State.PENDING
    task.cancel()
    await asyncio.wait([task])
    monkeypatch.undo()
    await finished(manager, slow)


async def test_jobs_of_a_store_that_is_made_again_are_no_news(tmp_path: Path) -> None:
    manager = a_manager()
    old = await manager.submit(a_request(tmp_path, "1"))
    await finished(manager, old)
    manager.store.path.unlink()
    announced: list[Any] = []
    looking = News(lambda: manager, lambda _, data: announced.append(data))
    task = asyncio.create_task(looking.run())
    await asyncio.sleep(0.3)
    assert not manager.store.path.exists()
    # whoever asks first makes it again, and a page that opens then asks for what it shows
    assert [job.id for job in manager.jobs()] == [old.id]
    looking.somebody_looks()
    await asyncio.sleep(0.5)
    new = await manager.submit(a_request(tmp_path, "2"))
    await finished(manager, new)
    await until(lambda: any(data["job"] == new.id for data in announced))
    assert {data["job"] for data in announced} == {new.id}
    task.cancel()
    await asyncio.wait([task])


async def test_a_place_that_is_down_is_asked_again(tmp_path: Path, monkeypatch: Any) -> None:
    manager = a_manager()
    executor, poll, failures = manager.executor("local"), manager.executor("local").poll, [0]

    async def failing(jobs: Any) -> Any:
        failures[0] += 1
        if failures[0] < 4:
            raise PlaceError("down") if failures[0] % 2 else RuntimeError("a mistake of theirs")
        return await poll(jobs)

    monkeypatch.setattr(executor, "poll", failing)
    job = await manager.submit(a_request(tmp_path, "print(2)"))
    looking = News(lambda: manager, lambda *_: None)
    looking.somebody_looks()
    task = asyncio.create_task(looking.run())
    await state_of(manager, job, State.COMPLETED)
    assert failures[0] >= 4
    task.cancel()
    await asyncio.wait([task])


@pytest.mark.parametrize("trouble", [PlaceError("not this one"), OSError("a mistake of theirs")])
async def test_a_job_that_cannot_be_read_hides_no_others_news(
    tmp_path: Path, monkeypatch: Any, trouble: Exception
) -> None:
    place = Fake()
    place.polls = [running()]
    manager = a_manager_of(place)
    jobs = [await manager.submit(a_request(tmp_path, "1")) for _ in range(3)]
    said: list[bytes] = []
    told: list[Any] = []

    async def read(job: Job, name: str, offset: int) -> bytes:
        if job.id == jobs[1].id:
            raise trouble
        return b"".join(said)[offset:]

    def heard() -> set[str]:
        said.append(lines((len(said) + 1, Kind.NOTE)))
        return {data["job"] for kind, data in told if kind == PROGRESS}

    monkeypatch.setattr(place, "read", read)
    for job in jobs:
        manager.store.save(job.evolve(state=State.RUNNING))
    looking = News(lambda: manager, lambda kind, data: told.append((kind, data)))
    looking.somebody_looks()
    task = asyncio.create_task(looking.run())
    await until(lambda: heard() == {jobs[0].id, jobs[2].id})
    place.polls = [ended()]
    for job in (jobs[0], jobs[2]):
        await state_of(manager, job, State.COMPLETED)
    task.cancel()
    await asyncio.wait([task])


async def test_what_was_read_is_told_also_where_the_rest_cannot_be(
    tmp_path: Path, monkeypatch: Any
) -> None:
    place = Fake()
    place.polls = [running()]
    manager = a_manager_of(place)
    job = await manager.submit(a_request(tmp_path, "1"))
    manager.store.save(job.evolve(state=State.RUNNING))
    told: list[Any] = []

    async def read(job: Job, name: str, offset: int) -> bytes:
        if offset:
            raise PlaceError("the line broke")
        return lines((1, Kind.NOTE), (2, Kind.NOTE))

    monkeypatch.setattr(place, "read", read)
    looking = News(lambda: manager, lambda kind, data: told.append((kind, data)))
    looking.somebody_looks()
    task = asyncio.create_task(looking.run())
    await until(lambda: (PROGRESS, {"job": job.id, "last": 2}) in told)
    task.cancel()
    await asyncio.wait([task])


async def test_a_place_that_stays_down_is_told_of_once_and_when_it_is_back(
    tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr(news, "SILENT", 0.5)
    manager = a_manager()
    executor, poll = manager.executor("local"), manager.executor("local").poll
    trouble = ["down"]
    told: list[Any] = []

    async def failing(jobs: Any) -> Any:
        if trouble:
            raise PlaceError(trouble[0])
        return await poll(jobs)

    monkeypatch.setattr(executor, "poll", failing)
    jobs = [await manager.submit(a_request(tmp_path, "print(2)")) for _ in range(3)]
    looking = News(lambda: manager, lambda kind, data: told.append((kind, data)))
    looking.somebody_looks()
    task = asyncio.create_task(looking.run())

    def heard() -> list[Any]:
        return [data["answers"] for kind, data in told if kind == TARGET]

    await until(lambda: heard() == [False])
    assert news.trouble_of(manager, "local") == "down"
    await asyncio.sleep(2)
    # three jobs and several attempts are one piece of news
    assert heard() == [False]
    trouble[0] = "still down, for another reason"
    await until(lambda: heard() == [False, False])
    trouble.clear()
    await until(lambda: heard() == [False, False, True])
    assert news.trouble_of(manager, "local") == ""
    for job in jobs:
        await state_of(manager, job, State.COMPLETED)
    task.cancel()
    await asyncio.wait([task])


async def test_who_does_not_look_costs_little(monkeypatch: Any) -> None:
    manager = a_manager()
    looks = [0]
    monkeypatch.setattr(News, "_read_store", lambda self, m: looks.__setitem__(0, looks[0] + 1))
    monkeypatch.setattr(news, "SELDOM", 3600.0)
    looking = News(lambda: manager, lambda *_: None)
    task = asyncio.create_task(looking.run())
    await until(lambda: looks[0] > 0)
    await asyncio.sleep(3 * news.OFTEN)
    assert looks == [1]
    looking.somebody_looks()
    deadline = time.monotonic() + 90
    while looks[0] < 3:
        await asyncio.sleep(0.01)
        assert time.monotonic() < deadline
    task.cancel()
    await asyncio.wait([task])


async def until(wanted: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 90
    while not wanted():
        await asyncio.sleep(0.02)
        assert time.monotonic() < deadline


async def state_of(manager: Manager, job: Job, state: State) -> None:
    deadline = time.monotonic() + 90
    while manager.get(job.id).state is not state:
        await asyncio.sleep(0.02)
        assert time.monotonic() < deadline, manager.get(job.id)


async def finished(manager: Manager, job: Job) -> None:
    async for _ in manager.follow(job.id):
        pass
