"""Paths stay below the server's root, and results come back to it, whatever the contents are."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from commands import notebook
from jobs import a_manager, a_request
from jupyter_server.services.contents.manager import AsyncContentsManager
from tornado.web import HTTPError
from traitlets.config import Config

from jupyter_hybrid.manager import Manager
from jupyter_hybrid.results import Fetched
from jupyter_hybrid.server.workspace import Workspace

if TYPE_CHECKING:
    from .conftest import Api

OUTSIDE = ("../x.ipynb", "a/../../x.ipynb", "/../x.ipynb", "a\0.ipynb", "\ud800.ipynb", "")


@pytest.mark.parametrize("path", OUTSIDE)
async def test_no_path_leads_out(api: Api, path: str) -> None:
    (api.root.parent / "x.ipynb").write_text(json.dumps(notebook("1")))
    refused = await api.post("/inspect", {"path": path}, status=400)
    assert refused["message"] and "Traceback" not in refused["message"]
    await api.post("/jobs", {"path": path}, status=400)


async def test_an_absolute_path_is_one_below_the_root(api: Api) -> None:
    (api.root.parent / "x.ipynb").write_text(json.dumps(notebook("1")))
    await api.post("/inspect", {"path": str(api.root.parent / "x.ipynb")}, status=400)
    api.write("x.ipynb", "1")
    assert (await api.post("/inspect", {"path": "/x.ipynb"}))["path"] == "x.ipynb"


async def test_a_refusal_names_a_file_as_it_is_called(api: Api) -> None:
    (api.root / "100%.ipynb").write_text("no notebook")
    refused = await api.post("/inspect", {"path": "100%.ipynb"}, status=400)
    assert "/100%.ipynb" in refused["message"] and "%%" not in refused["message"]


async def test_hidden_files_are_as_hidden_as_the_server_hides_them(
    api: Api, jp_serverapp: Any
) -> None:
    api.write(".private/x.ipynb", "1")
    refused = await api.post("/inspect", {"path": ".private/x.ipynb"}, status=400)
    assert "allow_hidden" in refused["message"]
    jp_serverapp.contents_manager.allow_hidden = True
    job = await api.post("/jobs", {"path": ".private/x.ipynb"}, status=201)
    await api.ended(job["id"])
    fetched = await api.post(f"/jobs/{job['id']}/fetch")
    assert fetched["path"] == f".private/x.{job['id'][-8:]}.ipynb"


MAKE = "open('data.csv', 'a').write('3'); open('out dir/new 日本.txt', 'w').write('new' * 4)"
MAKE = f"import os; os.mkdir('out dir'); {MAKE}; print('done')"


async def _check_ranges(api: Api, name: str) -> None:
    """Of twelve bytes ``newnewnewnew``."""
    for part, content, shown in (
        ("bytes=3-5", b"new", "bytes 3-5/12"),
        ("bytes=9-", b"new", "bytes 9-11/12"),
        ("bytes=-4", b"wnew", "bytes 8-11/12"),
        ("bytes=10-99", b"ew", "bytes 10-11/12"),
    ):
        piece = await api.ask("GET", name, headers={"Range": part}, status=206)
        assert (piece.body, piece.headers["Content-Range"]) == (content, shown)
    none = await api.ask("GET", name, headers={"Range": "bytes=12-"}, status=416)
    assert none.headers["Content-Range"] == "bytes */12"


async def test_results_are_listed_downloaded_and_fetched(api: Api) -> None:
    (api.root / "lab").mkdir()
    (api.root / "lab" / "data.csv").write_text("12")
    job = await api.submit(MAKE, name="lab/work.ipynb", files=["*.csv"])
    job = await api.ended(job["id"])
    assert job["state"] == "COMPLETED", job["reason"]
    path = f"/jobs/{job['id']}"
    assert (await api.get(f"{path}/files"))["files"] == [{"path": "data.csv", "size": 2}]
    listed = (await api.get(f"{path}/results"))["files"]
    assert listed == [
        {"path": "data.csv", "size": 3, "change": "changed"},
        {"path": "out dir/new 日本.txt", "size": 12, "change": "new"},
    ]
    name = f"{path}/results/out dir/new 日本.txt"
    whole = await api.ask("GET", name, status=200)
    assert whole.body == b"new" * 4
    assert whole.headers["Content-Disposition"].startswith("attachment; filename*=UTF-8''new%20")
    await _check_ranges(api, name)
    for wrong in ("none.txt", "../spec.json", "out dir"):
        await api.ask("GET", f"{path}/results/{wrong.replace('..', '%2E%2E')}", status=409)
    await api.ask("GET", "/jobs/%FF/results/data.csv", status=404)
    # what was changed here since is kept
    (api.root / "lab" / "data.csv").write_text("mine")
    fetched = await api.post(f"{path}/fetch", {})
    short = job["id"][-8:]
    assert fetched["path"] == f"lab/work.{short}.ipynb"
    assert fetched["paths"] == ["lab/out dir/new 日本.txt"]
    kept, beside = fetched["conflicts"][0]
    assert Path(kept).read_text() == "mine" and Path(beside).read_text() == "123"
    assert (await api.get(path))["fetched"]["path"] == fetched["path"]
    elsewhere = await api.post(f"{path}/fetch", {"into": "there", "output": "there/result.ipynb"})
    assert elsewhere["path"] == "there/result.ipynb"
    assert (api.root / "there" / "data.csv").read_text() == "123"
    for body in ({"into": "../there"}, {"output": "../x.ipynb"}, {"output": ""}):
        await api.post(f"{path}/fetch", body, status=400)
    only = await api.post(f"{path}/fetch", {"notebook": False, "into": "again"})
    assert only["notebook"] is None and len(only["paths"]) == 2


async def test_a_list_of_jobs_has_the_number_of_what_was_fetched_and_a_job_the_names(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await api.ended((await api.submit("1"))["id"])
    manager = a_manager()
    files = tuple(str(api.root / f"{number}.csv") for number in range(1500))
    fetched = Fetched(files=files, conflicts=((files[0], files[1]),))
    await manager.note_fetch(manager.get(job["id"]), fetched.to_json())
    threads = []

    def below(self: Workspace, path: Path | str | None) -> str | None:
        threads.append(threading.current_thread())
        return real(self, path)

    real = Workspace.below
    monkeypatch.setattr(Workspace, "below", below)
    (listed,) = (await api.get("/jobs"))["jobs"]
    assert (listed["fetched"]["files"], listed["fetched"]["paths"]) == ([], [])
    counts = {"files": 1500, "conflicts": 1, "deleted": 0, "left": 0}
    assert listed["fetched"]["more"] == counts
    alone = (await api.get(f"/jobs/{job['id']}"))["fetched"]
    assert alone["files"] == list(files[:1000])
    assert alone["paths"] == [f"{number}.csv" for number in range(1000)]
    assert alone["more"] == {"files": 500, "conflicts": 0, "deleted": 0, "left": 0}
    # (where links lead is asked of a disk, for which the server's loop must not wait)
    assert threads and threading.main_thread() not in threads


async def test_results_of_a_job_from_elsewhere_need_a_place(api: Api, tmp_path: Path) -> None:
    away = tmp_path / "elsewhere"
    away.mkdir()
    manager = a_manager()
    job = await manager.submit(a_request(away, "open('x', 'w').write('1')", name="a/b"))
    await ended(manager, job.id)
    assert (await api.get(f"/jobs/{job.id}"))["path"] is None
    refused = await api.post(f"/jobs/{job.id}/fetch", status=400)
    assert "is not below the server's root" in refused["message"]
    assert not list(away.iterdir())
    fetched = await api.post(f"/jobs/{job.id}/fetch", {"into": "here"})
    assert fetched["paths"] == ["here/x"]
    assert fetched["path"] == f"here/a-b.{job.id[-8:]}.ipynb"


@pytest.mark.parametrize("where", ["in the root", "elsewhere", "by name"])
async def test_a_notebook_that_was_edited_is_kept_by_another_fetch(
    api: Api, tmp_path: Path, where: str
) -> None:
    away = tmp_path / "elsewhere"
    away.mkdir()
    manager = a_manager()
    # (as a cell: of no notebook that is known)
    job = await manager.submit(a_request(api.root if where == "in the root" else away, "1"))
    await ended(manager, job.id)
    body = {} if where == "in the root" else {"into": "here"}
    body |= {"output": "other.ipynb"} if where == "by name" else {}
    first = await api.post(f"/jobs/{job.id}/fetch", body)
    assert (await api.post(f"/jobs/{job.id}/fetch", body))["path"] == first["path"]
    (api.root / first["path"]).write_text("edited")
    second = await api.post(f"/jobs/{job.id}/fetch", body)
    assert second["path"] == first["path"].replace(".ipynb", ".2.ipynb")
    assert (api.root / first["path"]).read_text() == "edited"


async def test_a_notebook_behind_links_in_circles_is_one_from_elsewhere(
    api: Api, tmp_path: Path
) -> None:
    away = tmp_path / "away"
    away.mkdir()
    manager = a_manager()
    job = await manager.submit(a_request(away, "1", notebook_path=away / "n.ipynb"))
    await ended(manager, job.id)
    away.rmdir()
    away.symlink_to(away)
    (listed,) = (await api.get("/jobs"))["jobs"]
    assert (listed["id"], listed["path"]) == (job.id, None)


@pytest.mark.parametrize(
    ("name", "stem"), [("日" * 99, "日" * 76), ("a\0b/\ud800", "a b-?"), (" ..", "notebook")]
)
async def test_any_name_of_a_job_is_made_a_files(
    api: Api, tmp_path: Path, name: str, stem: str
) -> None:
    manager = a_manager()
    job = await manager.submit(a_request(tmp_path, "1", name=name))
    await ended(manager, job.id)
    fetched = await api.post(f"/jobs/{job.id}/fetch", {"into": "here"})
    assert fetched["path"] == f"here/{stem}.{job.id[-8:]}.ipynb"


async def ended(manager: Manager, job_id: str) -> None:
    async for _ in manager.follow(job_id):
        pass


async def test_preferences_are_kept_for_each_notebook(api: Api) -> None:
    api.write("work.ipynb", "1")
    nothing = {"path": "work.ipynb", "preferences": None}
    assert await api.get("/preferences", path="work.ipynb") == nothing
    choice = {"target": "local", "parameters": {"x": [1, None, "é"]}}
    await api.put("/preferences", {"path": "work.ipynb", "preferences": choice})
    assert (await api.get("/preferences", path="RTC:/work.ipynb"))["preferences"] == choice
    assert (await api.get("/preferences", path="other.ipynb"))["preferences"] is None
    assert (await api.get("/preferences"))["preferences"] is None
    await api.put("/preferences", {"preferences": {"sort": "name"}})
    assert (await api.get("/preferences"))["preferences"] == {"sort": "name"}
    large = await api.put("/preferences", {"preferences": {"a": "x" * 70000}}, status=400)
    assert "too large" in large["message"]
    await api.put("/preferences", nothing)
    assert (await api.get("/preferences", path="work.ipynb"))["preferences"] is None
    await api.get("/preferences", path="../work.ipynb", status=400)


class Shelf(AsyncContentsManager):  # type: ignore[misc]
    """Contents that are no files: models by path."""

    saved: dict[str, Any]
    #: What is not taken.
    refused = ""

    async def get(self, path: str, content: bool = True, **_: Any) -> Any:
        path = path.strip("/")
        if path not in self.saved:
            raise HTTPError(404, f"No such entity: {path}")
        return self.saved[path]

    async def save(self, model: Any, path: str) -> Any:
        if self.refused and self.refused in path:
            raise HTTPError(507, "the shelf is full")
        type(self).saved[path.strip("/")] = {"path": path, **model}
        return model

    async def file_exists(self, path: str) -> bool:
        return path.strip("/") in self.saved

    async def dir_exists(self, path: str) -> bool:
        return path.strip("/") == "" or self.saved.get(path, {}).get("type") == "directory"

    async def is_hidden(self, path: str) -> bool:
        return False


class TestOtherContents:
    """A contents manager without files."""

    @pytest.fixture
    def jp_server_config(self, jp_server_config: dict[str, Any]) -> Config:
        Shelf.saved = {"shelf/work.ipynb": {"type": "notebook", "content": notebook(MAKE)}}
        config = Config(jp_server_config)
        config.ServerApp.contents_manager_class = Shelf
        return config

    async def test_notebooks_are_read_and_results_saved_through_it(self, api: Api) -> None:
        assert (await api.get("/about"))["contents"] == {"files": False}
        shown = await api.post("/inspect", {"path": "shelf/work.ipynb"})
        assert (shown["name"], shown["unsaved"]) == ("work", False)
        preview = (await api.post("/preview", {"path": "shelf/work.ipynb"}))["preview"]
        assert any("nothing but the notebook travels" in note for note in preview["notes"])
        job = await api.post("/jobs", {"path": "shelf/work.ipynb"}, status=201)
        job = await api.ended(job["id"])
        assert job["state"] == "COMPLETED", job["reason"]
        fetched = await api.post(f"/jobs/{job['id']}/fetch", {"into": "results"})
        assert fetched["path"] == f"results/work.{job['id'][-8:]}.ipynb"
        assert sorted(fetched["paths"]) == ["results/data.csv", "results/out dir/new 日本.txt"]
        assert Shelf.saved["results/data.csv"]["content"] == "Mw=="
        # and where they are is what the next page is told
        assert (await api.get(f"/jobs/{job['id']}"))["fetched"] == fetched
        again = await api.post(f"/jobs/{job['id']}/fetch", {"into": "results"})
        assert set(again["paths"]).isdisjoint(fetched["paths"])

    async def test_what_was_saved_before_the_contents_refused_is_known(
        self, api: Api, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        job = await api.post("/jobs", {"path": "shelf/work.ipynb"}, status=201)
        await api.ended(job["id"])
        monkeypatch.setattr(Shelf, "refused", "out dir/")
        refused = await api.post(f"/jobs/{job['id']}/fetch", status=409)
        assert "the shelf is full" in refused["message"]
        fetched = (await api.get(f"/jobs/{job['id']}"))["fetched"]
        assert (fetched["path"], fetched["paths"]) == (f"work.{job['id'][-8:]}.ipynb", ["data.csv"])

    async def test_a_submit_does_without_the_folder_that_was_tidied_away(
        self, api: Api, jp_serverapp: Any
    ) -> None:
        await api.post("/preview", {"path": "shelf/work.ipynb"})
        (app,) = jp_serverapp.extension_manager.extension_apps["jupyter_hybrid"]
        app.service.empty().rmdir()
        job = await api.post("/jobs", {"path": "shelf/work.ipynb"}, status=201)
        await api.ended(job["id"])
