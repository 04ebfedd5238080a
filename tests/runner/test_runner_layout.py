"""The work directory: laid out, compared."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from jupyter_hybrid.errors import BundleError
from jupyter_hybrid.paths import blob_path
from jupyter_hybrid.runner import layout as layout_module
from jupyter_hybrid.runner.changes import find_changes
from jupyter_hybrid.runner.layout import LayingOut, Layout
from runner.jobs import Make

BIG = b"0123456789" * 200_000


def lay_out(manifest: dict[str, Any], work: Path, blobs: Path) -> Layout:
    laying = LayingOut(manifest, work, blobs)
    laying.wait(lambda: True)
    return laying.layout


def put(blobs: Path, data: bytes) -> str:
    digest = hashlib.sha256(data).hexdigest()
    path = blob_path(blobs, digest)
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        path.write_bytes(data)
        path.chmod(0o444)
    return digest


def entry(blobs: Path, path: str, data: bytes, mode: int = 0o644) -> dict[str, Any]:
    return {"path": path, "digest": put(blobs, data), "size": len(data), "mode": mode}


def test_every_file_is_the_jobs_own(tmp_path: Path) -> None:
    blobs, work = tmp_path / "blobs", tmp_path / "work"
    files = [
        entry(blobs, "a/small ü\n'.csv", b"1,2", 0o600),
        entry(blobs, "big.npy", BIG, 0o444),
        entry(blobs, "big.sh", BIG, 0o755),
        entry(blobs, "empty", b""),
    ]
    manifest = {"files": files, "directories": ["nothing/in"], "links": [{"path": "l", "to": "a"}]}
    layout = lay_out(manifest, work, blobs)
    assert (work / "a/small ü\n'.csv").read_bytes() == b"1,2"
    assert (work / "a/small ü\n'.csv").stat().st_mode & 0o777 == 0o600
    assert [(work / f["path"]).stat().st_nlink for f in files] == [1] * 4
    # blobs are read-only; what comes of them can be opened for writing, as at home
    assert (work / "big.npy").stat().st_mode & 0o777 == 0o644
    assert (work / "big.sh").stat().st_mode & 0o111
    assert (work / "nothing/in").is_dir()
    assert (work / "l").readlink() == Path("a")
    assert set(layout.stamps) == {f["path"] for f in files}
    assert (work / "big.npy").read_bytes() == BIG


@pytest.mark.parametrize("shares", [True, False])
def test_blocks_are_shared_where_they_can_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shares: bool
) -> None:
    asked: list[int] = []

    def ioctl(write: int, request: int, read: int) -> None:
        asked.append(request)
        if not shares:
            raise OSError(errno.EOPNOTSUPP, "not supported")
        os.sendfile(write, read, 0, len(BIG))

    monkeypatch.setattr(layout_module.fcntl, "ioctl", ioctl)
    blobs, work = tmp_path / "blobs", tmp_path / "work"
    lay_out({"files": [entry(blobs, name, BIG) for name in "abc"]}, work, blobs)
    assert [(work / name).read_bytes() for name in "abc"] == [BIG] * 3
    # FICLONE of linux/fs.h; a file system that cannot is not asked again
    assert asked == [0x40049409] * (3 if shares else 1)


def test_a_second_attempt_lays_out_anew(tmp_path: Path) -> None:
    blobs, work = tmp_path / "blobs", tmp_path / "work"
    files = [entry(blobs, "changed", b"1"), entry(blobs, "linked", b"2")]
    lay_out({"files": files, "links": [{"path": "l", "to": "changed"}]}, work, blobs)
    (work / "changed").write_text("other")
    (work / "linked").unlink()
    (work / "linked").hardlink_to(blob_path(blobs, files[0]["digest"]))
    # what one that was killed in the middle leaves
    (tmp_path / "work.part").write_text("half")
    lay_out({"files": files, "links": [{"path": "l", "to": "changed"}]}, work, blobs)
    assert [(work / name).read_text() for name in ("changed", "linked", "l")] == ["1", "2", "1"]
    assert not (tmp_path / "work.part").exists()


def test_what_was_not_laid_out_is_neither_changed_nor_deleted(tmp_path: Path) -> None:
    """A job that ends meanwhile must not bring half of an input back over the whole one."""
    blobs, work = tmp_path / "blobs", tmp_path / "work"
    files = [entry(blobs, name, name.encode()) for name in ("a", "b", "c")]
    blob_path(blobs, files[1]["digest"]).unlink()
    laying = LayingOut({"files": files}, work, blobs)
    with pytest.raises(BundleError, match="'b' has not arrived"):
        laying.wait(lambda: True)
    (work / "c").write_text("left by an earlier attempt")
    changes = find_changes(work, laying.layout, {f["path"]: f for f in files})
    assert changes == {"files": [], "links": [], "deleted": []}


def test_laying_out_ends_where_it_is_not_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layout_module, "_CHUNK", 1000)
    blobs, work = tmp_path / "blobs", tmp_path / "work"
    files = [entry(blobs, f"f{n}", BIG) for n in range(1000)]
    laying = LayingOut({"files": files}, work, blobs)
    laying.stop()
    laying.wait(lambda: False)
    assert len(laying.layout.stamps) < 1000
    assert set(map(str, laying.layout.stamps)) == {path.name for path in work.iterdir()}
    assert not (tmp_path / "work.part").exists()


@pytest.mark.parametrize("path", ["../x", "/etc/x", "a/../../x", "", ".", "a//b", "a/./b", "a\0b"])
def test_paths_that_leave_the_work_directory_are_refused(tmp_path: Path, path: str) -> None:
    files = [{**entry(tmp_path / "blobs", "x", b"1"), "path": path}]
    with pytest.raises(BundleError, match="not a path below"):
        lay_out({"files": files}, tmp_path / "work", tmp_path / "blobs")
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("to", ["/etc", "../..", "a/../../b"])
def test_links_that_leave_the_work_directory_are_refused(tmp_path: Path, to: str) -> None:
    with pytest.raises(BundleError, match="outside"):
        lay_out({"links": [{"path": "l", "to": to}]}, tmp_path / "work", tmp_path / "blobs")


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    work, outside = tmp_path / "work", tmp_path / "outside"
    work.mkdir()
    outside.mkdir()
    (work / "d").symlink_to(outside)
    files = [entry(tmp_path / "blobs", "d/x", b"1")]
    with pytest.raises(BundleError, match="symbolic link"):
        lay_out({"files": files}, work, tmp_path / "blobs")
    assert not any(outside.iterdir())


def test_a_blob_that_has_not_arrived_is_named(tmp_path: Path) -> None:
    files = [{"path": "data.csv", "digest": "0" * 64, "size": 1, "mode": 0o644}]
    with pytest.raises(BundleError, match=r"data\.csv.*not arrived"):
        lay_out({"files": files}, tmp_path / "work", tmp_path / "blobs")


def test_ten_thousand_files_are_all_there(tmp_path: Path) -> None:
    blobs = tmp_path / "blobs"
    files = [entry(blobs, f"d{i % 100}/f{i}", str(i % 50).encode()) for i in range(10_000)]
    layout = lay_out({"files": files}, tmp_path / "work", blobs)
    assert len(layout.stamps) == 10_000


def test_changes_are_new_changed_and_deleted_files(tmp_path: Path) -> None:
    blobs, work = tmp_path / "blobs", tmp_path / "work"
    files = [entry(blobs, name, name.encode()) for name in ("same", "changed", "deleted", "d/kept")]
    layout = lay_out({"files": files}, work, blobs)
    (work / "changed").write_text("other")
    (work / "deleted").unlink()
    (work / "d" / "new").write_text("1")
    (work / "__pycache__").mkdir()
    (work / "__pycache__" / "x.pyc").write_text("1")
    changes = find_changes(work, layout, {f["path"]: f for f in files})
    assert [(f["path"], f["new"], f["size"]) for f in changes["files"]] == [
        ("changed", False, 5),
        ("d/new", True, 1),
    ]
    assert changes["deleted"] == ["deleted"]


WRITES = {
    "append": "open('big', 'a').write('x')",
    "memmap": "import numpy; m = numpy.memmap('big', mode='r+'); m[0] = 0; m.flush()",
    "chmod": "os.chmod('big', 0o600)",
    "dd": "!printf x | dd of=big conv=notrunc status=none",
    "shell": "%%bash\ncd shell\necho x >> big",
    "c": "c = ctypes.CDLL(None)\nc.truncate(b'big', ctypes.c_long(3))",
    "child": '!"{sys.executable}" -c \'open("big", "a").write("x")\'',
    "renamed": "os.rename('big', 'other'); open('other', 'a').write('x')",
}


def test_no_program_can_write_into_a_blob(make: Make) -> None:
    """All ways of writing, one after the other on its own input, in one job."""
    sources = [
        source if source.startswith("%%") else f"os.chdir({name!r})\n{source}\nos.chdir('..')"
        for name, source in WRITES.items()
    ]
    job = make("import ctypes, os, subprocess, sys", *sources)
    files = [entry(job.blobs, f"{name}/big", BIG + name.encode()) for name in [*WRITES, "read"]]
    job.paths.files.write_text(json.dumps({"files": files}))
    assert job.run().message == ""
    for name, file in zip([*WRITES, "read"], files, strict=True):
        blob = blob_path(job.blobs, file["digest"])
        assert blob.read_bytes() == BIG + name.encode(), name
        assert blob.stat().st_mode & 0o777 == 0o444, name
    assert (job.paths.work / "append/big").read_bytes() == BIG + b"appendx"
    assert (job.paths.work / "dd/big").read_bytes()[:2] == b"x1"
    assert (job.paths.work / "c/big").stat().st_size == 3
    changes = json.loads(job.paths.changes.read_bytes())
    assert {f["path"] for f in changes["files"]} == {
        *(f"{name}/big" for name in WRITES if name not in ("renamed", "chmod")),
        "renamed/other",
    }
    assert changes["deleted"] == ["renamed/big"]
