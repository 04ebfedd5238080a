"""Pages of events and texts begin and end where they should, wherever the file stands."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from fakes import Fake, a_manager_of
from jobs import a_job, until

from jupyter_hybrid.errors import PlaceError
from jupyter_hybrid.events import Event, Kind
from jupyter_hybrid.executors.local import LocalExecutor
from jupyter_hybrid.job import Job, State
from jupyter_hybrid.manager import Manager
from jupyter_hybrid.server import reading
from jupyter_hybrid.server.reading import Reader

if TYPE_CHECKING:
    from .conftest import Api


def line(number: int) -> bytes:
    output = {"output_type": "stream", "name": "stdout", "text": f"{number}\n"}
    return Event(number, 0.0, Kind.OUTPUT, {"cell_id": "a", "output": output}).to_line()


class Place(Fake):
    """Notes from where it is read, and gives a thousand bytes at a time."""

    def __init__(self, content: bytes) -> None:
        super().__init__("local")
        self.content = content
        self.read_from: list[int] = []

    async def read(self, job: Job, name: str, offset: int) -> bytes:
        self.read_from.append(offset)
        return self.content[offset : offset + 1000]


def manager_of(place: Place) -> Manager:
    manager = a_manager_of(place)
    manager._executors["local"] = place
    return manager


@pytest.fixture
def job(tmp_path: Path, environment: Path) -> Job:
    return a_job(tmp_path, "1")[0]


async def test_a_server_that_was_started_anew_reads_near_the_end(
    job: Job, monkeypatch: Any
) -> None:
    monkeypatch.setattr(reading, "STRIDE", 1000)
    numbers = range(1, 1001)
    place = Place(b"".join(line(number) for number in numbers))
    for after in (0, 1, 7, 8, 500, 512, 998, 999, 1000, 2000):
        place.read_from = []
        reader = Reader()
        page = await reader.page(manager_of(place), job, after, 20)
        assert [event.seq for event in page.events] == list(numbers[after : after + 20])
        assert len(place.read_from) < 40
        place.read_from = []
        again = await reader.page(manager_of(place), job, page.last, 20)
        assert len(place.read_from) < 10
        assert [event.seq for event in again.events] == list(numbers[after + 20 : after + 40])


async def test_numbers_that_come_twice_hide_none(job: Job, monkeypatch: Any) -> None:
    monkeypatch.setattr(reading, "STRIDE", 100)
    # a runner that was requeued after its place had lost what it wrote last
    place = Place(b"".join(line(number) for number in [*range(1, 61), *range(40, 101)]))
    for after in range(1, 101):
        page = await Reader().page(manager_of(place), job, after, 1000)
        assert [event.seq for event in page.events] == list(range(after + 1, 101))


async def test_the_last_event_is_known_while_the_next_one_is_being_written(job: Job) -> None:
    whole, next_one = b"".join(line(number) for number in range(1, 101)), line(101)
    for written in range(len(next_one)):
        place = Place(whole + next_one[:written])
        assert await Reader().last(manager_of(place), job) == 100
    assert await Reader().last(manager_of(Place(line(1)[:-1])), job) == 0
    assert await Reader().last(manager_of(Place(whole + next_one)), job) == 101


async def test_a_long_log_is_read_in_pieces_that_cut_no_character(
    api: Api, monkeypatch: Any
) -> None:
    job = await api.submit("1")
    ended = await api.ended(job["id"])
    assert ended["state"] == State.COMPLETED.value
    content = ("\u3042" * 1000).encode() + b"\xe3\x81"

    async def read(self: Any, job_id: str, offset: int = 0) -> bytes:
        return content[offset : offset + 1000]

    monkeypatch.setattr(Manager, "log", read)
    text, offset = "", 0

    async def at_end() -> bool:
        nonlocal text, offset
        answer = await api.get(f"/jobs/{job['id']}/log", of="runner", offset=offset)
        text, offset = text + answer["text"], answer["next"]
        return bool(answer["ended"])

    await until(at_end)
    assert text == "\u3042" * 1000 + "\ufffd"
    assert offset == len(content)


async def test_a_notebook_that_is_here_is_shown_where_its_place_is_out_of_reach(
    api: Api, monkeypatch: Any
) -> None:
    job = (await api.submit("print('here')"))["id"]
    await api.ended(job)

    async def read(self: LocalExecutor, job: Job, name: str, offset: int) -> bytes:
        raise PlaceError("out of reach")

    monkeypatch.setattr(LocalExecutor, "read", read)
    (cell,) = (await api.get(f"/jobs/{job}/notebook"))["cells"]
    assert cell["outputs"][0]["text"] == "here\n"
