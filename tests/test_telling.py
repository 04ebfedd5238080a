"""What takes long is told to whoever listens: nobody, a terminal, a cell."""

from __future__ import annotations

import asyncio
import concurrent.futures
import io
import time
from concurrent.futures import Future
from typing import Any

import pytest

from jupyter_hybrid import blocking
from jupyter_hybrid.cli.telling import telling
from jupyter_hybrid.cli.terminal import Terminal
from jupyter_hybrid.magics.telling import Told
from jupyter_hybrid.telling import Bytes, listening, tell


class Screen(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        return True


async def long_work() -> str:
    come = Bytes("pulling torch:1", 8 << 30)
    come("sha256:1", 1 << 30, 2 << 30)
    come("sha256:2", 1 << 30, 6 << 30)
    await asyncio.sleep(0)
    tell("podman unpacks torch:1")
    return "done"


def test_nobody_has_to_listen() -> None:
    assert asyncio.run(long_work()) == "done"


def test_tasks_that_are_started_meanwhile_are_heard() -> None:
    told: list[tuple[str, str]] = []
    with listening(lambda what, amount: told.append((what, amount))):
        future = blocking.start(long_work())
    tell("nobody hears this")
    assert future.result(timeout=30) == "done"
    # twice within half a second it is told once
    assert told == [
        ("pulling torch:1", "8.0 GB"),
        ("pulling torch:1", "1.0 GB of 8.0 GB"),
        ("podman unpacks torch:1", ""),
    ]


@pytest.mark.parametrize("kind", [io.StringIO, Screen])
def test_a_terminal_has_one_line_and_a_file_a_line_for_each_thing(kind: type[io.StringIO]) -> None:
    out, err = io.StringIO(), kind()
    with telling(Terminal(out, err, {"TERM": "xterm", "LANG": "C.UTF-8"})):
        asyncio.run(long_work())
    if kind is Screen:
        assert err.getvalue().split("\r\x1b[2K")[1:] == [
            *(
                "pulling torch:1: 8.0 GB",
                "pulling torch:1: 1.0 GB of 8.0 GB",
                "podman unpacks torch:1",
            ),
            "",
        ]
    else:
        assert err.getvalue() == "pulling torch:1: 8.0 GB\npodman unpacks torch:1\n"
    assert out.getvalue() == ""


def test_a_cell_shows_what_is_done_until_there_is_a_job(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []

    class Handle:
        def update(self, data: dict[str, str], **_: Any) -> None:
            shown.append(data["text/plain"])

    def display(data: dict[str, str], **_: Any) -> Handle:
        Handle().update(data)
        return Handle()

    async def work() -> str:
        for text in ("pulling", "unpacking"):
            tell(text, "1 GB")
            deadline = time.monotonic() + 30
            while f"{text}: 1 GB" not in shown and time.monotonic() < deadline:
                await asyncio.sleep(0.01)
        return "a job"

    monkeypatch.setattr("IPython.display.display", display)
    told = Told()
    with listening(told):
        future = blocking.start(work())
    assert told.result(future) == "a job"
    assert shown == ["pulling: 1 GB", "unpacking: 1 GB"]

    async def fails() -> None:
        raise TimeoutError("the registry did not answer")

    with pytest.raises(TimeoutError, match="did not answer"):
        told.result(blocking.start(fails()))


def test_a_job_that_comes_just_as_the_waiting_ends_is_no_time_out() -> None:
    class Late(Future[str]):
        def result(self, timeout: float | None = None) -> str:
            if not self.done():
                self.set_result("a job")
                raise concurrent.futures.TimeoutError
            return super().result(timeout)

    assert Told().result(Late()) == "a job"
