import errno
import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from jupyter_hybrid.bundle import blobs as blobs_module
from jupyter_hybrid.bundle.blobs import BlobStore
from jupyter_hybrid.errors import BundleError


@pytest.fixture
def blobs(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path / "blobs")


def kept(blobs: BlobStore, content: bytes) -> str:
    source = blobs.directory.with_name("source")
    source.write_bytes(content)
    return blobs.put_file(source)


def leftovers(blobs: BlobStore) -> list[Path]:
    return list(blobs.directory.glob(".incoming/*"))


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 5_000_000])
def test_file_is_kept_by_its_content(blobs: BlobStore, tmp_path: Path, size: int) -> None:
    source = tmp_path / "source"
    source.write_bytes(os.urandom(size))
    digest = blobs.put_file(source)
    assert digest == hashlib.sha256(source.read_bytes()).hexdigest()
    blob = blobs.path(digest)
    assert blob == blobs.directory / digest[:2] / digest
    assert blob.read_bytes() == source.read_bytes()
    assert blob.stat().st_mode & 0o777 == 0o444
    assert blobs.has(digest, size)
    assert not blobs.has(digest, size + 1)
    assert not leftovers(blobs)


def test_files_of_one_content_share_a_blob(blobs: BlobStore, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"content")
    assert kept(blobs, b"content") == blobs.put_file(tmp_path / "a")
    assert list(blobs.digests()) == [hashlib.sha256(b"content").hexdigest()]


def test_unchanged_file_is_not_copied(blobs: BlobStore, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"content")
    digest = blobs.put_file(tmp_path / "a")
    (blobs.directory / ".incoming").rmdir()
    assert blobs.put_file(tmp_path / "a", likely=digest) == digest
    assert not (blobs.directory / ".incoming").exists()
    (tmp_path / "a").write_bytes(b"CONTENT")
    assert blobs.put_file(tmp_path / "a", likely=digest) != digest


def test_truncated_blob_is_replaced(blobs: BlobStore) -> None:
    digest = kept(blobs, b"content")
    blobs.path(digest).chmod(0o644)
    blobs.path(digest).write_bytes(b"")
    assert not blobs.verify(digest)
    assert kept(blobs, b"content") == digest
    assert blobs.verify(digest)


def test_verify_finds_a_flipped_bit(blobs: BlobStore) -> None:
    digest = kept(blobs, b"content")
    assert blobs.verify(digest)
    blobs.path(digest).chmod(0o644)
    blobs.path(digest).write_bytes(b"cOntent")
    assert not blobs.verify(digest)
    blobs.path(digest).unlink()
    assert not blobs.has(digest)
    assert not blobs.verify(digest)


def test_concurrent_writers_of_one_blob(blobs: BlobStore, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(os.urandom(300_000))
    with ThreadPoolExecutor(8) as pool:
        digests = set(pool.map(lambda _: blobs.put_file(tmp_path / "a"), range(64)))
    assert len(digests) == 1
    assert blobs.verify(digests.pop())
    assert not leftovers(blobs)


WRITER = """
import sys
from pathlib import Path
from jupyter_hybrid.bundle.blobs import BlobStore
for _ in range(20):
    print(BlobStore(Path(sys.argv[1])).put_file(sys.argv[2]), flush=True)
"""


def test_concurrent_processes_one_of_them_killed(blobs: BlobStore, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(os.urandom(3_000_000))
    argv = [sys.executable, "-c", WRITER, str(blobs.directory), str(tmp_path / "a")]
    writers = [subprocess.Popen(argv, stdout=subprocess.PIPE) for _ in range(3)]
    assert writers[0].stdout is not None
    writers[0].stdout.readline()
    writers[0].kill()
    answers = {w.communicate()[0] for w in writers[1:]}
    writers[0].wait()
    writers[0].stdout.close()
    (digest,) = {line for answer in answers for line in answer.decode().split()}
    assert blobs.verify(digest)


def test_names_that_are_not_utf8(blobs: BlobStore, tmp_path: Path) -> None:
    name = os.fsencode(tmp_path) + b"/\xff\n'\" \xc3\xbc"
    Path(os.fsdecode(name)).write_bytes(b"x")
    assert blobs.has(blobs.put_file(os.fsdecode(name)))


def test_vanished_file_is_refused_by_name(blobs: BlobStore, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"'.*gone\.csv' has vanished"):
        blobs.put_file(tmp_path / "gone.csv")


def test_unreadable_file_is_refused_by_name(blobs: BlobStore, tmp_path: Path) -> None:
    (tmp_path / "secret").touch(mode=0)
    user = os.geteuid()
    if user == 0:  # root may read every file
        os.seteuid(65534)
    try:
        with pytest.raises(BundleError, match=r"'.*secret' cannot be read: Permission denied"):
            blobs.put_file(tmp_path / "secret")
    finally:
        os.seteuid(user)


def test_pipe_in_place_of_a_file_does_not_block(blobs: BlobStore, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BundleError, match=r"'.*pipe' is not a file"):
        blobs.put_file(tmp_path / "pipe")


@pytest.fixture
def writing(tmp_path: Path) -> Iterator[Path]:
    """A file to which somebody appends all the time."""
    path, stop = tmp_path / "log.txt", threading.Event()
    path.write_bytes(b"x" * 30_000_000)

    def write() -> None:
        with path.open("ab", buffering=0) as file:
            while not stop.is_set():
                file.write(b"x")

    thread = threading.Thread(target=write)
    thread.start()
    yield path
    stop.set()
    thread.join()


def test_changing_file_is_refused_by_name(blobs: BlobStore, writing: Path) -> None:
    with pytest.raises(BundleError, match=r"log\.txt' changes while it is read"):
        blobs.put_file(writing)
    assert not leftovers(blobs)
    assert not list(blobs.digests())


def test_full_disk_leaves_nothing(
    blobs: BlobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(b"x" * 2048)

    def full(_target: int, _data: memoryview) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(blobs_module, "_write", full)
    with pytest.raises(BundleError, match=r"disk is full: 2\.0 kB more are needed in .*blobs, .*"):
        blobs.put_file(tmp_path / "a")
    assert not leftovers(blobs)
    assert not list(blobs.digests())


def test_sweep_removes_only_what_is_abandoned(blobs: BlobStore) -> None:
    kept(blobs, b"x")
    old, new = (blobs.directory / ".incoming" / name for name in ("old", "new"))
    old.touch()
    new.touch()
    os.utime(old, (1, 1))
    assert blobs.sweep() == 1
    assert leftovers(blobs) == [new]
