"""The small parts: ranges, pieces of text, things done once, and a job in other words."""

from __future__ import annotations

import asyncio
import json
import math
import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_hybrid.cli.parser import parse
from jupyter_hybrid.cli.requests import read_parameters, resources_of
from jupyter_hybrid.commands import commands
from jupyter_hybrid.errors import UsageError
from jupyter_hybrid.job import Job
from jupyter_hybrid.server.base import to_text
from jupyter_hybrid.server.once import Once
from jupyter_hybrid.server.ranges import parse_range
from jupyter_hybrid.server.reading import decoded
from jupyter_hybrid.spec import JobSpec, Resources


@pytest.mark.parametrize(
    ("header", "part"),
    [
        (None, None),
        ("", None),
        ("bytes=-", None),
        ("lines=1-2", None),
        ("bytes=0-1,3-4", None),
        ("bytes=5-3", None),
        ("bytes=0-0", (0, 1)),
        ("bytes=2-", (2, 10)),
        ("bytes=-3", (7, 10)),
        ("bytes=-30", (0, 10)),
        ("bytes=9-100", (9, 10)),
        ("bytes=10-", (10, 10)),
        ("bytes=-0", (10, 10)),
    ],
)
def test_ranges(header: str | None, part: tuple[int, int] | None) -> None:
    assert parse_range(header, 10) == part


def test_a_character_is_never_cut() -> None:
    data = "日本\n".encode()
    for cut in range(len(data) + 1):
        text, used = decoded(data[:cut], whole=False)
        rest, more = decoded(data[used:], whole=True)
        assert (text + rest, used + more) == ("日本\n", len(data))
    assert decoded(b"a\xe6", whole=True) == ("a\ufffd", 2)


def test_browsers_can_read_what_is_answered() -> None:
    value = {"a": [math.nan, math.inf, 1.5], "b": "\udcff"}
    assert json.loads(to_text(value)) == {"a": [None, None, 1.5], "b": "\udcff"}


async def test_what_failed_may_be_tried_again_and_what_runs_is_not_begun_twice() -> None:
    once: Once[int] = Once()
    calls: list[int] = []

    async def fail() -> int:
        raise UsageError("no")

    async def count() -> int:
        calls.append(1)
        await asyncio.sleep(0.01)
        return len(calls)

    with pytest.raises(UsageError):
        await once.do("a", fail)
    impatient = asyncio.create_task(once.do("a", count))
    await asyncio.sleep(0)
    impatient.cancel()
    # whoever asked first has gone; what was begun goes on
    assert await asyncio.gather(once.do("a", count), once.do("a", count)) == [1, 1]
    assert await once.do(None, count) == 2
    # (what has ended is known by what it made, which may have changed)
    assert await once.do("a", count) == 3


SPEC = JobSpec(
    name="it's mine",
    target="dgx",
    kind="notebook",
    notebook_path="/home/a b/train é.ipynb",
    parameters={
        "text": "2", "word": "a b", "number": 2, "rate": 0.5, "flag": True, "none": None,
        "list": [1, "é"], "map": {"a": 1}, "empty": "", "quoted": "it's \"so\"", "brace": "[x",
    },
    resources=Resources(gpus=2, gpu_type="v100", mem=1 << 30, time=90.0),
    image="registry/image:1",
    env={"A": "b c"},
)  # fmt: skip


def test_a_job_in_other_words_asks_for_the_same() -> None:
    job = Job(id="0" * 26, spec=SPEC, directory="/j", created_at=1.0)
    words = commands(job)
    assert words["cli"] is not None and words["python"] is not None
    options = parse(shlex.split(words["cli"])[2:])
    assert read_parameters(options) == SPEC.parameters
    assert resources_of(options) == SPEC.resources
    assert (options.notebooks, options.name) == ([SPEC.notebook_path], SPEC.name)
    assert (options.target, options.image, options.env) == ("dgx", SPEC.image, [("A", "b c")])
    # the magics have no --env
    assert words["magic"] is None
    asked = submitted_by(words["python"])
    assert asked.pop("notebook") == SPEC.notebook_path
    assert asked == {
        "target": "dgx", "parameters": SPEC.parameters, "resources": SPEC.resources,
        "name": SPEC.name, "image": SPEC.image, "env": SPEC.env,
    }  # fmt: skip


@pytest.mark.parametrize("seconds", [1_209_600.0, 1e7 + 0.5, 0.00002, 90.25])
def test_a_wall_time_is_copied_as_it_is(seconds: float) -> None:
    spec = replace(SPEC, resources=Resources(time=seconds))
    words = commands(Job(id="0" * 26, spec=spec, directory="/j", created_at=1.0))
    assert words["cli"] is not None
    assert resources_of(parse(shlex.split(words["cli"])[2:])) == spec.resources


def submitted_by(code: str) -> dict[str, object]:
    """What the code would submit."""
    import jupyter_hybrid

    asked: dict[str, object] = {}
    original = jupyter_hybrid.__dict__.get("submit")
    jupyter_hybrid.submit = lambda notebook, **options: asked.update(  # type: ignore[assignment]
        notebook=notebook, **options
    )
    try:
        exec(code, {})
    finally:
        del jupyter_hybrid.submit
        if original is not None:
            jupyter_hybrid.submit = original
    return asked


def test_a_plain_job_is_a_plain_command() -> None:
    spec = JobSpec(
        name="a", target="local", kind="notebook", notebook_path=str(Path("/n/a.ipynb")),
        parameters={"x": "2"},
    )  # fmt: skip
    job = Job(id="0" * 26, spec=spec, directory="/j", created_at=1.0)
    assert commands(job)["cli"] == "jupyter hybrid run /n/a.ipynb --target local -r x 2"
    assert commands(job)["magic"] == "%remote run /n/a.ipynb --target local -p 'x=\"2\"'"
    cell = JobSpec(name="a", target="dgx", kind="cell", resources=Resources(gpus=1))
    job = Job(id="0" * 26, spec=cell, directory="/j", created_at=1.0)
    assert commands(job) == {"cli": None, "magic": "%%remote dgx --gpus 1", "python": None}


@pytest.mark.parametrize(
    ("typed", "magic"),
    [
        ("# %%remote\nprint(1)\n", "%%remote dgx --gpus 1\nprint(1)"),
        # what a rerun changed is as it was changed; what travels is as it was typed
        (
            "# %%remote local --gpus 4 -i x,y --time=2h --files 'a b.csv' *.txt --replay -o z\n\nx",
            "%%remote dgx --gpus 1 -i x,y -o z --files 'a b.csv' '*.txt' --replay\n\nx",
        ),
        ("# %%remote --name n --image i --detach\nx", "%%remote dgx --gpus 1 --name n --detach\nx"),
        # nobody can have typed it so
        ("# %%remote --name it's\nx", "%%remote dgx --gpus 1\nx"),
        ("# %%remote local -i\nx", "%%remote dgx --gpus 1\nx"),
        # its line was not kept
        ("%%time\nx = 1", "%%remote dgx --gpus 1\n%%time\nx = 1"),
    ],
)
def test_a_cell_is_copied_whole(typed: str, magic: str) -> None:
    spec = JobSpec(
        name="a", target="dgx", kind="cell", resources=Resources(gpus=1), shown_cells=("c",)
    )
    job = Job(id="0" * 26, spec=spec, directory="/j", created_at=1.0)
    cells = [{"id": "inputs", "source": "x"}, {"id": "c", "source": typed}]
    assert commands(job, {"cells": cells})["magic"] == magic
