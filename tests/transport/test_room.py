"""Room and quotas are told in a sentence before anything is sent."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_hybrid.errors import PlaceError
from jupyter_hybrid.transport import LocalTransport
from jupyter_hybrid.transport.blobs import Blob, send_blobs
from jupyter_hybrid.transport.far.room import parse_mounts, parse_quota
from jupyter_hybrid.transport.room import ask_room

#: In the form of ``quota -wp`` (Linux' quota tools 4).
LINUX = """\
Disk quotas for user ada (uid 1000):
     Filesystem  blocks   quota   limit   grace   files   quota   limit   grace
nas:/export/home 9437184 8388608 10485760 1767000000   120     0     0     0
      /dev/sdb1     20       0       0       0       5       0       0       0
"""
OVER = LINUX.replace("9437184", "10485999*")
#: In the form of ``lfs quota -q`` (Lustre 2): long names have a line of their own.
LUSTRE = """\
/lustre/project/group
                 7340032       0 8388608       -   20000       0       0       -
"""
NAS = ["nas:/export/home", "/home", "/home/ada/jh"]


@pytest.mark.parametrize(
    ("text", "names", "quota"),
    [
        pytest.param(LINUX, NAS, (9 << 30, 10 << 30), id="the file system of several"),
        pytest.param(LINUX, ["/dev/sdb1"], None, id="one without a limit"),
        pytest.param(LINUX, ["/dev/sdz"], None, id="none of them"),
        pytest.param(OVER, NAS, (10485999 << 10, 10 << 30), id="more than is allowed"),
        pytest.param(LUSTRE, ["tcp:/lustre"], (7 << 30, 8 << 30), id="lustre"),
        pytest.param("Disk quotas for user ada (uid 1000): none\n", NAS, None, id="no quota"),
        pytest.param(
            "Your home: 71 % of 50 GB (ask the desk)\n", NAS, None, id="a site's own words"
        ),
    ],
)
def test_quotas_are_read(text: str, names: list[str], quota: tuple[int, int] | None) -> None:
    assert parse_quota(text, names) == quota


def test_the_file_system_that_has_a_path() -> None:
    mounts = "/dev/vda / ext4 rw 0 0\nnas:/a /home nfs4 rw 0 0\nnas:/b /home/my\\040dir lustre rw\n"
    assert parse_mounts(mounts, "/homework") == ("/dev/vda", "/", "ext4")
    assert parse_mounts(mounts, "/home/ada") == ("nas:/a", "/home", "nfs4")
    assert parse_mounts(mounts, "/home/my dir/x")[1:] == ("/home/my dir", "lustre")


def a_blob(size: int) -> Blob:
    data = os.urandom(1 << 20) * (size >> 20)
    return Blob(hashlib.sha256(data).hexdigest(), len(data), data)


@pytest.fixture
def quota(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for a site's ``quota``: says what a file says, and notes what it was asked."""
    folder = tmp_path / "programs"
    folder.mkdir()
    program = folder / "quota"
    program.write_text(
        f'#!/bin/sh\n# test fixture\necho "$@" >>{folder}/asked\ncat {folder}/says\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


async def test_a_quota_is_told_before_anything_is_sent(quota: Path, tmp_path: Path) -> None:
    words = "/dev/any 9000000 0 9011200 0 5 0 0 0\n"
    (quota / "says").write_text(f"Disk quotas for user x (uid 0):\n   Filesystem blocks\n{words}")
    transport = LocalTransport(str(tmp_path / "there"))
    try:
        # little is sent without asking
        assert await send_blobs(transport, [a_blob(1 << 20)], patience=0) == 1 << 20
        assert not (quota / "asked").exists()
        with pytest.raises(
            PlaceError,
            match=r"would take 20\.0 MB, and in .*/there .* your quota leaves 10\.9 MB "
            r"\(8\.6 GB of 8\.6 GB are used\); make room there, or name another directory",
        ):
            await send_blobs(transport, [a_blob(20 << 20)], patience=0)
        assert (quota / "asked").read_text().startswith("-w -p -f /")
        assert not list((tmp_path / "there" / "blobs").rglob("*.incoming/*"))
        room = await ask_room(transport, 0.0)
        assert "of your quota of" in str(room) and room.left == 11_200 << 10
    finally:
        transport.close()


async def test_a_quota_that_does_not_answer_is_none(quota: Path, tmp_path: Path) -> None:
    (quota / "quota").write_text("#!/bin/sh\n# test fixture\nexec sleep 100\n")
    transport = LocalTransport(str(tmp_path / "there"))
    try:
        room = await ask_room(transport, 0.0)
        assert room.quota is None and room.left == room.free > 0
    finally:
        transport.close()


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of little size."""
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=30m", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.needs("root")
async def test_a_small_disk_is_told_before_anything_is_sent(small: Path) -> None:
    transport = LocalTransport(str(small / "there"))
    try:
        with pytest.raises(PlaceError, match=r"would take .* are left; make room there"):
            await send_blobs(transport, [a_blob(40 << 20)], patience=0)
        assert sum(path.stat().st_size for path in small.rglob("*") if path.is_file()) == 0
        assert await send_blobs(transport, [a_blob(20 << 20)], patience=0) == 20 << 20
    finally:
        transport.close()
