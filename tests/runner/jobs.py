"""Jobs that really execute: a directory, a runner's process, a kernel."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_hybrid.events import Event, parse_events
from jupyter_hybrid.paths import JobPaths
from jupyter_hybrid.spec import ExitRecord


def code(source: str, cell_id: str = "a", **metadata: Any) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "id": cell_id,
        "metadata": metadata,
        "source": source,
        "outputs": [],
        "execution_count": None,
    }


def document(*sources: str | dict[str, Any], **metadata: Any) -> dict[str, Any]:
    cells = [s if isinstance(s, dict) else code(s, f"c{i}") for i, s in enumerate(sources, 1)]
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": cells}


@dataclass
class Runner:
    """One job directory and the process that executes it."""

    paths: JobPaths
    blobs: Path
    process: subprocess.Popen[bytes] | None = None
    env: dict[str, str] = field(default_factory=dict)
    #: A program, with its arguments, that starts the runner.
    by: tuple[str, ...] = ()

    def start(self, *options: str) -> Runner:
        argv = [*self.by, sys.executable, "-m", "jupyter_hybrid.runner", str(self.paths.directory)]
        with self.paths.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*argv, "--blobs", str(self.blobs), *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **self.env},
                start_new_session=True,
            )
        return self

    def wait(self, seconds: float = 60) -> ExitRecord:
        assert self.process is not None
        self.process.wait(seconds)
        return self.exit

    def move_to(self, directory: Path) -> None:
        """The job's directory is on another disk from now on."""
        shutil.move(self.paths.directory, directory / "job")
        self.paths = JobPaths(directory / "job")

    def run(self, *options: str) -> ExitRecord:
        return self.start(*options).wait()

    @property
    def exit(self) -> ExitRecord:
        assert self.paths.exit.exists(), self.paths.log.read_text()
        return ExitRecord.from_json(json.loads(self.paths.exit.read_bytes()))

    @property
    def events(self) -> list[Event]:
        return parse_events(self.paths.events.read_bytes())[0] if self.paths.events.exists() else []

    def content(self, event: Event) -> dict[str, Any]:
        if "blob" in event.data:
            return json.loads((self.paths.event_blobs / event.data["blob"]).read_bytes())
        return event.data.get("output", event.data)

    def text(self) -> str:
        """Everything printed so far, from the events."""
        outputs = [self.content(e) for e in self.events if e.kind == "output"]
        return "".join(o["text"] for o in outputs if o["output_type"] == "stream")

    @property
    def result(self) -> dict[str, Any]:
        return json.loads(self.paths.result.read_bytes())

    def outputs(self, cell_id: str) -> list[dict[str, Any]]:
        cells = {cell["id"]: cell for cell in self.result["cells"]}
        return cells[cell_id]["outputs"]

    def until(self, condition: Callable[[], Any], seconds: float = 30) -> Any:
        deadline = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < deadline, self.paths.log.read_text()
            time.sleep(0.005)
        return found

    def until_printed(self, text: str) -> None:
        self.until(lambda: text in self.text())

    def signal(self, number: int = signal.SIGTERM) -> None:
        assert self.process is not None
        os.kill(self.process.pid, number)


Make = Callable[..., Runner]
