"""Hostile layers are refused by name, and leave nothing behind."""

from __future__ import annotations

import gzip
import io
import os
import stat
import tarfile
from pathlib import Path

import pytest

from jupyter_hybrid.containers.layers import GZIP, TAR, ZSTD
from jupyter_hybrid.containers.tars import Entry, write_layer
from jupyter_hybrid.containers.unpack import unpack
from jupyter_hybrid.errors import ImageError

Member = tuple[str, bytes, str]
FILE, DIRECTORY, SYMLINK = tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE
HARDLINK, DEVICE, BLOCK, PIPE = tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE


def a_tar(path: Path, *members: Member, mode: int = 0o644) -> Path:
    """A tar with these entries: name, kind, and what a link points to (a file's content)."""
    with tarfile.open(path, "w") as tar:
        for name, kind, text in members:
            info = tarfile.TarInfo(name)
            info.type, info.mode = kind, mode
            if kind == FILE:
                info.size = len(text)
                tar.addfile(info, io.BytesIO(text.encode()))
            else:
                info.linkname = text
                tar.addfile(info)
    return path


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ([("../x", FILE, "x")], r"'\.\./x' is a name that leads out"),
        ([("a/../../x", FILE, "x")], "leads out"),
        ([("/etc/passwd", FILE, "x")], r"'/etc/passwd' is a name that leads out"),
        ([("..", DIRECTORY, "")], "leads out"),
        ([("a", SYMLINK, "/etc")], "is a link that leads out of the layer, to '/etc'"),
        ([("a", SYMLINK, "..")], "leads out of the layer, to '..'"),
        ([("a/b", SYMLINK, "../../etc")], r"to '\.\./\.\./etc'"),
        ([("a", SYMLINK, "")], "leads out"),
        # where a/.. is depends on what a is
        ([("d/a", SYMLINK, "../d"), ("b", SYMLINK, "a/..")], r"'b' is a link .* to 'a/\.\.'"),
        ([("a", HARDLINK, "/etc/passwd")], "to '/etc/passwd'"),
        ([("a", HARDLINK, "../x")], r"to '\.\./x'"),
        ([("dev", DEVICE, "")], "'dev' is a device"),
        ([("dev", BLOCK, "")], "'dev' is a device"),
        ([("pipe", PIPE, "")], "'pipe' is a named pipe"),
        ([("a/.wh.b", FILE, "")], "a mark that deletes a file of the image"),
    ],
)
def test_what_is_refused(tmp_path: Path, members: list[Member], words: str) -> None:
    layer = a_tar(tmp_path / "l.tar", ("first", FILE, "good"), *members)
    with pytest.raises(ImageError, match=rf"the layer l\.tar is refused: its .*{words}"):
        unpack(layer, tmp_path / "out")
    assert os.listdir(tmp_path) == ["l.tar"]


@pytest.mark.parametrize(
    "members",
    [
        [("a", DIRECTORY, ""), ("b", SYMLINK, "a"), ("b/x", FILE, "x")],
        [("b", SYMLINK, "a"), ("b/c/x", FILE, "x")],
        [("a", DIRECTORY, ""), ("b", SYMLINK, "a"), ("c", HARDLINK, "b/x")],
    ],
)
def test_nothing_is_written_through_a_link(tmp_path: Path, members: list[Member]) -> None:
    layer = a_tar(tmp_path / "l.tar", *members)
    with pytest.raises(ImageError, match="it writes through its link 'b'"):
        unpack(layer, tmp_path / "out")
    assert os.listdir(tmp_path) == ["l.tar"]


def test_what_is_unpacked(tmp_path: Path) -> None:
    layer = a_tar(
        tmp_path / "l.tar",
        ("opt", DIRECTORY, ""),
        ("./opt/env/lib/x.so", FILE, "library"),
        ("opt/env/lib/y.so", SYMLINK, "x.so"),
        ("opt/env/z", SYMLINK, "../env/lib"),
        ("opt/hard", HARDLINK, "./opt/env/lib/x.so"),
        ("opt/hard2", FILE, "once"),
        ("opt/hard2", FILE, "twice"),
        mode=0o6777,
    )
    unpack(layer, tmp_path / "out")
    out = tmp_path / "out/opt"
    assert (out / "env/z/y.so").read_text() == (out / "hard").read_text() == "library"
    assert (out / "hard2").read_text() == "twice"
    # nobody becomes somebody else by it, and others may not write
    assert stat.S_IMODE((out / "env/lib/x.so").stat().st_mode) == 0o755


@pytest.mark.parametrize("kind", [GZIP, ZSTD, TAR])
def test_layers_of_ours_of_every_kind(tmp_path: Path, kind: str) -> None:
    entries = [Entry("a/b", b"content"), Entry("a/c", link="b")]
    layer = write_layer(entries, tmp_path / "layer", media_type=kind)
    unpack(layer.path, tmp_path / "out")
    assert (tmp_path / "out/a/c").read_bytes() == b"content"


def test_what_is_no_tar(tmp_path: Path) -> None:
    packed = gzip.compress(a_tar(tmp_path / "x.tar", ("a", FILE, "a" * 9000)).read_bytes())
    (tmp_path / "x.tar").unlink()
    half = write_layer([Entry("a", os.urandom(9000))], tmp_path / "zstd", media_type=ZSTD)
    contents = {
        "text": b"this is no tar at all, however long it may be" * 50,
        "cut": packed[: len(packed) // 2],
        "flipped": packed[:20] + b"\0\0\0" + packed[23:],
        "zstd": half.path.read_bytes()[:4000],
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ImageError, match=f"the layer {name} is damaged"):
            unpack(tmp_path / name, tmp_path / "out")
    assert sorted(os.listdir(tmp_path)) == sorted(contents)
