"""Pods of one job and their connections to rank 0."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jupyter_hybrid.runner.gang import Chief, Member, failed, secret_of

SECRET = "s" * 64


@pytest.fixture
def chief() -> Iterator[Chief]:
    chief = Chief(3, SECRET, ("127.0.0.1", 0))
    with contextlib.closing(chief):
        yield chief


def member(chief: Chief, rank: int, secret: str = SECRET) -> Member:
    found = Member(rank, secret, "127.0.0.1", chief.port)
    assert not found.ends()
    return found


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20.0
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_all_complete(chief: Chief) -> None:
    members = [member(chief, rank) for rank in (1, 2)]
    assert chief.look() is None and not chief.done
    members[0].tell({"state": "COMPLETED"})
    # one that has not been heard of before says all at once
    members[1].tell({"state": "COMPLETED"})
    until(lambda: chief.look() or chief.done)
    assert chief.failure is None


def test_one_fails_and_the_others_are_let_go(chief: Chief) -> None:
    members = [member(chief, rank) for rank in (1, 2)]
    until(lambda: chief.look() is None and not members[0].ends())
    members[1].tell({"state": "FAILED", "cause": "cell-error", "ename": "E", "message": "no"})
    until(chief.look)
    assert chief.failure is not None and chief.done
    record = failed({"state": "COMPLETED", "seconds": 2.0}, chief.failure)
    assert (record["state"], record["cause"], record["ename"]) == ("FAILED", "cell-error", "E")
    assert record["message"].startswith("Rank 2 on ") and record["seconds"] == 2.0
    chief.close()
    until(members[0].ends)
    members[0].tell(None)


def test_a_rank_that_goes_without_a_word_has_failed(chief: Chief) -> None:
    with socket.create_connection(("127.0.0.1", chief.port)) as connection:
        connection.sendall(json.dumps({"rank": 2, "secret": SECRET}).encode() + b"\n")
        until(lambda: chief.look() is None and 2 in chief._ranks.values())
    until(chief.look)
    assert "Rank 2 failed" in failed(None, chief.failure or {})["message"]


def test_strangers_are_not_heard(chief: Chief) -> None:
    member(chief, 1, "wrong").tell({"state": "FAILED"})
    with socket.create_connection(("127.0.0.1", chief.port)) as connection:
        connection.sendall(b"GET / HTTP/1.1\n[]\n7\n\n")
    until(lambda: chief.look() is None and not chief._heard)
    assert chief.failure is None and not chief.done


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    alone = Member(1, SECRET, "127.0.0.1", port)
    assert not alone.ends() and not alone.ends()
    alone.tell({"state": "COMPLETED"})


def test_the_secret_is_the_jobs(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).write_bytes(name.encode() * 32)
    assert secret_of(tmp_path / "a") == secret_of(tmp_path / "a") != secret_of(tmp_path / "b")
