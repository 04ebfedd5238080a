"""Run the command line as a user does: real processes, in a home of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

#: Seconds that anything in these tests may take at the most.
PATIENCE = 120.0


def notebook(*sources: str, parameters: str | None = None, **kernelspec: str) -> dict[str, Any]:
    """A notebook with these code cells, the first of them tagged ``parameters`` if given."""
    cells: list[dict[str, Any]] = [
        {
            "cell_type": "code",
            "id": f"cell-{i}",
            "metadata": {"tags": ["parameters"]} if i == 0 and parameters is not None else {},
            "source": source,
            "outputs": [],
            "execution_count": None,
        }
        for i, source in enumerate([*([parameters] if parameters is not None else []), *sources])
    ]
    metadata = {"kernelspec": kernelspec} if kernelspec else {}
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


class Home:
    """A user's home and work directory."""

    def __init__(self, directory: Path) -> None:
        self.work = directory / "work"
        self.work.mkdir()
        self.data = directory / "data"
        self.environ = {
            **{k: v for k, v in os.environ.items() if not k.startswith("JUPYTER")},
            "JUPYTER_DATA_DIR": str(self.data),
            "JUPYTER_CONFIG_DIR": str(directory / "config"),
            "HOME": str(directory),
            "LANG": "C.UTF-8",
            "JUPYTER_HYBRID_DEBUG": "1",
        }

    def write(self, name: str, content: Any) -> Path:
        """A file in the work directory; a dictionary is written as JSON."""
        path = self.work / name
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    def hybrid(self, *words: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a command until it ends."""
        settings = {"cwd": self.work, "env": self.environ, "timeout": PATIENCE, **options}
        return subprocess.run(
            command(*words), check=False, capture_output=True, text=True, **settings
        )

    def json(self, *words: str) -> Any:
        """What a command prints with ``--json``."""
        done = self.hybrid(*words, "--json")
        assert done.stdout, done.stderr
        return json.loads(done.stdout)

    @contextmanager
    def started(self, *words: str, **options: Any) -> Iterator[subprocess.Popen[str]]:
        """A command that runs while the block does, in a process group of its own."""
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        process = subprocess.Popen(
            command(*words),
            cwd=self.work,
            env=self.environ,
            text=True,
            start_new_session=True,
            **pipes,
        )
        try:
            with process:
                yield process
                process.wait(PATIENCE)
        finally:
            process.kill()

    def state(self, job: str = "last") -> str:
        """Where a job stands."""
        return str(self.json("status", job)["state"])

    def clean(self) -> None:
        """End what still runs."""
        if not self.data.exists():
            return
        running = [job["id"] for job in self.json("jobs") if job["finished_at"] is None]
        if running:
            self.hybrid("cancel", "--force", *running)


def command(*words: str) -> list[str]:
    """The command line, by this Python."""
    return [sys.executable, "-m", "jupyter_hybrid.cli", *words]


def until(condition: Callable[[], Any], what: str = "", patience: float = PATIENCE) -> Any:
    """The condition's first true value; fails after so many seconds."""
    deadline = time.monotonic() + patience
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited {patience} s for {what or condition}"
        time.sleep(0.02)
    return value
