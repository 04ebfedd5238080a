"""Files that are followed: by several at once, and where something of the news is missing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest
from jobs import until

from jupyter_hybrid.transport import LocalTransport
from jupyter_hybrid.transport.channel import Answer
from jupyter_hybrid.transport.far.wire import Header
from jupyter_hybrid.transport.watching import Watches


@pytest.fixture
def transport(tmp_path: Path) -> Iterator[LocalTransport]:
    transport = LocalTransport(str(tmp_path / "there"))
    yield transport
    transport.close()


async def append(transport: LocalTransport, text: str) -> None:
    await transport.run(["sh", "-c", f"printf {text} >> '{await transport.root()}/log'"])


async def test_two_begin_to_follow_a_file_at_once(
    transport: LocalTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    await append(transport, "a")
    channel, asked = await transport.channel(), []
    ask = channel.ask

    def noted(header: Header, payload: bytes = b"") -> Future[Answer]:
        asked.append(header["op"])
        return ask(header, payload)

    monkeypatch.setattr(channel, "ask", noted)
    watches = Watches(transport)
    both = await asyncio.gather(watches.read("log", 0), watches.read("log", 0))
    assert {*both} == {b"a"} and asked.count("watch") == 1
    await append(transport, "b")
    await until(lambda: watches._watches["log"].end == 2)
    assert await watches.read("log", 1) == b"b"


async def test_news_that_come_twice_are_taken_once(transport: LocalTransport) -> None:
    watches = Watches(transport)
    assert await watches.read("log", 0) == b""
    for offset, data in ((0, b"ab"), (0, b"abc"), (1, b"bc"), (3, b"d")):
        watches._take({"watched": "log", "offset": offset}, data)
    assert await watches.read("log", 0) == b"abcd"


async def test_where_news_are_missing_the_next_reader_begins_anew(
    transport: LocalTransport,
) -> None:
    await append(transport, "abc")
    watches = Watches(transport)
    assert await watches.read("log", 0) == b"abc"
    waiting = asyncio.create_task(watches.wait("log", 60.0))
    await asyncio.sleep(0)
    watches._take({"watched": "log", "offset": 5}, b"f")
    await asyncio.wait_for(waiting, 30.0)
    await append(transport, "def")
    assert await watches.read("log", 3) == b"def"
    await append(transport, "g")
    await until(lambda: watches._watches["log"].end == 7)
    assert await watches.read("log", 6) == b"g"
