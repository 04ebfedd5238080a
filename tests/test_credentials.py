"""A job's key: private, lasting, and the same for everybody who asks at once."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest

from jupyter_hybrid.credentials import job_key
from jupyter_hybrid.errors import StoreError


def test_keys_last_and_differ_by_job_and_user(tmp_path: Path) -> None:
    key = job_key(tmp_path / "a", "job1")
    assert len(key) == 32
    assert job_key(tmp_path / "a", "job1") == key
    assert job_key(tmp_path / "a", "job2") != key
    assert job_key(tmp_path / "b", "job1") != key
    assert stat.S_IMODE((tmp_path / "a/secret").stat().st_mode) == 0o600
    assert len(list((tmp_path / "a").iterdir())) == 1


def test_of_many_makers_one_wins(tmp_path: Path) -> None:
    keys: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: keys.append(job_key(tmp_path, "job"))) for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(keys)) == 1


def test_a_damaged_secret_is_named(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"short")
    with pytest.raises(StoreError, match="damaged; remove it"):
        job_key(tmp_path, "job")


def test_a_directory_that_others_may_write_to_is_refused(tmp_path: Path) -> None:
    job_key(tmp_path, "job")
    tmp_path.chmod(0o770)
    with pytest.raises(StoreError, match=r"others may write.*chmod go-w"):
        job_key(tmp_path, "job")
