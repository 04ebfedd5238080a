"""A server as users have one: a process of its own, that ends and comes back."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from commands import PATIENCE, notebook, until
from tree import ROOT

TOKEN = "for-this-test-only"
#: Prints when it begins, waits for a file, and prints once more.
WAITING = """
import pathlib, time
print("begun", flush=True)
while not pathlib.Path({go!r}).exists():
    time.sleep(0.01)
print("went on")
"""


class Server:
    """A ``jupyter server`` process and requests to it."""

    def __init__(self, process: subprocess.Popen[bytes], url: str) -> None:
        self.process = process
        self._url = url

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"token {TOKEN}", "Content-Type": "application/json"}
        request = urllib.request.Request(
            f"{self._url}jupyter-hybrid/api{path}", data=data, method=method, headers=headers
        )
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return json.loads(answer.read() or b"null")

    def answers(self) -> bool:
        try:
            return bool(self.ask("GET", "/about"))
        except urllib.error.URLError:
            return False

    def text(self, job: str) -> str:
        return str(self.ask("GET", f"/jobs/{job}/log")["text"])

    def job(self, job: str) -> Any:
        return self.ask("GET", f"/jobs/{job}")


@contextmanager
def server(work: Path, home: Path) -> Iterator[Server]:
    """A server that is configured by the file that the wheel installs."""
    config = home / "config" / "jupyter_server_config.d"
    config.mkdir(parents=True, exist_ok=True)
    installed = ROOT / "jupyter-config" / "jupyter_hybrid.json"
    (config / installed.name).write_bytes(installed.read_bytes())
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith("JUPYTER_")},
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "HOME": str(home),
    }
    command = [sys.executable, "-m", "jupyter_server", "--allow-root", "--no-browser"]
    command += ["--ServerApp.ip=127.0.0.1", "--ServerApp.port=0", f"--ServerApp.root_dir={work}"]
    command += [f"--IdentityProvider.token={TOKEN}"]
    with (home / "server.log").open("ab") as log:
        process = subprocess.Popen(command, cwd=work, env=environment, stdout=log, stderr=log)
    try:
        runtime = home / "runtime" / f"jpserver-{process.pid}.json"

        def url() -> str | None:
            assert process.poll() is None, (home / "server.log").read_text()
            try:
                return str(json.loads(runtime.read_text())["url"])
            except (OSError, ValueError):
                return None

        started = Server(process, until(url, "the server"))
        until(started.answers, "the server's first answer")
        yield started
    finally:
        process.kill()
        process.wait()


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
        assert second.job(job)["state"] == "RUNNING"
        assert second.text(job) == "begun\n"
        go.touch()
        until(lambda: second.job(job)["final"], "the job's end")
        assert second.job(job)["state"] == "COMPLETED"
        assert second.text(job) == "begun\nwent on\n"
        assert second.ask("POST", f"/jobs/{job}/fetch", {})["paths"] == ["made.txt"]


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
