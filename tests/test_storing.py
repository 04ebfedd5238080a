from pathlib import Path

import pytest

from jupyter_hybrid.bundle import Bundle, manifest, statcache
from jupyter_hybrid.bundle.blobs import BlobStore, StoredFile
from jupyter_hybrid.bundle.statcache import StatCache
from jupyter_hybrid.capture import CaptureRequest, plan_files, store_plan
from jupyter_hybrid.errors import BundleError


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    for n in range(20):
        path = tmp_path / "lab" / "data" / f"{n}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(n % 10))
    return tmp_path / "lab"


@pytest.fixture
def blobs(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path / "blobs")


def bundle_of(lab: Path, blobs: BlobStore) -> Bundle:
    plan = plan_files(CaptureRequest(lab, files=("data",)))
    return Bundle(b"", store_plan(plan, blobs, StatCache(blobs.directory)))


class CountingStore(BlobStore):
    """Counts the files that are read."""

    read = 0

    def store_file(self, path: "str | Path", likely: "str | None" = None) -> StoredFile:
        self.read += 1
        return super().store_file(path, likely)


def test_same_content_same_manifest(lab: Path, blobs: BlobStore) -> None:
    first = bundle_of(lab, blobs)
    assert len(first.files) == 20
    assert len(set(blobs.digests())) == 10
    for path in sorted(lab.rglob("*.csv"), reverse=True):
        text = path.read_text()
        path.unlink()
        path.write_text(text)
    again = bundle_of(lab, BlobStore(blobs.directory.with_name("others")))
    assert manifest(again) == manifest(first)


def test_second_submit_reads_nothing(
    lab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statcache, "RACY_NS", 0)
    blobs = CountingStore(tmp_path / "blobs")
    first = bundle_of(lab, blobs)
    assert blobs.read == 20
    assert bundle_of(lab, blobs) == first
    assert blobs.read == 20
    (lab / "data" / "3.csv").write_text("new")
    assert bundle_of(lab, blobs) != first
    assert blobs.read == 21


def test_what_was_just_written_is_read_again_but_not_copied(lab: Path, tmp_path: Path) -> None:
    blobs = CountingStore(tmp_path / "blobs")
    bundle_of(lab, blobs)
    (blobs.directory / ".incoming").rmdir()
    bundle_of(lab, blobs)
    assert blobs.read == 40
    assert not (blobs.directory / ".incoming").exists()


def test_lost_blob_and_lost_cache_are_made_good(lab: Path, blobs: BlobStore) -> None:
    first = bundle_of(lab, blobs)
    blobs.path(first.files[0].digest).unlink()
    assert bundle_of(lab, blobs) == first
    assert blobs.verify(first.files[0].digest)
    StatCache(blobs.directory).path.unlink()
    assert bundle_of(lab, blobs) == first


def test_file_that_vanishes_after_the_plan(lab: Path, blobs: BlobStore) -> None:
    plan = plan_files(CaptureRequest(lab, files=("data",)))
    (lab / "data" / "7.csv").unlink()
    with pytest.raises(BundleError, match=r"data/7\.csv' has vanished"):
        store_plan(plan, blobs, StatCache(blobs.directory))


def test_file_that_grows_after_the_plan_travels_as_it_is_read(lab: Path, blobs: BlobStore) -> None:
    plan = plan_files(CaptureRequest(lab, files=("data/7.csv",)))
    (lab / "data" / "7.csv").write_text("much more")
    (entry,) = store_plan(plan, blobs, StatCache(blobs.directory))
    assert entry.size == 9
    assert blobs.path(entry.digest).read_text() == "much more"
