"""Results come back whole, and never over the user's work."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jupyter_hybrid.errors import ResultError
from jupyter_hybrid.files import file_digest, replacing
from jupyter_hybrid.job import Job, State, new_job_id
from jupyter_hybrid.paths import JobPaths
from jupyter_hybrid.results import Free, bring_back
from jupyter_hybrid.spec import JobSpec

NOTEBOOK = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


class Place:
    """A finished job's directory and the user's workspace beside it."""

    def __init__(self, tmp_path: Path) -> None:
        self.base = tmp_path / "home"
        self.paths = JobPaths(tmp_path / "job")
        self.base.mkdir()
        self.paths.work.mkdir(parents=True)
        self.paths.result.write_text(json.dumps(NOTEBOOK))
        self.sent: list[dict[str, Any]] = []
        self.changed: list[dict[str, Any]] = []
        self.links: list[dict[str, str]] = []
        self.sent_links: list[dict[str, str]] = []

    def send(self, name: str, text: str) -> None:
        (self.base / name).parent.mkdir(parents=True, exist_ok=True)
        (self.base / name).write_text(text)
        (self.paths.work / name).parent.mkdir(parents=True, exist_ok=True)
        (self.paths.work / name).write_text(text)
        self.sent.append({"path": name, "digest": file_digest(self.base / name), "size": len(text)})

    def write(self, name: str, text: str) -> None:
        path = self.paths.work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        self.changed.append({"path": name, "size": len(text)})

    def job(self, **changes: Any) -> Job:
        self.paths.files.write_text(json.dumps({"files": self.sent, "links": self.sent_links}))
        values: dict[str, Any] = {
            "id": new_job_id(),
            "spec": JobSpec(
                name="n", target="local", kind="notebook", notebook_path=str(self.base / "n.ipynb")
            ),
            "directory": str(self.paths.directory),
            "base": str(self.base),
            "created_at": 2e9,
            "state": State.COMPLETED,
        }
        return Job(**{**values, **changes})

    def fetch(self, *, manifest: bool = True, **options: Any) -> Any:
        if manifest:
            record = {"files": self.changed, "links": self.links, "deleted": []}
            self.paths.changes.write_text(json.dumps(record))
        job = options.pop("job", None) or self.job()
        return bring_back(job, self.paths.directory, **options)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_a_new_file_and_the_notebook_come_back(place: Place) -> None:
    place.write("out/table ü.csv", "a,b")
    fetched = place.fetch()
    assert (place.base / "out/table ü.csv").read_text() == "a,b"
    assert fetched.files == (str(place.base / "out/table ü.csv"),)
    notebook = json.loads(Path(fetched.notebook).read_text())
    assert notebook["metadata"]["jupyter_hybrid"]["state"] == "COMPLETED"
    assert Path(fetched.notebook).name.startswith("n.") and Path(fetched.notebook).name != "n.ipynb"


def test_an_input_that_the_job_changed_replaces_the_unchanged_original(place: Place) -> None:
    place.send("data.csv", "old")
    place.write("data.csv", "new")
    assert place.fetch().files == (str(place.base / "data.csv"),)
    assert (place.base / "data.csv").read_text() == "new"


def test_what_was_changed_here_meanwhile_is_kept_and_both_are_named(place: Place) -> None:
    place.send("data.csv", "old")
    (place.base / "data.csv").write_text("mine")
    place.write("data.csv", "the job's")
    fetched = place.fetch()
    assert (place.base / "data.csv").read_text() == "mine"
    ((kept, beside),) = fetched.conflicts
    assert Path(kept) == place.base / "data.csv"
    assert Path(beside).read_text() == "the job's"
    assert Path(beside).suffix == ".csv"


def test_a_file_made_here_since_the_submit_is_kept(place: Place) -> None:
    place.write("out.csv", "the job's")
    (place.base / "out.csv").write_text("mine")
    fetched = place.fetch(job=place.job(created_at=1.0))
    assert (place.base / "out.csv").read_text() == "mine"
    assert len(fetched.conflicts) == 1


def test_an_older_product_is_replaced_as_by_a_local_execution(place: Place) -> None:
    (place.base / "out.csv").write_text("last week's")
    place.write("out.csv", "today's")
    assert place.fetch().conflicts == ()
    assert (place.base / "out.csv").read_text() == "today's"


def test_a_file_that_came_here_since_with_an_old_date_is_kept(place: Place) -> None:
    place.write("out.csv", "the job's")
    (place.base / "out.csv").write_text("unpacked")
    os.utime(place.base / "out.csv", (1, 1))
    fetched = place.fetch(job=place.job(created_at=1000.0))
    assert (place.base / "out.csv").read_text() == "unpacked"
    assert len(fetched.conflicts) == 1


def test_a_result_that_was_edited_here_is_kept_by_another_fetch(place: Place) -> None:
    (place.base / "out.csv").write_text("mine")
    place.write("out.csv", "the job's")
    job = place.job(created_at=1.0)
    first = place.fetch(job=job)
    again = place.fetch(job=job)
    assert (again.notebook, again.conflicts) == (first.notebook, first.conflicts)
    for edited in (first.notebook, first.conflicts[0][1]):
        Path(edited).write_text("annotated")
    third = place.fetch(job=job)
    assert (
        Path(first.notebook).read_text() == Path(first.conflicts[0][1]).read_text() == "annotated"
    )
    assert third.notebook == first.notebook.replace(".ipynb", ".2.ipynb")
    assert Path(third.conflicts[0][1]).read_text() == "the job's"


def test_long_names_lose_their_ends_and_no_half_of_a_character(place: Place) -> None:
    long = "日" * 82
    spec = replace(place.job().spec, notebook_path=str(place.base / f"{long}.ipynb"))
    job = place.job(created_at=1.0, spec=spec)
    (place.base / f"{long}.csv").write_text("mine")
    place.write(f"{long}.csv", "the job's")
    first = place.fetch(job=job)
    ((_, beside),) = first.conflicts
    short = job.id[-8:]
    assert Path(first.notebook).name == f"{'日' * 76}.{short}.ipynb"
    assert Path(beside).name == f"{'日' * 77}.{short}.csv"
    Path(first.notebook).write_text("mine")
    assert place.fetch(job=job).notebook.endswith(f"日.{short}.2.ipynb")


def test_a_name_is_no_path(place: Place) -> None:
    job = place.job(spec=JobSpec(name="../up/a", target="local", kind="cell"))
    assert place.fetch(job=job).notebook == str(place.base / f"-up-a.{job.id[-8:]}.ipynb")


def test_fetching_twice_changes_nothing(place: Place) -> None:
    place.write("out.csv", "x")
    job = place.job()
    place.fetch(job=job)
    again = place.fetch(job=job)
    assert (again.files, again.conflicts, again.unchanged) == ((), (), 1)


def test_a_link_that_leads_in_circles_here_keeps_back_what_is_below_it_alone(place: Place) -> None:
    (place.base / "circle").symlink_to("circle")
    place.write("circle/a", "1")
    place.write("b", "2")
    fetched = place.fetch()
    assert fetched.files == (str(place.base / "b"),)
    (left,) = fetched.left
    assert left.startswith("circle/a: ") and fetched.incomplete


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "link/evil", "itself"])
def test_nothing_leaves_the_workspace(place: Place, name: str, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (place.base / "link").symlink_to(outside)
    (place.paths.work / "link").mkdir()
    (place.paths.work / "link/evil").write_text("x")
    (tmp_path / "evil").write_text("x")
    (place.paths.work / "itself").symlink_to("/etc/passwd")
    place.changed.append({"path": name})
    fetched = place.fetch()
    assert fetched.files == ()
    assert len(fetched.left) == 1 and fetched.left[0].startswith(name)
    assert list(outside.iterdir()) == []


def test_without_the_runners_manifest_the_differences_come_back(place: Place) -> None:
    place.send("same.csv", "same")
    place.send("changed.csv", "old")
    (place.paths.work / "changed.csv").write_text("new")
    (place.paths.work / "made.txt").write_text("made")
    fetched = place.fetch(manifest=False)
    assert sorted(Path(f).name for f in fetched.files) == ["changed.csv", "made.txt"]


def test_the_submitted_notebook_is_never_the_output(place: Place) -> None:
    (place.base / "n.ipynb").write_text("{}")
    with pytest.raises(ResultError, match="is the notebook that was submitted"):
        place.fetch(output=place.base / "n.ipynb")
    assert (place.base / "n.ipynb").read_text() == "{}"


def test_a_file_that_is_named_as_output_is_replaced_unless_it_shall_be_a_free_one(
    place: Place,
) -> None:
    output = place.base / "out.ipynb"
    output.write_text("mine")
    assert place.fetch(output=Free(output)).notebook == str(place.base / "out.2.ipynb")
    assert output.read_text() == "mine"
    assert place.fetch(output=output).notebook == str(output)
    assert json.loads(output.read_text())["cells"] == []


def test_an_output_that_cannot_be_written_is_one_sentence(place: Place) -> None:
    (place.base / "file").write_text("")
    with pytest.raises(
        ResultError, match=r"cannot be written: .*name another file with --output .*fetch"
    ):
        place.fetch(output=place.base / "file" / "below" / "out.ipynb")
    with pytest.raises(ResultError, match="cannot be written: File name too long"):
        place.fetch(output=Free(place.base / ("x" * 256)))


def test_replacing_leaves_nothing_behind_after_an_error(tmp_path: Path) -> None:
    target = tmp_path / ("x" * 255)
    target.write_text("old")
    with pytest.raises(RuntimeError), replacing(target) as file:
        file.write(b"half")
        raise RuntimeError
    assert target.read_text() == "old"
    with replacing(target) as file:
        file.write(b"new")
    assert os.listdir(tmp_path) == [target.name]
    assert target.read_text() == "new"


def test_replacing_removes_what_a_killed_writer_left_and_nothing_of_a_living_one(
    tmp_path: Path,
) -> None:
    target = tmp_path / "x"
    program = (
        "import os, pathlib, sys\nfrom jupyter_hybrid.files import replacing\n"
        "with replacing(pathlib.Path(sys.argv[1])) as file:\n"
        "    file.write(b'half'); file.flush(); os.kill(os.getpid(), 9)"
    )
    assert (
        subprocess.run([sys.executable, "-c", program, str(target)], check=False).returncode == -9
    )
    assert len(os.listdir(tmp_path)) == 1
    with replacing(target) as first:
        first.write(b"first")
        with replacing(target) as second:
            second.write(b"second")
        assert target.read_text() == "second"
    assert target.read_text() == "first"
    assert os.listdir(tmp_path) == ["x"]


def test_links_that_a_job_made_come_back_where_they_stay_inside(place: Place) -> None:
    place.write("runs/7.pt", "weights")
    for name in ("old", "mine"):
        (place.base / name).symlink_to("somewhere")
    (place.base / "file").write_text("mine")
    made = {"latest": "runs/7.pt", "out": "../../etc", "root": "/etc", "file": "runs",
            "old": "runs", "mine": "runs", "runs/up": "../runs"}  # fmt: skip
    place.links = [{"path": path, "to": to} for path, to in made.items()]
    place.sent_links = [{"path": "old", "to": "somewhere"}]
    fetched = place.fetch()
    assert (place.base / "latest").read_text() == "weights"
    links = {path.name: str(path.readlink()) for path in place.base.rglob("*") if path.is_symlink()}
    assert links == {"latest": "runs/7.pt", "old": "runs", "mine": "somewhere", "up": "../runs"}
    assert (place.base / "file").read_text() == "mine"
    assert sorted(line.split(":")[0] for line in fetched.left) == ["file", "mine", "out", "root"]
    assert not fetched.incomplete
    assert place.fetch().files == ()


def test_links_come_back_also_where_the_runner_died_before_it_could_name_them(
    place: Place,
) -> None:
    place.write("a", "a")
    (place.paths.work / "b").symlink_to("a")
    place.fetch(manifest=False)
    assert (place.base / "b").read_text() == "a"
