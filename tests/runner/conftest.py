"""The fixture that makes jobs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from jupyter_hybrid.paths import JobPaths
from jupyter_hybrid.spec import JobSpec
from runner.jobs import Make, Runner, document


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Makes a job directory of cells' sources; what still executes at the end is killed."""
    made: list[Runner] = []

    def make_job(
        *cells: str | dict[str, Any],
        content: bytes | None = None,
        files: Sequence[dict[str, Any]] = (),
        metadata: dict[str, Any] | None = None,
        **spec: Any,
    ) -> Runner:
        paths = JobPaths(tmp_path / f"job{len(made)}")
        paths.directory.mkdir()
        notebook = json.dumps(document(*cells, **(metadata or {}))).encode()
        paths.notebook.write_bytes(notebook if content is None else content)
        paths.files.write_text(json.dumps({"files": list(files), "directories": [], "links": []}))
        paths.key.write_bytes(b"k" * 32)
        values = {"name": "test", "target": "local", "kind": "notebook", **spec}
        paths.spec.write_text(json.dumps(JobSpec.from_json(values).to_json()))
        made.append(Runner(paths, tmp_path / "blobs"))
        return made[-1]

    yield make_job
    for runner in made:
        if runner.process is not None and runner.process.poll() is None:
            os.killpg(runner.process.pid, signal.SIGKILL)
            runner.process.wait()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of four megabytes."""
    directory = tmp_path / "disk"
    directory.mkdir()
    argv = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(directory)]
    if subprocess.run(argv, capture_output=True, check=False).returncode:
        pytest.skip("a small file system can be mounted by root only")
    yield directory
    subprocess.run(["umount", "--lazy", str(directory)], check=True)
