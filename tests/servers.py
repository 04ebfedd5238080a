"""A ``jupyter server`` of one's own: a process, and requests to it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from commands import PATIENCE, until
from tree import ROOT

TOKEN = "for-this-test-only"


class Server:
    """A ``jupyter server`` process and requests to it."""

    def __init__(self, process: subprocess.Popen[bytes], url: str) -> None:
        self.process = process
        self.url = url

    def ask(
        self, method: str, path: str, body: Any = None, patience: float = PATIENCE, **headers: str
    ) -> Any:
        return self.request(method, f"jupyter-hybrid/api{path}", body, patience, **headers)

    def request(
        self, method: str, path: str, body: Any = None, patience: float = PATIENCE, **headers: str
    ) -> Any:
        """Jupyter Server's own paths too."""
        data = None if body is None else json.dumps(body).encode()
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        headers = {
            "Authorization": f"token {TOKEN}",
            "Content-Type": "application/json",
            **given,
        }
        request = urllib.request.Request(
            f"{self.url}{path}", data=data, method=method, headers=headers
        )
        with urllib.request.urlopen(request, timeout=patience) as answer:
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

    def jobs_of(self, path: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.ask("GET", f"/jobs?path={path}")["jobs"]
        return found


def install_executor(place: Path, name: str, source: str) -> None:
    """Make a module with an executor, as a package of somebody else's that is on the path."""
    (executor,) = re.findall(r"^class (\w+)\(", source, re.MULTILINE)
    (place / f"lab_{name}.py").write_text(source)
    package = place / f"lab_{name}-1.dist-info"
    package.mkdir()
    (package / "METADATA").write_text(f"Metadata-Version: 2.1\nName: lab-{name}\nVersion: 1\n")
    entry = f"[jupyter_hybrid.executors]\n{name} = lab_{name}:{executor}\n"
    (package / "entry_points.txt").write_text(entry)


@contextmanager
def server(
    work: Path, home: Path, module: str = "jupyter_server", *options: str, **more: str
) -> Iterator[Server]:
    """A server that is configured by the file that the wheel installs.

    ``module`` is the application, ``more`` are variables of its environment.
    """
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
        **more,
    }
    command = [sys.executable, "-m", module, "--allow-root", "--no-browser"]
    command += ["--ServerApp.ip=127.0.0.1", f"--ServerApp.root_dir={work}"]
    if not any(option.startswith("--ServerApp.port=") for option in options):
        command.append("--ServerApp.port=0")
    command += [f"--IdentityProvider.token={TOKEN}", *options]
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
