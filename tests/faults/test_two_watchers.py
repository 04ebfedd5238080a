"""Several processes reconcile one job: each sees it to its end, and nothing happens twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from commands import PATIENCE, Home, notebook, until

pytestmark = pytest.mark.timeout(300)

#: How many processes look at the job.
WATCHERS = 4
#: Follows the job in argv[1] to its end and prints what it saw, and what it alone has stored.
WATCHER = """
import asyncio, json, os, sys
from jupyter_hybrid.events import Event
from jupyter_hybrid.manager import Manager
from jupyter_hybrid.store import Store
moves, seen, states = [], [], []
real = Store.save
def save(self, job):
    before = self.get(job.id)
    saved = real(self, job)
    # of the revision that was compared: what it says is what was replaced
    assert before.revision == job.revision
    if before.state is not saved.state:
        moves.append([before.state.value, saved.state.value])
    return saved
Store.save = save
async def main():
    manager = Manager.default()
    print("ready", flush=True)
    async for item in manager.follow(sys.argv[1]):
        if isinstance(item, Event):
            seen.append([item.seq, item.kind])
        else:
            states.append(item.state.value)
            last = item
    print(json.dumps({"moves": moves, "seen": seen, "states": states, "revision": last.revision,
                      "cells": last.cells_done, "reason": last.reason}))
asyncio.run(main())
"""


@pytest.fixture
def home(home: Home) -> Home:
    config = Path(home.environ["JUPYTER_CONFIG_DIR"])
    config.mkdir()
    (config / "jupyter_hybrid_config.py").write_text("c.Hybrid.lost_after = 0.4\n")
    return home


def submitted(home: Home) -> dict[str, Any]:
    """A job of three cells that waits in the second one for the file ``go``."""
    waits = (
        f"import os, time\nwhile not os.path.exists({str(home.work / 'go')!r}): time.sleep(0.02)"
    )
    home.write("n.ipynb", notebook("print('first')", waits, "print('third')"))
    done = home.hybrid("run", "n.ipynb", "--detach")
    assert done.returncode == 0, done.stderr
    job: dict[str, Any] = home.json("status", "last")
    return job


def watched(home: Home, job: dict[str, Any], event: Any) -> list[dict[str, Any]]:
    """What each of several processes has seen of the job; meanwhile ``event()`` happens."""
    argv = [sys.executable, "-c", WATCHER, job["id"]]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen(argv, env=home.environ, **pipes) for _ in range(WATCHERS)]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        event()
        said = [process.communicate(timeout=PATIENCE) for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0] * WATCHERS, said
    return [json.loads(text) for text, _ in said]


def complete(home: Home, job: dict[str, Any]) -> None:
    (home.work / "go").touch()


def cancel(home: Home, job: dict[str, Any]) -> None:
    assert home.hybrid("cancel", job["id"]).returncode == 0


def kill(home: Home, job: dict[str, Any]) -> None:
    """All that could still write an exit record; the runner has begun, so that there is some."""
    spawned = json.loads(Path(job["directory"], "spawned.json").read_text())
    os.killpg(spawned["pid"], signal.SIGKILL)


@pytest.mark.parametrize(
    ("event", "end", "cells"),
    [(complete, "COMPLETED", 3), (cancel, "CANCELLED", 1), (kill, "LOST", 1)],
)
def test_each_sees_the_end_and_each_move_is_made_once(
    home: Home, event: Any, end: str, cells: int
) -> None:
    job = submitted(home)
    until(lambda: home.json("status", job["id"])["cells"]["done"] == 1)
    assert home.state() == "RUNNING"
    seen = watched(home, job, lambda: event(home, job))
    assert [watcher["states"][-1] for watcher in seen] == [end] * WATCHERS
    # one of them, or the command that cancelled it, has made the one move that there is
    moves = [tuple(move) for watcher in seen for move in watcher["moves"]]
    assert moves == [("RUNNING", end)] or (event is cancel and moves == [])
    final = home.json("status", job["id"])
    assert (final["state"], final["cells"]["done"]) == (end, cells)
    assert {watcher["cells"] for watcher in seen} == {cells}
    assert len({watcher["revision"] for watcher in seen}) == 1
    assert len({watcher["reason"] for watcher in seen}) == 1
    # each event once, in order, to each of them
    for watcher in seen:
        assert watcher["seen"] == seen[0]["seen"]
        numbers = [number for number, _ in watcher["seen"]]
        assert numbers == list(range(1, len(numbers) + 1))
    kinds = Counter(kind for _, kind in seen[0]["seen"])
    assert kinds["started"] == 1 and kinds["finished"] == (end != "LOST")


def test_from_the_beginning(home: Home) -> None:
    """Also the moves before: each is made by one of them, or by the submit."""
    job = submitted(home)
    seen = watched(home, job, lambda: complete(home, job))
    moves = Counter(tuple(move) for watcher in seen for move in watcher["moves"])
    assert set(moves) <= {
        ("PENDING", "RUNNING"),
        ("RUNNING", "COMPLETED"),
        ("PENDING", "COMPLETED"),
    }
    assert set(moves.values()) == {1}
    assert sum(end == "COMPLETED" for _, end in moves) == 1
    assert {watcher["states"][-1] for watcher in seen} == {"COMPLETED"}
    assert {watcher["cells"] for watcher in seen} == {3}
