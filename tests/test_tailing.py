"""Events are read once each, in whatever pieces and with whatever failures they come."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from fakes import Fake
from jobs import a_job

from jupyter_hybrid import tailing
from jupyter_hybrid.errors import PlaceError
from jupyter_hybrid.events import Event, Kind, parse_events
from jupyter_hybrid.job import Job
from jupyter_hybrid.tailing import Tail

DIGEST = "a" * 64


class Slow(Fake):
    """A place that gives few bytes at a time, and fails at the reads that are named."""

    def __init__(self, content: bytes, size: int = 7, failing: tuple[int, ...] = ()) -> None:
        super().__init__()
        self.content, self.size, self.failing = content, size, failing
        self.blobs: dict[str, bytes] = {}
        self.reads = 0
        self.asked: list[str] = []

    async def read(self, job: Job, name: str, offset: int) -> bytes:
        self.reads += 1
        self.asked.append(name)
        if self.reads in self.failing:
            raise PlaceError("connection reset", transient=True)
        content = self.content if name == "events.jsonl" else self.blobs.get(name, b"")
        return content[offset : offset + self.size]


def three(text: str = "x") -> bytes:
    events = [Event(n, 0.0, Kind.NOTE, {"text": f"{text}{n}"}) for n in (1, 2, 3)]
    return b"".join(event.to_line() for event in events)


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return a_job(tmp_path, "1")[0]


async def numbers(tail: Tail) -> list[int]:
    found: list[int] = []
    for _ in range(25):
        try:
            async for event in tail.new():
                found.append(event.seq)
        except PlaceError:
            continue
    return found


async def test_lines_longer_than_a_read(job: Job) -> None:
    assert await numbers(Tail(Slow(three("long " * 200)), job)) == [1, 2, 3]


@pytest.mark.parametrize("failing", [(1,), (2,), (5, 6), (9, 11, 13), tuple(range(1, 20))])
async def test_failing_reads_lose_nothing(job: Job, failing: tuple[int, ...]) -> None:
    assert await numbers(Tail(Slow(three(), size=40, failing=failing), job)) == [1, 2, 3]


async def test_an_event_whose_output_cannot_be_read_now_comes_again(job: Job) -> None:
    line = Event(1, 0.0, Kind.OUTPUT, {"cell_id": "a", "blob": DIGEST, "size": 9}).to_line()
    place = Slow(line + Event(2, 0.0, Kind.NOTE).to_line(), size=10_000, failing=(2,))
    output = {"output_type": "stream", "name": "stdout", "text": "big"}
    place.blobs[f"event-blobs/{DIGEST}"] = json.dumps(output).encode()
    tail = Tail(place, job)
    with pytest.raises(PlaceError):
        [event async for event in tail.new()]
    first, second = [event async for event in tail.new()]
    assert first.data == {"cell_id": "a", "output": output}
    assert second.seq == 2


@pytest.mark.parametrize("name", ["/etc/passwd", "../../secret", "A" * 64, "a" * 63])
async def test_a_blobs_name_is_never_a_path(job: Job, name: str) -> None:
    place = Slow(Event(1, 0.0, Kind.OUTPUT, {"blob": name}).to_line(), size=10_000)
    (event,) = [event async for event in Tail(place, job).new()]
    assert set(place.asked) == {"events.jsonl"}
    assert "could not be read back" in str(event.data["output"])


async def test_much_is_parsed_in_another_thread(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Jupyter server's loop carries the messages of every kernel meanwhile."""
    threads = set()

    def noted(chunk: bytes) -> Any:
        threads.add(threading.current_thread())
        return parse_events(chunk)

    monkeypatch.setattr(tailing, "parse_events", noted)
    monkeypatch.setattr(tailing, "PIECE", 1000)
    monkeypatch.setattr(tailing, "AT_ONCE", 100)
    content = b"".join(Event(n, 0.0, Kind.NOTE).to_line() for n in range(1, 1001))
    tail = Tail(Slow(content, size=7000), job)
    ends = [end async for _, end in tail.lines()]
    assert ends == [at + 1 for at, byte in enumerate(content) if byte == ord("\n")]
    assert threads and threading.main_thread() not in threads


async def test_who_stops_in_the_midst_goes_on_there(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tailing, "PIECE", 50)
    content = b"".join(Event(n, 0.0, Kind.NOTE).to_line() for n in range(1, 101))
    tail = Tail(Slow(content, size=1000), job)
    found: list[int] = []
    while len(found) < 100:
        async for event in tail.new():
            found.append(event.seq)
            break
    assert found == list(range(1, 101))


async def test_each_line_tells_its_end(job: Job) -> None:
    content = three()
    ends = [end async for _, end in Tail(Slow(content), job).lines()]
    assert ends[-1] == len(content)
    rest = [event.seq async for event, _ in Tail(Slow(content), job, offset=ends[0]).lines()]
    assert rest == [2, 3]


@pytest.mark.parametrize("line", [b'{"seq": 1e999, "time": 0, "kind": "note"}', b"[" * 100_000])
async def test_a_line_that_is_no_event_is_passed_over(job: Job, line: bytes) -> None:
    place = Slow(line + b"\n" + three(), size=1 << 20)
    assert [event.seq async for event in Tail(place, job).new()] == [1, 2, 3]
