"""A job once more with changes, over REST, on a real server, with real jobs on this machine."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .conftest import Api

PARAMETERS = """\
n: int = 2  # how often
label = "first"
sizes = [1]
"""
SAYS = """\
import os
print(n, label, sizes, os.environ.get("LAB", "-"), os.path.exists("big.csv"))
_ = open("small.csv"), os.path.exists("big.csv") and open("big.csv")"""


@pytest.fixture
async def old(api: Api) -> Any:
    """A job that has ended."""
    api.write("study.ipynb", SAYS, parameters=PARAMETERS)
    for name, size in (("small.csv", 10), ("big.csv", 1000)):
        (api.root / name).write_text("x" * size)
    body = {"path": "study.ipynb", "parameters": {"n": 3}, "env_text": "LAB=a"}
    job = await api.post("/jobs", body, status=201)
    ended = await api.ended(job["id"])
    assert await text(api, job) == "3 first [1] a True\n"
    return ended


async def text(api: Api, job: Any) -> str:
    return str((await api.get(f"/jobs/{job['id']}/log"))["text"])


async def test_fields_are_the_notebooks_and_hold_what_the_job_was_given(api: Api, old: Any) -> None:
    api.write("study.ipynb", "print('another one by now')")
    found = await api.get(f"/jobs/{old['id']}/inspect")
    assert (found["source"], found["path"], found["name"]) == ("job", "study.ipynb", "study")
    fields = {one["name"]: (one["type"], one["value"]) for one in found["parameters"]}
    assert fields == {"n": ("int", 3), "label": ("str", "first"), "sizes": ("list", [1])}
    assert (await api.get(f"/jobs/{old['id']}"))["env"] == {"LAB": "a"}


async def test_parameters_that_the_notebook_does_not_have_are_fields_too(api: Api) -> None:
    job = await api.submit("print(x)", parameters={"x": [1]}, unchecked=True)
    await api.ended(job["id"])
    (field,) = (await api.get(f"/jobs/{job['id']}/inspect"))["parameters"]
    assert (field["name"], field["value"], field["default"]) == ("x", [1], "[1]")
    other = await api.submit("print(1)", name="other.ipynb")
    await api.ended(other["id"])
    none = await api.get(f"/jobs/{other['id']}/inspect")
    assert (none["parameters"], none["note"]) == (None, "No cell is tagged 'parameters'.")


async def test_a_preview_says_what_a_rerun_would_say(api: Api, old: Any) -> None:
    where = f"/jobs/{old['id']}/preview"
    fine = await api.post(where, {})
    assert fine["problems"] == []
    files = {file["path"]: file["size"] for file in fine["preview"]["files"]}
    assert files == {"small.csv": 10, "big.csv": 1000}
    assert (fine["preview"]["target"], fine["preview"]["size"]) == ("local", 1010)
    less = await api.post(where, {"exclude": ["big.csv"]})
    assert [file["path"] for file in less["preview"]["files"]] == ["small.csv"]
    changes = {
        "parameters": {"n": "many"},
        "resources": {"mem": "900T"},
    }
    wrong = await api.post(where, changes)
    assert [problem["field"] for problem in wrong["problems"]] == ["parameters", "resources"]
    refused = await api.post(f"/jobs/{old['id']}/rerun", {"parameters": {"n": "many"}}, status=400)
    assert refused["message"] == wrong["problems"][0]["message"]
    for change, words in (
        ({"kernel": "no-such"}, "no kernel named 'no-such' is installed here"),
        ({"target": "dgx"}, "there is no target named 'dgx'"),
        ({"env_text": "oops"}, "'oops' is no variable"),
    ):
        (problem,) = (await api.post(where, change))["problems"]
        assert words in problem["message"]


async def test_variables_files_kernel_and_image_may_be_others(api: Api, old: Any) -> None:
    where = f"/jobs/{old['id']}"
    changes = {"exclude": ["big.csv"], "env_text": "LAB=b", "kernel": "python3", "image": None}
    job = await api.post(f"{where}/rerun", changes, status=201)
    ended = await api.ended(job["id"])
    assert await text(api, job) == "3 first [1] b False\n", ended["reason"]
    assert (ended["kernel"], ended["image"]) == ("python3", None)
    # a rerun of the rerun is without them as well
    sent = (await api.get(f"/jobs/{job['id']}/files"))["files"]
    assert [file["path"] for file in sent] == ["small.csv"]
    # the image is the place's to judge: no engine here, or no such name
    await api.post(f"{where}/rerun", {"image": "NO IMAGE"}, status=400)
    assert (await api.get(f"{where}/environment", image=" "))["environment"] is None


class TestSomebodyCalledJobs:
    """A hub's user whose name is a word of our own paths."""

    @pytest.fixture
    def jp_base_url(self) -> str:
        return "/user/jobs/"

    async def test_a_new_job_is_where_it_is_said_to_be(self, api: Api) -> None:
        api.write("work.ipynb", "1")
        first = await api.ask("POST", "/jobs", {"path": "work.ipynb"}, status=201)
        job = json.loads(first.body)["id"]
        await api.ended(job)
        again = await api.ask("POST", f"/jobs/{job}/rerun", {}, status=201)
        for response in (first, again):
            where = f"/user/jobs/jupyter-hybrid/api/jobs/{json.loads(response.body)['id']}"
            assert response.headers["Location"] == where
