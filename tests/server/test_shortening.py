"""What is left of outputs that a page cannot hold."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

import pytest

from jupyter_hybrid.events import Event, Kind
from jupyter_hybrid.runner.assemble import assemble
from jupyter_hybrid.server.compacting import compacted
from jupyter_hybrid.server.shortening import (
    LEFT_OUT,
    MARKS,
    ends,
    shortened,
    shortened_notebook,
)

if TYPE_CHECKING:
    from .conftest import Api

MOST = 10_000
LINE = "x" * 99 + "\n"


def stream(text: str, name: str = "stdout") -> dict[str, Any]:
    return {"output_type": "stream", "name": name, "text": text}


def display(**data: Any) -> dict[str, Any]:
    bundle = {name.replace("_", "/"): value for name, value in data.items()}
    return {"output_type": "display_data", "data": bundle, "metadata": {}}


def short(*outputs: dict[str, Any]) -> list[Any]:
    """What is left: texts, and in the place of others their characters and number."""
    return [brief(output) for output in shortened(outputs, MOST, "j")]


def brief(output: dict[str, Any]) -> Any:
    data = output.get("data", {})
    if LEFT_OUT in data:
        return (data[LEFT_OUT]["characters"], data[LEFT_OUT]["outputs"])
    return output.get("text", data.get("text/plain"))


def test_what_is_short_stays_as_it_is() -> None:
    outputs = [stream("a"), display(text_plain="b"), stream("c", "stderr"), stream("d")]
    assert shortened(outputs, MOST, "j") == outputs
    assert shortened(outputs, 0, "j") == []


def test_of_a_long_stream_both_ends_are_left_in_whole_lines() -> None:
    head, (characters, outputs), tail = short(stream("first\n" + LINE * 1000 + "last\n"))
    assert head.startswith("first\nxxx") and head.endswith("x\n")
    assert tail.startswith("xxx") and tail.endswith("x\nlast\n")
    assert outputs == 0
    assert len(head) + characters + len(tail) == 100_011
    assert MOST / 2 - 200 < min(len(head), len(tail)) <= max(len(head), len(tail)) <= MOST / 2


def test_of_many_outputs_the_first_and_the_last_are_left() -> None:
    outputs = [display(text_plain=str(number)) for number in range(10_000)]
    left = short(*outputs)
    ((characters, number),) = [one for one in left if isinstance(one, tuple)]
    assert left[0] == "0" and left[-1] == "9999"
    assert number == 10_000 - (len(left) - 1) and 150 < len(left) < 250
    assert characters == sum(len(str(n)) for n in range(10_000) if str(n) not in left)
    # two streams in turn are many outputs
    turns = [stream("o\n", "stdout"), stream("e\n", "stderr")] * 5000
    assert 150 < len(short(*turns)) < 250


def test_the_error_at_the_end_is_shown() -> None:
    error = {"output_type": "error", "ename": "E", "evalue": "v", "traceback": ["one", "two"]}
    assert shortened([stream(LINE * 1000), error], MOST, "j")[-1] == error
    huge = {**error, "evalue": "v" * 100_000, "traceback": ["one", "v" * 100_000, "end"]}
    (left,) = shortened([huge], MOST, "j")
    assert left["traceback"][0].startswith("one\nv") and left["traceback"][-1].endswith("v\nend")
    assert len(str(left)) < 2 * MOST


def test_a_long_text_of_a_display_is_its_ends() -> None:
    (left,) = shortened([display(text_plain="a\n" + LINE * 1000 + "z\n")], MOST, "j")
    said = left["data"][LEFT_OUT]
    assert said["head"].startswith("a\nxx") and said["tail"].endswith("x\nz\n")
    assert said["characters"] > 80_000
    # who knows nothing of ours reads it as well
    assert left["data"]["text/plain"].startswith("a\nxx")
    assert "the notebook of job j" in left["data"]["text/plain"]


def test_html_is_left_out_where_it_is_too_much_to_draw() -> None:
    table = "<table>" + "<tr><td>1</td></tr>" * MARKS + "</table>"
    (left,) = shortened([display(text_html=table, text_plain="1 ...")], MOST, "j")
    assert "text/html" not in left["data"] and left["data"][LEFT_OUT]["head"] == "1 ..."
    assert left["data"][LEFT_OUT]["characters"] == len(table)
    # a script of a few megabytes is what plots are
    plot = display(text_html="<script>" + "x" * 5_000_000 + "</script>", text_plain="plot")
    assert shortened([plot], MOST, "j") == [plot]
    # a picture is shown, whatever its text
    picture = display(image_png="iVBOR" * 100_000, text_plain="y" * 100_000)
    (left,) = shortened([picture], MOST, "j")
    assert left["data"]["image/png"] == picture["data"]["image/png"]
    assert len(left["data"]["text/plain"]) <= MOST


def test_a_notebook_with_texts_in_lines_is_shortened_cell_by_cell() -> None:
    lines = {"output_type": "stream", "name": "stdout", "text": [LINE] * 1000}
    cells = [{"cell_type": "markdown"}, {"outputs": [lines]}, {"outputs": [stream("a")]}]
    left = shortened_notebook({"cells": cells, "metadata": {}}, MOST, "j")
    assert [len(cell.get("outputs", ())) for cell in left["cells"]] == [0, 3, 1]
    assert len(lines["text"]) == 1000


def test_a_cut_takes_no_colour_apart_and_keeps_it() -> None:
    text = f"\x1b[31m{'r' * 100}\x1b[0m{'p' * 50}"
    assert ends(text, 55)[2] == f"\x1b[31mr\x1b[0m{'p' * 50}"
    for half in range(1, 79):
        head, between, tail = ends(text, half)
        assert re.fullmatch("r*p*", re.sub(r"\x1b\[[0-9;]*m", "", head + tail)), half
        assert between > 0
    assert ends("short", 4) == ("short", 0, "")
    assert ends("a\nb\nc\nd\ne\n", 4) == ("a\nb\n", 2, "d\ne\n")


# -- events -------------------------------------------------------------------------------------

_number = iter(range(1, 1_000_000))


def event(kind: str, cell: str = "a", **data: Any) -> Event:
    return Event(next(_number), 1.0, kind, {"cell_id": cell, **data})


def printed(text: str, cell: str = "a", name: str = "stdout") -> Event:
    return event(Kind.OUTPUT, cell, output=stream(text, name))


def displayed(text: str, display_id: str = "") -> Event:
    output = display(text_plain=text)
    return event(Kind.OUTPUT, output={**output, "transient": {"display_id": display_id}})


def updated(text: str, display_id: str) -> Event:
    return event(Kind.UPDATE, display_id=display_id, data={"text/plain": text}, metadata={})


STORIES: list[list[Event]] = [
    [printed("1\n"), printed("2\n"), printed("!", name="stderr"), printed("3")],
    [printed("1"), printed("b", "b"), printed("2"), event(Kind.CELL_END, execution_count=1)],
    [printed("old"), event(Kind.CLEAR, wait=False), printed("new")],
    [printed("old"), event(Kind.CLEAR, wait=True), printed("b", "b"), printed("new")],
    [printed("old"), event(Kind.CLEAR, wait=True)],
    [displayed("0", "i"), updated("1", "i"), updated("2", "i"), displayed("0", "i")],
    [displayed("0", "i"), updated("1", "i"), displayed("0", "i"), updated("2", "i")],
    [displayed("0", "i"), event(Kind.CLEAR, wait=True), displayed("x"), updated("1", "i")],
    [printed("10 %"), printed("\r20 %"), printed("\r30 %\r"), printed("40 %")],
    [printed("lost"), event(Kind.STARTED), printed("again")],
]


@pytest.mark.parametrize("story", STORIES)
def test_fewer_events_show_the_same(story: list[Event]) -> None:
    cells = [{"cell_type": "code", "id": name, "source": ""} for name in "ab"]
    wanted = assemble({"cells": cells}, story)
    # wherever the answers are cut
    for cut in range(len(story) + 1):
        answers = [compacted(part, MOST, "j") for part in (story[:cut], story[cut:])]
        assert assemble({"cells": cells}, [*answers[0], *answers[1]]) == wanted
        assert all(part[-1].seq == whole[-1].seq for part, whole in
                   zip(answers, (story[:cut], story[cut:]), strict=True) if whole)  # fmt: skip


@pytest.mark.parametrize(
    "output",
    [
        {},
        {"output_type": "stream"},
        {"output_type": "stream", "name": "stdout", "text": ["a", 1]},
        {"output_type": "display_data", "data": None},
        {"output_type": "display_data", "data": {"text/plain": 5, "text/html": [1]}},
        {"output_type": "error", "traceback": 1},
    ],
)
def test_outputs_as_only_a_job_itself_writes_them_hide_no_others(output: dict[str, Any]) -> None:
    assert brief(shortened([output, stream("seen", "stderr")], MOST, "j")[-1]) == "seen"
    events = [event(Kind.OUTPUT, output=output), printed("seen", name="stderr")]
    assert "seen" in str(compacted(events, MOST, "j"))


def test_a_flood_becomes_few_events() -> None:
    flood = [printed(LINE * 100) for _ in range(500)]
    head, between, tail = compacted(flood, MOST, "j")
    assert brief(between.data["output"])[0] > 4_900_000
    assert [one.seq for one in (head, between, tail)] == [flood[-1].seq] * 3
    # pictures that follow one another in the same place
    film = [one for n in range(500) for one in (event(Kind.CLEAR, wait=True), displayed(str(n)))]
    left = compacted(film, MOST, "j")
    assert [brief(one.data["output"]) for one in left if one.kind == Kind.OUTPUT] == ["499"]
    bar = [displayed("0", "bar"), *(updated("#" * 20_000, "bar") for _ in range(500))]
    assert [one.kind for one in compacted(bar, MOST, "j")] == [Kind.OUTPUT, Kind.UPDATE]
    assert len(str(compacted(bar, MOST, "j"))) < 3 * MOST


# -- the server ---------------------------------------------------------------------------------


async def test_a_page_reads_what_it_can_hold_and_a_download_is_whole(api: Api) -> None:
    api.write("work.ipynb", f"for n in range(40): print({LINE[:-1]!r} * 100, n, sep='')")
    job = (await api.post("/jobs", {"path": "work.ipynb"}, status=201))["id"]
    await api.ended(job)
    (whole,) = (await api.get(f"/jobs/{job}/notebook"))["cells"][0]["outputs"]
    assert len(whole["text"]) > 390_000
    (cell,) = (await api.get(f"/jobs/{job}/notebook", outputs=MOST))["cells"]
    head, between, tail = cell["outputs"]
    said = between["data"][LEFT_OUT]
    assert said["job"] == job
    assert len(head["text"]) + said["characters"] + len(tail["text"]) == len(whole["text"])
    assert whole["text"].startswith(head["text"]) and whole["text"].endswith(tail["text"])
    (cell,) = (await api.get(f"/jobs/{job}/notebook", outputs=0))["cells"]
    assert cell["outputs"] == [] and cell["execution_count"] == 1

    page = await api.get(f"/jobs/{job}/events", outputs=MOST)
    assert len(str(page)) < 3 * MOST and page["ended"] and not page["more"]
    everything = await api.get(f"/jobs/{job}/events")
    assert page["last"] == everything["last"] == everything["events"][-1]["seq"]
    assert len(str(everything)) > 390_000
    # the next answer goes on behind it
    after = await api.get(f"/jobs/{job}/events", after=page["last"], outputs=MOST)
    assert after["events"] == [] and after["last"] == page["last"]


async def test_a_running_jobs_notebook_is_there_without_what_it_has_shown(api: Api) -> None:
    go = api.root / "go"
    waits = f"import pathlib, time\nwhile not pathlib.Path({str(go)!r}).exists(): time.sleep(0.01)"
    api.write("work.ipynb", f"print({LINE!r})\n{waits}")
    job = (await api.post("/jobs", {"path": "work.ipynb"}, status=201))["id"]
    while not any(
        one["kind"] == "output" for one in (await api.get(f"/jobs/{job}/events"))["events"]
    ):
        await asyncio.sleep(0.05)
    (cell,) = (await api.get(f"/jobs/{job}/notebook", outputs=0))["cells"]
    assert cell["outputs"] == [] and waits in cell["source"]
    (cell,) = (await api.get(f"/jobs/{job}/notebook", outputs=MOST))["cells"]
    assert cell["outputs"][0]["text"] == LINE + "\n"
    go.touch()
    await api.ended(job)
