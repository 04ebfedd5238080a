"""The store: several processes at once, and the days on which things go wrong."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
import subprocess
import sys
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jupyter_hybrid.errors import Conflict, StoreError, UnknownJob, UsageError
from jupyter_hybrid.job import Job, State, new_job_id
from jupyter_hybrid.spec import Cause, ExitRecord, JobSpec, Resources
from jupyter_hybrid.store import Store, database, default_directory
from jupyter_hybrid.store.queries import VERSION, migrations, parse_queries, parse_statements


def a_job(name: str = "demo", **changes: Any) -> Job:
    spec = JobSpec(name=name, target="local", kind="notebook", parameters={"a": [1, None]})
    values: dict[str, Any] = {
        "id": new_job_id(),
        "spec": spec,
        "directory": "/j",
        "created_at": 1.5,
    }
    return Job(**{**values, **changes})


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "store")


def test_a_job_comes_back_as_it_was(store: Store) -> None:
    spec = JobSpec(
        name="naïve 日本 \udcff",
        target="dgx",
        kind="cell",
        shown_cells=("a", "b"),
        resources=Resources(gpus=2, gpu_type="v100", time=7.5),
    )
    record = ExitRecord("FAILED", Cause.CELL_ERROR, "boom", traceback=("one", "two"))
    job = a_job(spec=spec, exit=record, handle={"pid": 3}, wanted=State.CANCELLED)
    store.add(job)
    assert store.get(job.id) == job
    saved = store.save(job.evolve(state=State.PENDING))
    assert saved.revision == 1
    assert store.get(job.id) == saved


def test_save_is_compare_and_set(store: Store) -> None:
    job = store.add(a_job())
    store.save(job.evolve(reason="first"))
    with pytest.raises(Conflict, match="changed by another process"):
        store.save(job.evolve(reason="second"))
    assert store.get(job.id).reason == "first"
    with pytest.raises(UnknownJob):
        store.save(a_job())


def test_eight_processes_count_together(store: Store) -> None:
    job = store.add(a_job())
    program = (
        "import sys; from pathlib import Path\n"
        "from jupyter_hybrid.store import Store; from jupyter_hybrid.errors import Conflict\n"
        "store = Store.open(Path(sys.argv[1])); done = 0\n"
        "while done < 20:\n"
        "    job = store.get(sys.argv[2])\n"
        "    try: store.save(job.evolve(cells_done=job.cells_done + 1)); done += 1\n"
        "    except Conflict: pass\n"
    )
    argv = [sys.executable, "-c", program, str(store.path.parent), job.id]
    processes = [subprocess.Popen(argv) for _ in range(8)]
    assert [process.wait(60) for process in processes] == [0] * 8
    assert store.get(job.id).cells_done == 160


def test_threads_use_one_store(store: Store) -> None:
    threads = [threading.Thread(target=lambda: store.add(a_job())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.jobs()) == 8


def test_jobs_are_found_by_beginning_end_and_last(store: Store) -> None:
    one = store.add(a_job(id="0" * 25 + "1"))
    two = store.add(a_job(id="0" * 24 + "20"))
    assert store.find(one.id) == one
    assert store.find("last") == two
    assert store.find("0" * 24 + "2") == two
    with pytest.raises(UsageError, match="several jobs begin with '00'"):
        store.find("00")
    assert store.find("0001") == one
    other = store.add(a_job(id="1" * 22 + "0001"))
    with pytest.raises(UsageError, match="several jobs end with '0001'"):
        store.find("0001")
    with pytest.raises(UnknownJob, match="no job '001'"):
        store.find("001")
    with pytest.raises(UnknownJob, match=f"the newest are {other.id}"):
        store.find("zz")


def test_an_empty_store_says_so(store: Store) -> None:
    with pytest.raises(UnknownJob, match="there is none yet"):
        store.find("last")


def test_filters_and_pages(store: Store) -> None:
    jobs = [store.add(a_job(name=f"job {n}", id=f"{n:026d}")) for n in range(5)]
    store.save(jobs[4].evolve(state=State.FAILED))
    assert [j.id for j in store.unfinished()] == [j.id for j in reversed(jobs[:4])]
    assert [j.id for j in store.jobs(limit=2)] == [jobs[4].id, jobs[3].id]
    assert [j.id for j in store.jobs(limit=2, before=jobs[3].id)] == [jobs[2].id, jobs[1].id]
    assert [j.id for j in store.jobs(limit=2, before=3)] == [jobs[1].id, jobs[0].id]
    assert store.jobs(limit=2, before=5) == []
    assert [j.spec.name for j in store.jobs(text="JOB 3")] == ["job 3"]
    assert store.jobs(states=[State.FAILED])[0].id == jobs[4].id
    assert store.jobs(target="dgx") == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Übung École", "übung éCOLE"),
        ("ΟΔΟΣ", "οδος"),
        ("Привет", "ПРИВЕТ"),
        ("ｆｕｌｌ ＷＩＤＴＨ ７", "Full width 7"),
        ("half ｶﾀｶﾅ", "カタカナ"),
        # as macOS writes names of files
        ("E\u0301cole", "école"),
        ("Straße", "STRASSE"),
    ],
)
def test_names_are_found_whatever_their_case_and_width(store: Store, name: str, text: str) -> None:
    store.add(a_job(name=f"a {name}!"))
    store.add(a_job(name="ecole, ou, strase"))
    assert [job.spec.name for job in store.jobs(text=text)] == [f"a {name}!"]
    assert store.counts(text=text) == {State.CREATED: 1}


def test_a_deleted_store_is_made_again_with_its_jobs(store: Store) -> None:
    job = store.save(store.add(a_job()).evolve(state=State.RUNNING))
    gone = store.add(a_job())
    store.delete(gone.id)
    store.path.unlink()
    assert store.jobs() == [job]
    assert store.save(job.evolve(reason="on")).revision == job.revision + 1


def test_a_deleted_job_is_not_added_again_by_who_still_follows_it(store: Store) -> None:
    job = store.add(a_job())
    store.delete(job.id)
    with pytest.raises(UnknownJob, match="was deleted"):
        store.add(job.evolve(state=State.LOST))
    assert store.jobs() == []
    # a store that was lost with all records knows nothing of it, and takes what it is told
    store.path.unlink()
    assert store.add(job) == job


def test_a_damaged_store_is_moved_aside_and_made_again(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    job = store.add(a_job())
    store.path.write_bytes(b"this is not a database" * 100)
    assert store.jobs() == [job]
    assert "moved to" in caplog.text
    assert len(list(store.path.parent.glob("jobs.sqlite.broken-*"))) == 1


def test_damage_in_the_middle_is_found_in_use_and_mended(store: Store) -> None:
    jobs = [store.add(a_job(reason="x" * 3000)) for _ in range(20)]
    content = bytearray(store.path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    store.path.write_bytes(bytes(content))
    with pytest.raises(StoreError, match="made again; try again"):
        store.save(jobs[0].evolve(reason="y"))
    assert {job.id for job in store.jobs()} == {job.id for job in jobs}
    store.path.write_bytes(bytes(content))
    # to read changes nothing, so it is done once more right away
    assert {job.id for job in store.jobs()} == {job.id for job in jobs}


def test_a_record_that_a_disk_has_half_written_is_read_from_its_file(store: Store) -> None:
    job = store.add(a_job())
    with closing(sqlite3.connect(store.path)) as connection:
        connection.execute("UPDATE job SET record = substr(record, 1, 99) || char(0, 0)")
        connection.commit()
    assert store.find("last") == job
    assert len(list(store.path.parent.glob("jobs.sqlite.broken-*"))) == 1


def test_an_empty_name_is_no_job(store: Store) -> None:
    store.add(a_job())
    for name in ("", "  "):
        with pytest.raises(UsageError, match="is empty"):
            store.find(name)


def test_the_store_is_private(store: Store) -> None:
    store.add(a_job())
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(store.path.parent.stat().st_mode) == 0o700


def test_no_write_ahead_log(store: Store) -> None:
    store.add(a_job())
    connection = sqlite3.connect(store.path)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    connection.close()


def test_a_newer_store_is_refused(store: Store) -> None:
    store.add(a_job())
    connection = sqlite3.connect(store.path)
    connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    connection.close()
    with pytest.raises(StoreError, match="upgrade jupyter-hybrid"):
        store.jobs()


def test_every_migration_is_counted() -> None:
    assert len(migrations()) == VERSION


def test_a_store_of_the_first_version_keeps_its_jobs(store: Store) -> None:
    spec = JobSpec(name="demo", target="local", kind="notebook", notebook_path="/home/ada/a.ipynb")
    job = a_job(spec=spec)
    store.path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(store.path)
    for statement in migrations()[0]:
        connection.execute(statement)
    row = (job.id, job.state.value, "local", "demo", job.created_at, 4, json.dumps(job.to_json()))
    connection.execute("INSERT INTO job VALUES (?, ?, ?, ?, ?, ?, ?)", row)
    connection.execute("PRAGMA user_version = 1")
    connection.commit()
    connection.close()
    assert store.jobs(notebook="/home/ada/a.ipynb") == [replace(job, revision=4)]


def test_one_submit_is_one_job_for_all_processes(store: Store) -> None:
    first = store.add(a_job(submit_key="abc"))
    assert Store(store.path.parent).add(a_job(submit_key="abc")) == first
    assert store.submitted("abc") == first
    assert store.submitted("") is None
    # jobs without a key are as many as there are
    assert len({store.add(a_job()).id for _ in range(2)}) == 2
    # what was refused gives its key back
    store.save(replace(first, submit_key=""))
    again = a_job(submit_key="abc")
    assert store.add(again) == again


def test_a_store_that_is_made_again_has_both_jobs_that_one_submit_has_left(store: Store) -> None:
    refused, job = store.add(a_job(submit_key="k")), a_job(submit_key="k")
    (record,) = (store.path.parent / "records").iterdir()
    as_it_was = record.read_bytes()
    store.save(replace(refused, submit_key=""))
    store.add(job)
    # as a disk leaves it that was full when the key was given back
    record.write_bytes(as_it_was)
    store.path.unlink()
    assert [job.submit_key for job in store.jobs()] == ["k", ""]
    assert store.submitted("k") == job
    store.save(store.get(refused.id).evolve(state=State.PENDING))


def test_a_job_that_could_not_be_added_is_not_in_a_store_that_is_made_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = store.add(a_job())
    monkeypatch.setattr(database, "BUSY_TIMEOUT", 0.1)
    with closing(sqlite3.connect(store.path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM job").fetchone()
        with pytest.raises(StoreError, match="locked"):
            store.add(a_job())
        reader.execute("ROLLBACK")
    store.path.unlink()
    assert store.jobs() == [job]


def test_queries_and_statements_are_told_apart() -> None:
    assert parse_queries("-- a --\n-- why\nSELECT 1;\n\n-- b --\nSELECT 2;\n") == {
        "a": "-- why\nSELECT 1;",
        "b": "SELECT 2;",
    }
    assert len(parse_statements("-- one; still a comment\nSELECT ';';\nSELECT 2;\n")) == 2


def test_an_unusable_place_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"cannot be opened"):
        Store.open(tmp_path / "file").jobs()


def test_a_full_disk_is_one_sentence(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.add(a_job())
    # SQLite's own limit stands for the disk's: the error is the same
    real = sqlite3.connect

    def limited(*args: Any, **options: Any) -> sqlite3.Connection:
        connection = real(*args, **options)
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")
        return connection

    monkeypatch.setattr(sqlite3, "connect", limited)
    with pytest.raises(StoreError, match="full; make room"):
        for _ in range(100):
            store.add(a_job(reason="x" * 5000))
    monkeypatch.undo()
    assert store.jobs()


def test_the_directory_is_named_by_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_HYBRID_DIR", str(tmp_path / "here"))
    assert default_directory() == tmp_path / "here"
    assert stat.S_IMODE((tmp_path / "here").stat().st_mode) == 0o700


def test_a_read_only_home_falls_back_and_says_so_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("JUPYTER_HYBRID_DIR")
    # a file where the directory should be stops root as well
    (tmp_path / "data").write_text("")
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for _ in range(2):
        assert default_directory() == tmp_path / f"jupyter-hybrid-{os.getuid()}"
    (record,) = caplog.records
    assert record.getMessage().endswith("may not outlive a reboot")


def test_jobs_are_counted_and_filtered_by_notebook(store: Store) -> None:
    def of(path: str, **changes: Any) -> Job:
        spec = JobSpec(name="Été", target="local", kind="notebook", notebook_path=path)
        return store.add(a_job(spec=spec, **changes))

    one = of("/home/ada/日本.ipynb", state=State.RUNNING)
    of("/home/ada/other.ipynb", state=State.FAILED)
    of("/home/ada/other.ipynb", state=State.FAILED)
    assert store.jobs(notebook="/home/ada/日本.ipynb") == [one]
    assert store.counts() == {State.RUNNING: 1, State.FAILED: 2}
    assert store.counts(notebook="/home/ada/other.ipynb") == {State.FAILED: 2}
    assert store.counts(text="no such name") == {}


def test_revisions_tell_what_changed(store: Store) -> None:
    first, second = store.add(a_job()), store.add(a_job())
    before = store.revisions()
    store.save(first.evolve(reason="moved"))
    store.delete(second.id)
    assert before == {first.id: 0, second.id: 0}
    assert store.revisions() == {first.id: 1}
