"""Jobs over REST, on a real server, with real jobs on this machine."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jupyter_hybrid.job import State

if TYPE_CHECKING:
    from .conftest import Api


async def test_targets_and_offers_say_what_the_command_line_says(api: Api) -> None:
    assert (await api.get("/targets"))["targets"] == [
        {"name": "local", "executor": "local", "default": True, "price": None, "trouble": None}
    ]
    found = await api.get("/offers", target="local", time="2h", mem="1M")
    assert found["problems"] == []
    assert found["offers"][0]["cpus"] >= 1 and found["offers"][0]["free_now"] is True
    refused = await api.get("/offers", nodes="3")
    assert refused["offers"] == []
    assert "is one machine, not 3 nodes" in refused["problems"][0]["message"]
    unknown = await api.get("/offers", target="dgx", status=404)
    assert unknown["message"] == "there is no target named 'dgx'; there are: local"
    wrong = await api.get("/offers", gpus="-1", status=400)
    assert wrong["message"] == "gpus: '-1' is not a whole number"
    assert "is not a duration" in (await api.get("/offers", time="soon", status=400))["message"]


@pytest.fixture
def typos(jp_config_dir: Path, jp_environ: None) -> None:
    """Three targets that are not as the configuration should have them."""
    settings = (
        "c.Hybrid.targets = {'dgx': {'executr': 'slurm'}, 'dxg': {'executor': 'slrum'},"
        " 'local': {'executor': 'local'}, 'sold': {'executor': 'local', 'price': 'cheap'}}\n"
    )
    (jp_config_dir / "jupyter_hybrid_config.py").write_text(settings)


async def test_a_target_that_is_configured_wrongly_hides_no_other(typos: None, api: Api) -> None:
    names = [target["name"] for target in (await api.get("/targets"))["targets"]]
    assert names == ["local", "dgx", "dxg", "sold"]
    found = await api.get("/offers")
    assert [offer["target"] for offer in found["offers"]] == ["local"]
    assert [problem["target"] for problem in found["problems"]] == ["dgx", "dxg", "sold"]
    assert found["problems"][2]["message"].startswith("the target 'sold' has the price 'cheap'; ")
    assert found["problems"][0]["message"].startswith("the target 'dgx' names no executor; add ")


async def test_a_notebook_is_submitted_followed_and_deleted(api: Api) -> None:
    job = await api.submit("print('hello')", "1 + 1", name="sub dir/日本 é.ipynb")
    assert (job["name"], job["path"]) == ("日本 é", "sub dir/日本 é.ipynb")
    job = await api.ended(job["id"])
    assert (job["state"], job["cells"]["done"], job["cells"]["total"]) == ("COMPLETED", 2, 2)
    page = await api.get(f"/jobs/{job['id']}/events")
    kinds = [event["kind"] for event in page["events"]]
    assert kinds[0] == "started" and kinds[-1] == "finished" and page["ended"]
    assert [event["seq"] for event in page["events"]] == list(range(1, page["last"] + 1))
    log = await api.get(f"/jobs/{job['id']}/log")
    assert (log["text"], log["ended"]) == ("hello\n2\n", True)
    response = await api.ask("GET", f"/jobs/{job['id']}/notebook", params={"download": "true"})
    cells = json.loads(response.body)["cells"]
    assert cells[0]["outputs"][0]["text"] == "hello\n"
    assert response.headers["X-Last-Event"] == str(page["last"])
    assert response.headers["Content-Disposition"].endswith("%E6%97%A5%E6%9C%AC%20%C3%A9.ipynb")
    response = await api.ask("DELETE", f"/jobs/{job['id']}", status=204)
    gone = await api.get(f"/jobs/{job['id']}", status=404)
    assert gone["reason"] == "UnknownJob" and job["id"] in gone["message"]


async def test_what_is_on_screen_is_what_is_sent(api: Api) -> None:
    saved = api.write("work.ipynb", "print('on disk')")
    same = await api.post("/inspect", {"path": "work.ipynb", "content": saved})
    assert (same["source"], same["unsaved"]) == ("screen", False)
    screen = json.loads(json.dumps(saved))
    screen["cells"][0]["source"] = ["print('on ", "screen')"]
    shown = await api.post("/inspect", {"path": "RTC:work.ipynb", "content": screen})
    assert (shown["source"], shown["unsaved"], shown["path"]) == ("screen", True, "work.ipynb")
    disk = await api.post("/inspect", {"path": "work.ipynb"})
    assert (disk["source"], disk["unsaved"]) == ("disk", False)
    job = await api.post("/jobs", {"path": "work.ipynb", "content": screen}, status=201)
    await api.ended(job["id"])
    assert (await api.get(f"/jobs/{job['id']}/log"))["text"] == "on screen\n"
    # a notebook that was never saved has a path all the same
    new = await api.post("/inspect", {"path": "Untitled.ipynb", "content": screen})
    assert (new["unsaved"], new["name"]) == (True, "Untitled")


async def test_parameters_are_shown_and_checked_as_on_the_command_line(api: Api) -> None:
    code = "rate: float = 0.5  # learning rate\nname = 'x'\nlayers = [1, 2]\nwhen = None"
    api.write("work.ipynb", "print(rate, name)", parameters=code)
    shown = await api.post("/inspect", {"path": "work.ipynb"})
    rate, name, layers, when = shown["parameters"]
    assert rate == {
        "name": "rate", "type": "float", "default": "0.5", "value": 0.5, "accepts": ["float"],
        "help": "learning rate",
    }  # fmt: skip
    assert (name["value"], layers["value"], layers["default"]) == ("x", [1, 2], "[1, 2]")
    assert (when["value"], when["accepts"]) == (None, None)
    body = {"path": "work.ipynb", "parameters": {"rat": 1}}
    refused = await api.post("/jobs", body, status=400)
    assert refused["reason"] == "ParameterError"
    assert "did you mean 'rate'" in refused["message"]
    assert (await api.get("/jobs"))["jobs"] == []
    body = {"path": "work.ipynb", "parameters": {"rate": 2}, "parameter_texts": {"name": "3 x"}}
    job = await api.post("/jobs", body, status=201)
    assert job["parameters"] == {"rate": 2, "name": "3 x"}
    await api.ended(job["id"])
    assert (await api.get(f"/jobs/{job['id']}/log"))["text"] == "2 3 x\n"


async def test_earlier_jobs_say_how_long_a_notebook_runs(api: Api) -> None:
    assert await api.get("/durations", path="work.ipynb") == {"durations": []}
    job = await api.ended((await api.submit("1"))["id"])
    (one,) = (await api.get("/durations", path="work.ipynb"))["durations"]
    assert one == {"target": "local", "seconds": job["seconds"], "jobs": 1}
    wrong = await api.get("/durations", status=400)
    assert wrong["message"] == "path is not given: The notebook"


async def test_an_image_is_compared_with_what_the_notebook_needs(api: Api) -> None:
    api.write("work.ipynb", "import numpy")
    assert await api.post("/environment", {"path": "work.ipynb"}) == {"environment": None}
    job = await api.ended((await api.submit("1"))["id"])
    assert await api.get(f"/jobs/{job['id']}/environment") == {"environment": None}
    unknown = await api.post("/environment", {"path": "work.ipynb", "target": "dgx"}, status=404)
    assert "there is no target named 'dgx'" in unknown["message"]


async def test_variables_are_read_as_they_are_typed(api: Api) -> None:
    text = "LAB = a b=c\n\nEMPTY=\n"
    job = await api.submit(
        "import os; print([os.environ[n] for n in ('LAB', 'EMPTY', 'TOO')])",
        env_text=text,
        env={"TOO": "1"},
    )
    await api.ended(job["id"])
    log = await api.get(f"/jobs/{job['id']}/log")
    assert log["text"] == "[' a b=c', '', '1']\n"
    for wrong in ("LAB", "=x", "A B=1", "A=1\0", "A=\ud800"):
        body = {"path": "work.ipynb", "env_text": wrong}
        (problem,) = (await api.post("/preview", body))["problems"]
        assert problem["message"] == f"{wrong!r} is no variable; write NAME=value, one a line"


async def test_variables_and_images_are_what_a_process_can_be_given(api: Api) -> None:
    api.write("work.ipynb", "1")
    for name, value in (("A=B", "x"), ("", "x"), ("A", "x\0"), ("A", "\ud800")):
        body = {"path": "work.ipynb", "env": {name: value}}
        refused = await api.post("/jobs", body, status=400)
        assert refused["message"].startswith(f"{f'{name}={value}'!r} is no variable; ")
    for image in ("\ud800", "\udcff", "a\0"):
        for path in ("/jobs", "/environment"):
            refused = await api.post(path, {"path": "work.ipynb", "image": image}, status=400)
            assert "is not the name of an image" in refused["message"]


async def test_a_whole_number_is_one_however_json_has_it(api: Api) -> None:
    job = await api.submit("1", resources={"mem": 1e9, "cpus": 1.0, "nodes": 1.0, "time": 60.0})
    ended = await api.ended(job["id"])
    assert (ended["state"], ended["resources"]["mem"]) == ("COMPLETED", 10**9), ended["reason"]
    endless = '{"path": "work.ipynb", "resources": {"time": 1e999}}'
    assert "is not a duration" in (await api.post("/jobs", endless, status=400))["message"]


async def test_a_preview_has_every_problem_and_what_would_travel(api: Api) -> None:
    (api.root / "data.csv").write_text("1,2\n")
    (api.root / "more.txt").write_text("more")
    api.write("work.ipynb", "open('data.csv')", parameters="x = 1")
    body = {"path": "work.ipynb", "files": ["*.txt"]}
    preview = (await api.post("/preview", body))["preview"]
    assert [(f["path"], f["size"]) for f in preview["files"]] == [("data.csv", 4), ("more.txt", 4)]
    assert (preview["count"], preview["size"], preview["target"]) == (2, 8, "local")
    without = await api.post("/preview", {**body, "exclude": ["data.csv"]})
    assert [f["path"] for f in without["preview"]["files"]] == ["more.txt"]
    wrong = {**body, "parameters": {"y": 1}, "resources": {"nodes": 2}}
    found = await api.post("/preview", wrong)
    assert [problem["field"] for problem in found["problems"]] == ["parameters", "resources"]
    assert found["preview"]["count"] == 2
    for body, field in (
        ({"path": "none.ipynb"}, "notebook"),
        ({"path": "work.ipynb", "target": "dgx"}, "target"),
        ({"path": "work.ipynb", "files": ["*.npy"]}, "files"),
        ({"path": "work.ipynb", "files": ["../*"]}, "files"),
    ):
        found = await api.post("/preview", body)
        assert [problem["field"] for problem in found["problems"]] == [field], found
        submitted = await api.post("/jobs", body, status=404 if field == "target" else 400)
        assert submitted["message"] == found["problems"][0]["message"]


async def test_jobs_are_listed_page_by_page_and_filtered(api: Api) -> None:
    first = await api.submit("1/0", name="failing.ipynb")
    second = await api.submit("1", name="one.ipynb", target="local")
    third = await api.submit("1", name="three.ipynb")
    for job in (first, second, third):
        await api.ended(job["id"])
    page = await api.get("/jobs", limit=2)
    assert [job["name"] for job in page["jobs"]] == ["three", "one"]
    assert page["next"] == second["id"] and page["counts"] == {"COMPLETED": 2, "FAILED": 1}
    page = await api.get("/jobs", limit=2, before=page["next"])
    assert [job["name"] for job in page["jobs"]] == ["failing"] and page["next"] is None
    assert page["jobs"][0]["exit"]["ename"] == "ZeroDivisionError"
    page = await api.get("/jobs", limit=1, offset=1)
    assert [job["name"] for job in page["jobs"]] == ["one"] and page["next"] == second["id"]
    page = await api.get("/jobs", offset=3)
    assert (page["jobs"], page["next"]) == ([], None)

    async def names(**filters: str) -> list[str]:
        return [job["name"] for job in (await api.get("/jobs", **filters))["jobs"]]

    assert await names(state="failed") == ["failing"]
    assert await names(state="unfinished") == []
    assert await names(text="ONE") == ["one"]
    assert await names(path="three.ipynb") == ["three"]
    assert await names(target="elsewhere") == []
    for wrong in ({"state": "DONE"}, {"limit": "0"}, {"limit": "ten"}, {"offset": "-1"}):
        await api.get("/jobs", status=400, **wrong)


PRINT = """
for number in range(400):
    print(f"{number:04d}", "é" * 200, flush=True)
print("x" * 100_000)
for number in range(400, 420):
    print(f"{number:04d}", flush=True)
"""


@pytest.mark.parametrize("of", ["cells", "runner"])
async def test_a_log_is_read_from_its_end(api: Api, of: str) -> None:
    job = await api.ended((await api.submit(PRINT))["id"])
    path = f"/jobs/{job['id']}/log"
    if of == "runner":
        # as of a program that writes past the kernel
        text = (await api.get(path))["text"]
        Path(job["directory"], "runner.log").write_text(text)
    whole, after, more = "", 0, True
    while more:
        page = await api.get(path, of=of, offset=after)
        whole, after, more = whole + page["text"], page["next"], page["more"]
    events = (await api.get(f"/jobs/{job['id']}/events"))["events"]
    # what was printed at once is one output
    most = max(len(event["output"]["text"]) for event in events if event["kind"] == "output")
    page = await api.get(path, of=of, tail=3000)
    assert whole.endswith(page["text"]) and "0419\n" in page["text"]
    assert 0 < len(page["text"]) <= max(3000, most) < page["first"]
    assert (page["next"], page["more"], page["ended"]) == (after, False, True)
    assert (await api.get(path, of=of, offset=page["next"]))["text"] == ""
    known = page["text"]
    for _ in range(200):
        if page["first"] == 0:
            break
        page = await api.get(path, of=of, tail=3000, before=page["first"])
        known = page["text"] + known
        assert len(page["text"]) <= max(3000, most)
    assert known == whole
    assert len(known) > 180_000
    everything = await api.get(path, of=of, tail=4 << 20)
    assert (everything["text"], everything["first"]) == (whole, 0)


async def test_a_log_is_read_on_from_its_end_while_it_grows(api: Api) -> None:
    go = api.root / "go"
    job = await api.submit(
        "import pathlib, time\nprint('begun', flush=True)\n"
        f"while not pathlib.Path({str(go)!r}).exists(): time.sleep(0.05)\nprint('over')"
    )
    path = f"/jobs/{job['id']}/log"
    page = await api.get(path, tail=1000)
    for _ in range(600):
        if page["text"]:
            break
        await asyncio.sleep(0.05)
        page = await api.get(path, tail=1000)
    assert (page["text"], page["ended"]) == ("begun\n", False)
    go.touch()
    await api.ended(job["id"])
    rest = await api.get(path, offset=page["next"])
    assert (rest["text"], rest["ended"]) == ("over\n", True)


async def test_a_running_job_is_read_live_and_cancelled(api: Api) -> None:
    code = "import time\nprint('begun ü', flush=True)\ntime.sleep(60)"
    job = await api.submit(code, "print('never')")
    path = f"/jobs/{job['id']}"
    text, after = "", 0
    while "begun ü" not in text:
        log = await api.get(f"{path}/log", offset=after)
        text, after = text + log["text"], log["next"]
        await asyncio.sleep(0.02)
    assert not log["ended"]
    events = await api.get(f"{path}/events", after=after)
    assert events["events"] == [] and events["last"] == after
    # what a job prints is there before its record has been looked at
    while (await api.get(path))["state"] != "RUNNING":
        await asyncio.sleep(0.02)
    assert "is RUNNING" in (await api.get(f"{path}/results", status=400))["message"]
    refused = await api.ask("DELETE", path, status=400)
    assert "cancel it before" in json.loads(refused.body)["message"]
    cells = (await api.get(f"{path}/notebook"))["cells"]
    assert cells[0]["outputs"][0]["text"] == "begun ü\n"
    asked = await api.post(f"{path}/cancel", {}, status=202)
    assert asked["wanted"] == "CANCELLED" or asked["state"] == "CANCELLED"
    ended = await api.ended(job["id"])
    assert (ended["state"], ended["cells"]["done"]) == ("CANCELLED", 0)
    again = await api.post(f"{path}/cancel", {"force": True}, status=202)
    assert again["state"] == "CANCELLED"
    runner = await api.get(f"{path}/log", of="runner")
    assert runner["next"] == len(runner["text"].encode())


async def test_a_job_is_run_again_with_other_parameters(api: Api) -> None:
    api.write("work.ipynb", "print(x * 2)", parameters="x = 1")
    job = await api.post("/jobs", {"path": "work.ipynb"}, status=201)
    await api.ended(job["id"])
    api.write("work.ipynb", "print('changed meanwhile')", parameters="x = 1")
    wrong = await api.post(f"/jobs/{job['id']}/rerun", {"parameters": {"x": "a"}}, status=400)
    assert wrong["reason"] == "ParameterError"
    await api.post(f"/jobs/{job['id']}/rerun", {"target": "dgx"}, status=404)
    change = {"parameters": {"x": 4}, "name": "again", "resources": {"time": "5m"}}
    again = await api.post(f"/jobs/{job['id']}/rerun", change, status=201)
    assert (again["name"], again["resources"]["time"]) == ("again", 300.0)
    await api.ended(again["id"])
    assert (await api.get(f"/jobs/{again['id']}/log"))["text"] == "8\n"


async def test_a_repeated_submit_is_one_job(api: Api) -> None:
    api.write("work.ipynb", "1")
    headers = {"Idempotency-Key": "abc"}
    wrong = await api.post("/jobs", {"path": "none.ipynb"}, status=400, headers=dict(headers))
    assert "none.ipynb" in wrong["message"]
    body = {"path": "work.ipynb"}
    answers = await asyncio.gather(
        *(api.post("/jobs", body, status=201, headers=dict(headers)) for _ in range(3))
    )
    assert len({answer["id"] for answer in answers}) == 1
    assert answers[0]["submit_key"] == "abc"
    other = await api.post("/jobs", body, status=201)
    assert other["id"] != answers[0]["id"] and other["submit_key"] is None
    path = f"/jobs/{other['id']}/rerun"
    again = await api.post(path, {}, status=201, headers={"Idempotency-Key": "def"})
    assert again["submit_key"] == "def" and again["id"] != other["id"]
    long = {"Idempotency-Key": "a" * 201}
    assert "201" not in (await api.post("/jobs", body, status=400, headers=long))["message"]
    assert len((await api.get("/jobs"))["jobs"]) == 3
    for job in (answers[0], other, again):
        await api.ended(job["id"])
    # as it is now, and not as it was when it was submitted
    known = await api.post("/jobs", body, status=201, headers=dict(headers))
    assert (known["id"], known["state"]) == (answers[0]["id"], "COMPLETED")


HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "\u202egnp.exe",
    "🎉" * 50,
    "a\nb\r\n\tc",
    "é" * 200,
    "' or 1",
]


@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_names_come_back_as_they_are(api: Api, name: str) -> None:
    job = await submit_named(api, name)
    assert job["name"] == name
    found = await api.get("/jobs", text=name[:20])
    assert [j["name"] for j in found["jobs"]] == [name]
    detail = await api.get(f"/jobs/{job['id']}")
    assert State(detail["state"])
    await api.ended(job["id"])


async def submit_named(api: Api, name: str) -> Any:
    api.write("work.ipynb", "1")
    return await api.post("/jobs", {"path": "work.ipynb", "name": name}, status=201)


async def test_a_request_that_is_not_as_documented_is_refused_in_a_sentence(api: Api) -> None:
    api.write("work.ipynb", "1")
    for body, words in (
        ("{", "not JSON"),
        ("[]", "not of type 'object'"),
        ({}, "'path' is a required property"),
        ({"path": 3}, "path: 3 is not of type 'string'"),
        ({"path": "work.ipynb", "gpus": 1}, "gpus"),
        ({"path": "work.ipynb", "resources": {"gpus": "two"}}, "resources.gpus: 'two'"),
        ({"path": "work.ipynb", "resources": {"mem": "much"}}, "is not a size"),
        ({"path": "work.ipynb", "resources": {"time": -1}}, "time: -1"),
        ({"path": "work.ipynb", "content": {"cells": 3}}, "no list of cells"),
    ):
        refused = await api.post("/jobs", body, status=400)
        assert words in refused["message"], refused
