"""A server as users have one: a process of its own, that ends and comes back."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from http.client import HTTPException
from pathlib import Path

import pytest
from commands import PATIENCE, notebook, until
from servers import install_executor, server

#: Prints when it begins, waits for a file, and prints once more.
WAITING = """
import pathlib, time
print("begun", flush=True)
while not pathlib.Path({go!r}).exists():
    time.sleep(0.01)
print("went on")
"""


#: Accepts nothing, and is silent about it.
SLOW = """
import asyncio
from jupyter_hybrid.executors.local import LocalExecutor

class Waiting(LocalExecutor):
    name = "waiting"

    async def submit(self, job, bundle):
        await asyncio.sleep(600)
        yield {}
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    return home


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_a_job_outlives_its_server_and_the_next_one_shows_all_of_it(
    tmp_path: Path, home: Path, end: signal.Signals
) -> None:
    work = tmp_path / "work dir"
    work.mkdir()
    go = tmp_path / "go"
    cells = notebook(WAITING.format(go=str(go)), "open('made.txt', 'w').write('1');")
    (work / "work.ipynb").write_text(json.dumps(cells))
    with server(work, home) as first:
        job = first.ask("POST", "/jobs", {"path": "work.ipynb"})["id"]
        until(lambda: "begun" in first.text(job), "the first line")
        first.process.send_signal(end)
        first.process.wait(PATIENCE)
    with server(work, home) as second:
        # (the first one may have ended before it knew of that)
        until(lambda: second.job(job)["state"] == "RUNNING", "its state")
        assert second.text(job) == "begun\n"
        go.touch()
        until(lambda: second.job(job)["final"], "the job's end")
        assert second.job(job)["state"] == "COMPLETED"
        assert second.text(job) == "begun\nwent on\n"
        assert second.ask("POST", f"/jobs/{job}/fetch", {})["paths"] == ["made.txt"]


def test_a_submit_that_is_repeated_to_the_next_server_is_one_job(
    tmp_path: Path, home: Path
) -> None:
    (home / "config").mkdir()
    place = tmp_path / "place"
    place.mkdir()
    install_executor(place, "waiting", SLOW)
    config = "c.Hybrid.targets = {'slow': {'executor': 'waiting'}}"
    (home / "config" / "jupyter_hybrid_config.py").write_text(config)
    work = tmp_path / "work"
    work.mkdir()
    (work / "work.ipynb").write_text(json.dumps(notebook("print('once')")))
    environment = {"PYTHONPATH": str(place)}
    body = {"path": "work.ipynb", "target": "slow"}
    with server(work, home, **environment) as first, ThreadPoolExecutor(1) as pool:
        answer = pool.submit(first.ask, "POST", "/jobs", body, Idempotency_Key="abc")
        (job,) = until(lambda: first.ask("GET", "/jobs")["jobs"], "the job's record")
        assert (job["state"], job["submit_key"]) == ("CREATED", "abc")
        first.process.kill()
        first.process.wait(PATIENCE)
        with pytest.raises((OSError, HTTPException)):
            answer.result(PATIENCE)
    with server(work, home, **environment) as second:
        again = second.ask("POST", "/jobs", body, Idempotency_Key="abc")
        assert again["id"] == job["id"]
        assert [one["id"] for one in second.ask("GET", "/jobs")["jobs"]] == [job["id"]]


def test_the_command_line_and_the_server_know_the_same_jobs(tmp_path: Path, home: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    (work / "work.ipynb").write_text(json.dumps(notebook("print('by hand')")))
    with server(work, home) as running:
        environment = {**os.environ, "JUPYTER_DATA_DIR": str(home / "data")}
        environment.pop("JUPYTER_HYBRID_DIR")
        command = [sys.executable, "-m", "jupyter_hybrid.cli", "run", "work.ipynb", "--detach"]
        subprocess.run(command, cwd=work, env=environment, check=True, capture_output=True)
        (job,) = running.ask("GET", "/jobs")["jobs"]
        until(lambda: running.job(job["id"])["final"], "the job's end")
        assert running.job(job["id"])["path"] == "work.ipynb"
        commands = running.job(job["id"])["commands"]
        assert commands["cli"].endswith(f"{work / 'work.ipynb'} --target local")
    # nothing is written into the workspace that nobody asked for
    assert [path.name for path in work.iterdir()] == ["work.ipynb"]


@contextmanager
def held(store: Path) -> Iterator[None]:
    """Another process's lock on the store, as one that was stopped in the midst of a write has."""
    with closing(sqlite3.connect(store, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield
        connection.execute("ROLLBACK")


def test_a_store_that_another_process_holds_stops_nothing_else(tmp_path: Path, home: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    go = tmp_path / "go"
    (work / "work.ipynb").write_text(json.dumps(notebook(WAITING.format(go=str(go)))))
    with server(work, home) as running, ThreadPoolExecutor(50) as threads:
        job = running.ask("POST", "/jobs", {"path": "work.ipynb"})["id"]
        until(lambda: "begun" in running.text(job), "the first line")
        (store,) = home.rglob("jobs.sqlite")
        with held(store):
            # what the job says now cannot be recorded, and what is asked for cannot be read
            go.touch()
            listed = threads.submit(running.ask, "GET", "/jobs")
            (shown, *_) = [threads.submit(running.job, job) for _ in range(40)]
            another = threads.submit(running.ask, "POST", "/jobs", {"path": "work.ipynb"})
            end = time.monotonic() + 5
            while time.monotonic() < end:
                # (a server that waits for the store would be silent for as long as SQLite waits)
                running.ask("GET", "/about", patience=10)
                # (nor may all threads wait that Jupyter Server does its own work in)
                assert running.request("GET", "api/kernelspecs", patience=10)["kernelspecs"]
                time.sleep(0.1)
            assert not (listed.done() or shown.done() or another.done())
        assert shown.result()["id"] == job and listed.result()["jobs"]
        for each in (job, another.result()["id"]):
            until(lambda each=each: running.job(each)["final"], "the job's end")
            assert running.job(each)["state"] == "COMPLETED"
