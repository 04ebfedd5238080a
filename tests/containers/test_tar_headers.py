"""Headers of tars, as other readers understand them."""

from __future__ import annotations

import hashlib
import io
import subprocess
import tarfile
from pathlib import Path

import pytest

from jupyter_hybrid.containers.layers import TAR
from jupyter_hybrid.containers.tar_headers import DIRECTORY, FILE, LINK, TIME, header
from jupyter_hybrid.containers.tars import Entry, write_layer

#: Of three entries, from whichever Python.
SAME = "253f2a460198a1e2e53e3cbefbf66a08f6c7aa04e89b54974d91c5746ce8d9b8"
NAMES = {
    "short": "a",
    "as-long-as-the-field": "d/" + "e" * 98,
    "longer": "opt/" + "x" * 60 + "/" + "y" * 70,
    "without-a-place-to-split": "d" * 101,
    "a-last-part-that-is-too-long": "p/" * 70 + "q" * 120,
    "longer-than-both-fields": "p/" * 130 + "z",
    "of-other-letters": "ä/" + "β" * 20,
    "of-no-letters": "bad\udcff",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_every_name_is_read_back(name: str, tmp_path: Path) -> None:
    entries = [
        header(FILE, name, 0o755, size=3) + b"abc" + bytes(509),
        header(LINK, f"{name}-link", 0o777, link=name),
        header(DIRECTORY, f"{name}-folder", 0o755),
    ]
    data = b"".join(entries) + bytes(1024)
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        file, link, folder = tar
        content = tar.extractfile(file)
        assert content is not None
        assert content.read() == b"abc"
    assert (file.name, file.mode, file.uid, file.uname, file.mtime) == (name, 0o755, 0, "", TIME)
    assert (link.name, link.linkname, link.issym()) == (f"{name}-link", name, True)
    assert (folder.name, folder.isdir()) == (f"{name}-folder", True)
    # GNU's tar, which is not ours
    (tmp_path / "x").mkdir()
    subprocess.run(["tar", "-C", tmp_path / "x", "-xf", "-"], input=data, check=True)
    assert (tmp_path / "x" / name).read_bytes() == b"abc"


def test_a_file_may_be_larger_than_its_field() -> None:
    data = header(FILE, "large", 0o644, size=9 << 30)
    with tarfile.open(fileobj=io.BytesIO(data + bytes(1024))) as tar:
        found = tar.next()
    assert found is not None
    assert found.size == 9 << 30


def test_every_python_makes_the_same_bytes(tmp_path: Path) -> None:
    entries = [Entry("opt/x/a.py", b"x = 1\n"), Entry(f"opt/{'long' * 30}", b"", True)]
    entries.append(Entry("opt/link", link="x/a.py"))
    layer = write_layer(entries, tmp_path / "layer", media_type=TAR)
    assert layer.diff_id == f"sha256:{SAME}"
    assert layer.diff_id == "sha256:" + hashlib.sha256(layer.path.read_bytes()).hexdigest()
