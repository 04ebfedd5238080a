"""A job runs once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_hybrid.paths import JobPaths
from jupyter_hybrid.runner.claim import Claimed, claim_job, is_living
from jupyter_hybrid.runner.processes import boot_id, started_ticks
from runner.jobs import Make


@pytest.fixture
def paths(tmp_path: Path) -> JobPaths:
    return JobPaths(tmp_path)


def test_the_first_runner_gets_the_job(paths: JobPaths) -> None:
    claim = claim_job(paths)
    assert json.loads(paths.claim.read_bytes()) == claim
    assert claim["pid"] == os.getpid()
    assert claim["attempt"] == 1
    assert is_living(claim)
    with pytest.raises(Claimed, match="already runs"):
        claim_job(paths)


def test_a_dead_claim_is_taken_over_once(paths: JobPaths) -> None:
    claim = claim_job(paths)
    paths.claim.write_text(json.dumps({**claim, "started_ticks": 1}))
    assert claim_job(paths)["attempt"] == 2
    with pytest.raises(Claimed):
        claim_job(paths)
    # the next one that finds the first claim dead finds that somebody was faster
    paths.claim.write_text(json.dumps({**claim, "started_ticks": 1}))
    with pytest.raises(Claimed, match="just taken over"):
        claim_job(paths)


def test_a_claim_cut_off_in_the_middle_is_dead(paths: JobPaths) -> None:
    paths.claim.write_text('{"pid": 1')
    assert claim_job(paths)["attempt"] == 2


def test_another_boot_and_another_host() -> None:
    mine = {
        "pid": os.getpid(),
        "started_ticks": started_ticks(os.getpid()),
        "boot_id": boot_id(),
        "host": os.uname().nodename,
    }
    assert is_living(mine)
    assert not is_living({**mine, "boot_id": "other"})
    # made where there was no /proc to look it up
    assert is_living({**mine, "boot_id": None, "started_ticks": None})
    assert not is_living({**mine, "boot_id": None, "started_ticks": 1})
    assert is_living({**mine, "host": "elsewhere"})


def test_a_restart_by_the_scheduler_ends_a_claim_of_another_host(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    assert not is_living({"host": "elsewhere", "restarts": 0})
    assert is_living({"host": "elsewhere", "restarts": 1})


def test_a_job_that_was_preempted_runs_again_where_the_scheduler_says_so(
    paths: JobPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = claim_job(paths)
    paths.claim.write_text(json.dumps({**claim, "started_ticks": 1}))
    paths.exit.write_text('{"state": "FAILED", "cause": "preempted"}')
    with pytest.raises(Claimed, match="has ended"):
        claim_job(paths)
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    assert claim_job(paths)["attempt"] == 2
    assert not paths.exit.exists() and paths.exit.with_name("exit.1.json").exists()
    # any other end is one
    paths.exit.write_text('{"state": "FAILED", "cause": "cell-error"}')
    monkeypatch.setenv("SLURM_RESTART_COUNT", "2")
    with pytest.raises(Claimed, match="has ended"):
        claim_job(paths)


def test_a_zombie_is_dead() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert started_ticks(process.pid) is None


def test_a_second_runner_refuses(make: Make, tmp_path: Path) -> None:
    go = tmp_path / "go"
    waits = f"while not os.path.exists({str(go)!r}): time.sleep(0.02)"
    job = make(f"import os, time\nprint('begun', flush=True)\n{waits}").start()
    job.until_printed("begun")
    argv = [sys.executable, "-m", "jupyter_hybrid.runner", str(job.paths.directory)]
    second = subprocess.run(
        [*argv, "--blobs", str(job.blobs)], capture_output=True, text=True, check=False
    )
    go.touch()
    assert second.returncode == 2
    assert "already runs" in second.stderr
    assert job.wait().state == "COMPLETED"
    third = subprocess.run(
        [*argv, "--blobs", str(job.blobs)], capture_output=True, text=True, check=False
    )
    assert third.returncode == 2
    assert "has ended" in third.stderr


def test_a_requeued_job_goes_on_counting(make: Make) -> None:
    job = make("print(1)")
    job.paths.claim.write_text("{}")
    job.paths.events.write_bytes(b'{"seq":1,"time":1.0,"kind":"started"}\n{"seq":2,"ti')
    assert job.run().message == ""
    assert [e.seq for e in job.events] == [1, *range(2, len(job.events) + 1)]
    assert [e.data.get("attempt") for e in job.events if e.kind == "started"] == [None, 2]


def test_what_is_no_job_directory_is_refused(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "jupyter_hybrid.runner", str(tmp_path), "--blobs", "b"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "spec.json" in done.stderr
    assert not list(tmp_path.iterdir())
