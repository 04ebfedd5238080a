"""What dead processes left goes with the next submit, and nothing else."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from commands import Home, notebook
from jobs import a_job

from jupyter_hybrid.cli import main
from jupyter_hybrid.config import Hybrid
from jupyter_hybrid.housekeeping import STAGING, tidy, tidy_images, tidy_images_sometimes
from jupyter_hybrid.store import Store


def test_only_what_is_old_goes(tmp_path: Path) -> None:
    assert tidy(tmp_path) == 0 and not list(tmp_path.iterdir())
    old, new = (tmp_path / STAGING / name for name in ("old", "new"))
    for directory in (old, new):
        directory.mkdir(parents=True)
        (directory / "values.bin").write_bytes(b"x")
    os.utime(old, (1, 1))
    assert tidy(tmp_path) == 1
    assert list((tmp_path / STAGING).iterdir()) == [new]


def test_a_submit_tidies_up(tmp_path: Path) -> None:
    home = Home(tmp_path)
    ours = home.data / "jupyter-hybrid"
    incoming, staged = ours / "blobs" / ".incoming" / "half", ours / STAGING / "dead"
    for path in (incoming, staged):
        path.mkdir(parents=True) if path is staged else path.parent.mkdir(parents=True)
    incoming.write_bytes(b"half")
    for path in (incoming, staged):
        os.utime(path, (1, 1))
    home.write("n.ipynb", notebook("1"))
    assert home.hybrid("run", "n.ipynb").returncode == 0
    assert not incoming.exists() and not staged.exists()


def _put(images: Path, days: float, *names: str, size: int = 1000) -> None:
    """Files of so many bytes that were used so many days ago."""
    for name in names:
        path = images / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * size)
        inside = name.count("/") == 2
        for used in (path, path.parent) if inside else (path,):
            os.utime(used, (time.time() - days * 86_400,) * 2)


def _left(images: Path) -> list[str]:
    found = (path for path in images.rglob("*") if path.is_file() and path.name != "tidied")
    return sorted(str(path.relative_to(images)) for path in found)


def test_parts_of_images_go_by_age_and_the_oldest_beyond_the_limit(environment: Path) -> None:
    images, config = environment / "images", Hybrid(image_cache_size=3500, image_cache_days=30.0)
    _put(images, 40, "layers/old.json", "layers/old.tar", "layers/old.lock.json")
    _put(images, 20, "unpacked/a/x.py", "sif/b.sif")
    _put(images, 10, "layers/c.json", "layers/c.tar", "pulls/d/x", "layers/.work-1/x")
    _put(images, 0, "layers/new.json", "layers/new.tar", "layers/.work-2/x")
    _put(images, 90, "facts/1.json", "sif/named.json")
    done = tidy_images(config)
    assert (done.freed, done.kept) == (9000, 3000)
    kept = ["facts/1.json", "layers/.work-2/x", "layers/new.json", "layers/new.tar"]
    assert _left(images) == [*kept, "sif/named.json"]


def test_what_a_running_job_may_see_stays(environment: Path) -> None:
    images, config = environment / "images", Hybrid(image_cache_size=0)
    _put(images, 5, "unpacked/a/x.py", "layers/a.json", "layers/a.tar")
    _put(images, 7, "unpacked/b/x.py")
    job, _ = a_job(environment)
    Store.open(environment).add(job.evolve(created_at=time.time() - 5.01 * 86_400))
    tidy_images(config)
    assert _left(images) == ["layers/a.json", "layers/a.tar", "unpacked/a/x.py"]


def test_prune_says_how_much_and_submits_do_it_once_a_day(
    environment: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = environment / "images"
    _put(images, 100, "sif/a.sif")
    assert main(["image", "prune", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"freed": 1000, "kept": 0}
    assert main(["image", "prune", "everything"]) == 2
    _put(images, 100, "sif/a.sif")
    tidy_images_sometimes(Hybrid())
    deadline = time.monotonic() + 30
    while _left(images) and time.monotonic() < deadline:
        time.sleep(0.01)
    _put(images, 100, "sif/a.sif")
    tidy_images_sometimes(Hybrid())
    assert _left(images) == ["sif/a.sif"]
