"""What travelled with a job and what it made, by name; and what is left out of a submit."""

from __future__ import annotations

from pathlib import Path

import pytest
from jobs import a_manager, a_request

from jupyter_hybrid.errors import BundleError, ResultError
from jupyter_hybrid.job import Job
from jupyter_hybrid.listing import made_file, made_files, sent_files
from jupyter_hybrid.manager import Manager
from jupyter_hybrid.spec import Resources

MAKE = """
import os, pathlib
data = open("data.csv").read()
open("data.csv", "a").write("more")
open("new 日本.txt", "w").write(data * 2)
os.remove(open("gone.txt").name)
os.symlink("/etc/passwd", "link")
os.symlink("/etc", "folder")
"""


async def ended(manager: Manager, job: Job) -> Job:
    async for item in manager.follow(job.id):
        if isinstance(item, Job):
            job = item
    return job


async def test_files_are_listed_on_both_ways(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("1,2\n")
    (tmp_path / "gone.txt").write_text("gone")
    manager = a_manager()
    job = await ended(manager, await manager.submit(a_request(tmp_path, MAKE)))
    assert job.state.value == "COMPLETED", job.reason
    sent = await sent_files(manager.executor("local"), job)
    assert {file.path: file.size for file in sent} == {"data.csv": 4, "gone.txt": 4}
    directory = await manager.result_directory(job)
    made = made_files(directory)
    listed = [(file.path, file.size, file.new) for file in made.files]
    assert listed == [("data.csv", 8, False), ("new 日本.txt", 8, True)]
    assert made.deleted == ("gone.txt",)
    assert made_file(directory, "new 日本.txt").read_text() == "1,2\n" * 2


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../spec.json", "/etc/passwd", "link", "folder/passwd", "none", "a\0b"]
)
def test_only_files_of_the_work_directory_are_given_out(tmp_path: Path, name: str) -> None:
    (tmp_path / "spec.json").write_text("{}")
    work = tmp_path / "work"
    work.mkdir()
    (work / "link").symlink_to("/etc/passwd")
    (work / "folder").symlink_to("/etc")
    with pytest.raises(ResultError, match="has no file"):
        made_file(tmp_path, name)


async def test_what_is_excluded_stays_and_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "small.csv").write_text("1")
    (tmp_path / "big.csv").write_text("1" * 5000)
    manager = a_manager(max_bundle_size=1000)
    code = 'open("small.csv"), open("big.csv")'
    with pytest.raises(BundleError, match=r"big\.csv"):
        await manager.preview(a_request(tmp_path, code))
    plan = await manager.preview(a_request(tmp_path, code, exclude=("big.csv", "not there")))
    assert [item.path for item in plan.items] == ["small.csv"]


async def test_a_job_is_run_again_with_something_changed(tmp_path: Path) -> None:
    manager = a_manager(targets={"other": {"executor": "local"}})
    first = await manager.submit(a_request(tmp_path, "x = 1"))
    changes = {"name": "again", "target": "other", "resources": Resources(time=60.0)}
    second = await manager.rerun(first.id, {"x": 2}, **changes)
    assert (second.spec.name, second.spec.target) == ("again", "other")
    assert (second.spec.resources.time, second.spec.parameters) == (60.0, {"x": 2})
    for job in (first, second):
        assert (await ended(manager, job)).state.value == "COMPLETED"
