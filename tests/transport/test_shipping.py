"""What a job's submit asks of another machine: little, and nothing twice."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from jobs import a_job

from jupyter_hybrid.executors.shipping import SMALL, relative_directory, ship
from jupyter_hybrid.paths import JobPaths
from jupyter_hybrid.transport import LocalTransport


async def test_a_small_job_is_laid_out_with_one_question(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    transport, home = LocalTransport(str(tmp_path / "there")), tmp_path / "here"
    asked: list[str] = []
    ask = transport.ask

    async def noting(op: str, payload: bytes = b"", **more: Any) -> Any:
        asked.append(op)
        return await ask(op, payload, **more)

    monkeypatch.setattr(transport, "ask", noting)
    try:
        for source in ("'first'", "'second'", f"'{os.urandom(SMALL).hex()}'"):
            asked.clear()
            job, bundle = a_job(tmp_path / "there", source, home=home)
            shipped = await ship(transport, job, bundle, home, 0.0)
            paths = JobPaths(tmp_path / "there" / relative_directory(job))
            assert paths.notebook.read_bytes() == bundle.notebook
            assert paths.key.read_bytes() == bundle.key and paths.spec.exists()
            assert Path(shipped.runner, "run.py").exists()
            # a network file system sees at once what is written into a file that it knows
            assert paths.events.read_bytes() == b""
            assert paths.directory.stat().st_mode & 0o777 == 0o700
            if "second" in source:
                assert asked == ["lay"]
        assert asked == ["missing", "place", "lay"]
        # what was begun stays, and a runner that was removed is brought again
        paths.events.write_bytes(b"said")
        Path(shipped.runner).rename(tmp_path / "gone")
        await ship(transport, job, bundle, home, 0.0)
        assert paths.events.read_bytes() == b"said" and Path(shipped.runner, "run.py").exists()
    finally:
        transport.close()
