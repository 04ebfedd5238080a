import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from jupyter_hybrid.bundle.blobs import BlobStore, StoredFile
from jupyter_hybrid.bundle.statcache import Stat, StatCache

LONG_AGO = int((time.time() - 100) * 1e9)
FILE = StoredFile("ab" * 32, 3, 0o644, LONG_AGO, LONG_AGO, 17)


def stat_of(file: StoredFile) -> Stat:
    return Stat(file.size, file.mtime_ns, file.ctime_ns, file.inode)


@pytest.fixture
def cache(tmp_path: Path) -> StatCache:
    return StatCache(tmp_path / "blobs")


def test_unchanged_file_is_known(cache: StatCache) -> None:
    assert cache.lookup({"/a": stat_of(FILE)}) == {}
    cache.remember([("/a", FILE)], time.time())
    found = cache.lookup({"/a": stat_of(FILE), "/b": stat_of(FILE)})
    assert found == {"/a": (FILE.digest, True)}
    assert cache.path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("field", ["size", "mtime_ns", "ctime_ns", "inode"])
def test_any_difference_makes_it_unknown(cache: StatCache, field: str) -> None:
    cache.remember([("/a", FILE)], time.time())
    stat = stat_of(FILE)
    changed = stat._replace(**{field: getattr(stat, field) + 1})
    assert cache.lookup({"/a": changed}) == {}


@pytest.mark.parametrize("field", ["mtime_ns", "ctime_ns"])
def test_file_written_just_before_it_was_read_is_not_sure(cache: StatCache, field: str) -> None:
    young = FILE._replace(**{field: time.time_ns()})
    cache.remember([("/a", young)], time.time())
    assert cache.lookup({"/a": stat_of(young)}) == {"/a": (FILE.digest, False)}


def test_same_size_rewrite_within_the_clock_tick(cache: StatCache, tmp_path: Path) -> None:
    blobs, path = BlobStore(tmp_path / "blobs"), tmp_path / "a"
    path.write_bytes(b"one")
    read_at = time.time()
    stored = blobs.store_file(path)
    cache.remember([(str(path), stored)], read_at)
    # the second write leaves size, inode and (on a file system that counts in seconds) times
    path.write_bytes(b"two")
    os.utime(path, ns=(stored.mtime_ns, stored.mtime_ns))
    known = cache.lookup({str(path): stat_of(stored)})[str(path)]
    assert not known.sure
    assert blobs.put_file(path, likely=known.digest) != stored.digest


def test_many_files_and_odd_values(cache: StatCache) -> None:
    files = {f"/d\udcff/{n}\n": FILE._replace(inode=2**64 - 1 - n) for n in range(5000)}
    cache.remember(files.items(), time.time())
    found = cache.lookup({path: stat_of(file) for path, file in files.items()})
    assert len(found) == 5000


@pytest.mark.parametrize("content", [b"", b"not a database" * 1000])
def test_broken_cache_starts_anew(cache: StatCache, content: bytes) -> None:
    cache.path.parent.mkdir()
    cache.path.write_bytes(content)
    assert cache.lookup({"/a": stat_of(FILE)}) == {}
    cache.remember([("/a", FILE)], time.time())
    assert cache.lookup({"/a": stat_of(FILE)})


def test_cache_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    cache = StatCache(tmp_path / "file")
    cache.remember([("/a", FILE)], time.time())
    assert cache.lookup({"/a": stat_of(FILE)}) == {}


def test_several_writers(cache: StatCache) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: cache.remember([(f"/{n}", FILE)], time.time()), range(40)))
    assert len(cache.lookup({f"/{n}": stat_of(FILE) for n in range(40)})) == 40
