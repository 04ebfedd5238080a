"""The store, the job's directory, or all of it is deleted while a job runs."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from commands import PATIENCE, Home, notebook, until

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def home(home: Home) -> Home:
    config = Path(home.environ["JUPYTER_CONFIG_DIR"])
    config.mkdir()
    (config / "jupyter_hybrid_config.py").write_text("c.Hybrid.lost_after = 0.4\n")
    return home


@contextmanager
def at_work(home: Home, command: str = "run") -> Iterator[tuple[Path, Path]]:
    """A job that has printed ``begun`` and waits for a file; our directory, and that file."""
    flag = home.work / "go"
    home.write(
        "n.ipynb",
        notebook(
            f"import os, time\nprint('begun', flush=True)\n"
            f"while not os.path.exists({str(flag)!r}): time.sleep(0.02)\nprint('ended')"
        ),
    )
    with home.started("run", "n.ipynb", "--output", "out.ipynb") as process:
        assert process.stdout is not None
        until(lambda: "begun" in process.stdout.readline())
        yield home.data / "jupyter-hybrid", flag
        flag.touch()
        rest, said = process.communicate(timeout=PATIENCE)
        home.said = (process.returncode, rest, said)  # type: ignore[attr-defined]


def delete(directory: Path) -> None:
    """The directory was gone for a moment: who is at work in it may put something there again."""

    def gone() -> bool:
        shutil.rmtree(directory, ignore_errors=True)
        return not directory.exists()

    until(gone)


def test_the_database_is_deleted(home: Home) -> None:
    with at_work(home) as (ours, _):
        (ours / "jobs.sqlite").unlink()
        assert home.state() == "RUNNING"
    assert home.said[0] == 0, home.said
    assert home.state() == "COMPLETED"


def test_the_database_and_the_records_are_deleted(home: Home) -> None:
    """Nothing knows the job but the one who watches it, and it tells the new store."""
    with at_work(home) as (ours, _):
        (ours / "jobs.sqlite").unlink()
        delete(ours / "records")
    status, text, said = home.said
    assert status == 0 and "ended" in text, said
    assert home.state() == "COMPLETED"
    assert "begun" in (home.work / "out.ipynb").read_text()


@pytest.mark.parametrize("content", [b"", b"not a database" * 1000, None])
def test_the_database_is_damaged(home: Home, content: bytes | None) -> None:
    with at_work(home) as (ours, _):
        store = ours / "jobs.sqlite"
        # in the middle of a page, as a disk does it
        data = store.read_bytes()
        store.write_bytes(data[: len(data) // 2] if content is None else content)
        assert home.state() == "RUNNING"
    assert home.said[0] == 0, home.said
    assert home.state() == "COMPLETED"


def test_the_database_is_locked_by_somebody_who_hangs(home: Home) -> None:
    with at_work(home) as (ours, flag):
        holder = sqlite3.connect(ours / "jobs.sqlite", isolation_level=None)
        holder.execute("BEGIN EXCLUSIVE")
        flag.touch()
        until(lambda: list(ours.rglob("exit.json")))
        holder.close()
    assert home.said[0] == 0, home.said


def test_the_jobs_directory_is_deleted(home: Home) -> None:
    with at_work(home) as (ours, _):
        for job in (ours / "jobs").iterdir():
            delete(job)
        until(lambda: "removed" in home.hybrid("status", "last").stdout)
    status, _, said = home.said
    assert status == 1 and "was removed" in said and "Traceback" not in said, said
    assert home.state() in ("LOST", "FAILED")


def test_a_job_without_a_directory_can_be_cancelled(home: Home) -> None:
    with at_work(home) as (ours, flag):
        delete(next((ours / "jobs").iterdir()))
        done = home.hybrid("cancel", "last")
        assert done.returncode == 0, done.stderr
        until(lambda: home.state() == "CANCELLED")
        assert not flag.exists()
    assert home.said[0] == 1


def test_everything_of_ours_is_deleted(home: Home) -> None:
    with at_work(home) as (ours, _):
        delete(ours)
    status, _, said = home.said
    assert status == 1 and "was removed" in said and "Traceback" not in said, said
