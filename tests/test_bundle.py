import errno
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_hybrid.bundle import (
    Bundle,
    FileEntry,
    Link,
    check_link,
    check_path,
    explain_os_errors,
    manifest,
    parse_manifest,
    read_job_directory,
    write_job_directory,
)
from jupyter_hybrid.errors import BundleError
from jupyter_hybrid.paths import JobPaths
from jupyter_hybrid.spec import JobSpec

SPEC = JobSpec(name="a", target="local", kind="notebook")
FILES = (
    FileEntry("data/ü x.csv", "a" * 64, 3, 0o644),
    FileEntry("b\udcff.bin", "b" * 64, 0, 0o755),
    FileEntry('it\'s "quoted"\n.txt', "c" * 64, 9),
)
BUNDLE = Bundle(b"{}", FILES, ("empty/one",), (Link("data/latest", "../b\udcff.bin"),))

names = st.text(st.characters(exclude_characters="/\0"), min_size=1).filter(
    lambda name: name not in (".", "..")
)
paths = st.lists(names, min_size=1, max_size=4).map("/".join)
#: No example is too slow where the machine is busy with others.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def test_job_directory_round_trip(tmp_path: Path) -> None:
    inputs = tmp_path / "inputs"
    inputs.mkdir()
    (inputs / "variables.pkl").write_bytes(b"x")
    directory = tmp_path / "jobs" / "1"
    write_job_directory(directory, SPEC, replace(BUNDLE, inputs=inputs), b"secret")
    job = JobPaths(directory)
    assert not inputs.exists()
    assert (job.inputs / "variables.pkl").read_bytes() == b"x"
    assert job.key.read_bytes() == b"secret"
    assert job.key.stat().st_mode & 0o777 == 0o600
    assert directory.stat().st_mode & 0o777 == 0o700
    assert JobSpec.from_json(json.loads(job.spec.read_text())) == SPEC
    again = read_job_directory(directory)
    assert set(again.files) == set(FILES)
    assert (again.links, again.directories, again.notebook) == (BUNDLE.links, ("empty/one",), b"{}")


def test_a_rerun_leaves_the_first_jobs_inputs(tmp_path: Path) -> None:
    inputs = tmp_path / "inputs" / "buffers"
    inputs.mkdir(parents=True)
    (inputs / "0.bin").write_bytes(b"x")
    write_job_directory(tmp_path / "1", SPEC, replace(BUNDLE, inputs=inputs.parent), b"1")
    write_job_directory(tmp_path / "2", SPEC, read_job_directory(tmp_path / "1"), b"2")
    shutil.rmtree(tmp_path / "1")
    assert (tmp_path / "2" / "inputs" / "buffers" / "0.bin").read_bytes() == b"x"


def test_interrupted_submit_is_finished_by_the_next(tmp_path: Path) -> None:
    inputs = tmp_path / "inputs"
    inputs.mkdir()
    (inputs / "x").touch()
    bundle = replace(BUNDLE, inputs=inputs, key=b"k")
    write_job_directory(tmp_path / "1", SPEC, bundle)
    (tmp_path / "1" / "spec.json").unlink()
    (tmp_path / "1" / "notebook.ipynb").unlink()
    write_job_directory(tmp_path / "1", SPEC, bundle)
    assert sorted(p.name for p in (tmp_path / "1").iterdir()) == [
        "files.json",
        "inputs",
        "key",
        "notebook.ipynb",
        "spec.json",
    ]
    assert (tmp_path / "1" / "inputs" / "x").exists()


def test_a_finished_directory_is_left_alone(tmp_path: Path) -> None:
    write_job_directory(tmp_path, SPEC, BUNDLE, b"first")
    write_job_directory(tmp_path, SPEC, replace(BUNDLE, notebook=b"other"), b"second")
    assert JobPaths(tmp_path).key.read_bytes() == b"first"
    assert JobPaths(tmp_path).notebook.read_bytes() == b"{}"


def test_manifest_does_not_depend_on_order() -> None:
    turned = replace(BUNDLE, files=FILES[::-1], directories=("empty/one", "empty/one"))
    assert manifest(turned) == manifest(BUNDLE)


@pytest.mark.parametrize("path", ["", "/etc", "../a", "a/../b", "a//b", "./a", "a/", "a\0b"])
def test_paths_that_leave_are_refused(path: str) -> None:
    with pytest.raises(BundleError, match="work directory"):
        manifest(Bundle(b"", (FileEntry(path, "a" * 64, 1),)))
    with pytest.raises(BundleError, match="work directory"):
        parse_manifest(json.dumps({"files": [], "directories": [path]}).encode())


@pytest.mark.parametrize("to", ["/etc", "../../a", "a/../../../b", "", "a\0"])
def test_links_that_leave_are_refused(to: str) -> None:
    with pytest.raises(BundleError, match="leads out"):
        check_link(Link("d/link", to))


@pytest.mark.parametrize(
    "files",
    [
        ("a", "a"),
        ("a", "a/b"),
        ("a/b/c", "a"),
    ],
)
def test_trees_that_cannot_be_laid_out_are_refused(files: "tuple[str, ...]") -> None:
    with pytest.raises(BundleError, match=r"twice|both"):
        manifest(Bundle(b"", tuple(FileEntry(f, "a" * 64, 1) for f in files)))


@pytest.mark.parametrize("data", [b"", b"[]", b'{"files": 3}', b'{"files": [{"path": "a"}]}'])
def test_garbage_is_not_a_manifest(data: bytes) -> None:
    with pytest.raises(BundleError, match="not a file manifest"):
        parse_manifest(data)


@patient
@given(path=paths)
def test_every_safe_path_survives_the_manifest(path: str) -> None:
    entry = FileEntry(check_path(path), "a" * 64, 1, 0o600)
    assert parse_manifest(manifest(Bundle(b"", (entry,))))[0] == (entry,)


@patient
@given(path=st.text(st.sampled_from("./a\0"), max_size=8))
def test_an_accepted_path_stays_inside(path: str) -> None:
    try:
        check_path(path)
    except BundleError:
        return
    joined = os.path.normpath(f"/place/{path}")
    assert joined == f"/place/{path}"


@patient
@given(path=st.lists(st.just("d"), min_size=1, max_size=3).map("/".join), to=st.text("./a"))
def test_an_accepted_link_stays_inside(path: str, to: str) -> None:
    try:
        check_link(Link(path, to))
    except BundleError:
        return
    landed = os.path.normpath(f"/place/{Path(path).parent}/{to}")
    assert landed == "/place" or landed.startswith("/place/")


def test_a_full_disk_is_one_sentence_with_numbers(tmp_path: Path) -> None:
    message = pytest.raises(BundleError, match=r"disk is full: 3\.0 GB more .* free")
    with message as caught, explain_os_errors(tmp_path / "not yet", 3 * 2**30):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert "\n" not in str(caught.value)


def test_a_place_that_may_not_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BundleError, match="Not a directory"):
        write_job_directory(tmp_path / "file" / "1", SPEC, BUNDLE, b"")


def test_an_unfinished_job_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="gone"):
        read_job_directory(tmp_path)
