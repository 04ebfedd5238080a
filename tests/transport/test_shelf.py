"""What is kept for later jobs over there goes when nobody wanted it for long."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

import pytest

from jupyter_hybrid.transport import LocalTransport
from jupyter_hybrid.transport.far.disk import mark

DAY = 86_400.0


def old(path: Path, days: float = 61.0) -> Path:
    """The path, last wanted so many days ago."""
    os.utime(path, (time.time() - days * DAY,) * 2)
    return path


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """Our directory with things of all kinds, wanted long ago; 100 bytes each."""
    root = tmp_path / "there"
    digest = "ab" + 62 * "0"
    for name in ("images/x.sif", "images/y.sif", f"blobs/ab/{digest}", "blobs/.incoming/half"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(bytes(100))
        old(root / name)
    for name in ("layers/lock", "runners/digest"):
        (root / name / "deep").mkdir(parents=True)
        (root / name / "deep" / "file").write_bytes(bytes(100))
        old(root / name)
    old(root / "layers").joinpath("lock.compiled").touch()
    old(root / "layers/lock.compiled")
    return root


def left(root: Path) -> list[str]:
    return sorted(str(p.relative_to(root)) for p in root.rglob("*") if p.is_file())


async def test_what_was_not_wanted_goes_and_half_made_things_stay(there: Path) -> None:
    transport = LocalTransport(str(there))
    try:
        asked = {"before": time.time() - 60 * DAY}
        header, _ = await transport.ask("wanted", paths=[f"{there}/images/y.sif", f"{there}/no"])
        assert header["there"] == [True, False]
        said, _ = await transport.ask("prune", before=0.0)
        assert said["freed"] == {}
        assert said["kept"] == {"images": 200, "layers": 100, "runners": 100, "blobs": 100}
        header, _ = await transport.ask("prune", **asked)
        assert header["freed"] == {"images": 100, "layers": 100, "runners": 100, "blobs": 100}
        assert header["kept"] == {"images": 100}
        assert left(there) == ["blobs/.incoming/half", "images/y.sif"]
    finally:
        transport.close()


async def test_what_somebody_is_at_work_on_stays(there: Path) -> None:
    transport = LocalTransport(str(there))
    try:
        with (there / "images/x.sif.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            header, _ = await transport.ask("prune", before=time.time() - 60 * DAY)
        assert header["kept"] == {"images": 100}
        assert "images/x.sif" in left(there)
    finally:
        transport.close()


async def test_a_layer_is_wanted_by_its_mark(there: Path) -> None:
    assert mark(str(there / "layers/lock.compiled"))
    transport = LocalTransport(str(there))
    try:
        header, _ = await transport.ask("prune", before=time.time() - 60 * DAY)
        assert header["kept"] == {"layers": 100}
    finally:
        transport.close()


def test_a_thing_is_marked_once_a_day(tmp_path: Path) -> None:
    path = tmp_path / "x.sif"
    path.touch()
    before = old(path, 0.5).stat().st_mtime
    assert mark(str(path)) and path.stat().st_mtime == before
    assert mark(str(old(path, 2.0))) and path.stat().st_mtime > time.time() - 60
    assert not mark(str(tmp_path / "gone.sif"))
