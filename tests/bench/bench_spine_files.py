"""A second submit beside many unchanged files: how long it takes, and what is copied."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path
from statistics import median
from typing import Any

from commands import Home
from harness import Bench
from spine import a_home, hybrid, python_notebook

FILES, SIZE = 10_000, 200_000


def rows(bench: Bench) -> None:
    """Measure."""
    with a_home() as home:
        home.write("many.ipynb", python_notebook("import os\nprint(len(os.listdir('data')))"))
        _make_files(home.work / "data")
        # the first submit reads and keeps all of it
        _end(home, _submit(home))
        _second_submit(bench, home)


def _second_submit(bench: Bench, home: Home) -> None:
    at_submit: list[float] = []
    at_job: list[float] = []
    until_cell: list[float] = []

    def second() -> float:
        before = _inodes(home.data / "blobs")
        began, wall = time.perf_counter(), time.time()
        job = _submit(home)
        took = time.perf_counter() - began
        _end(home, job)
        after = _inodes(home.data / "blobs")
        at_submit.append(_bytes_beyond(before, after))
        work = Path(job["directory"], "work", "data")
        at_job.append(_bytes_beyond(after, _inodes(work)))
        until_cell.append(_first_cell(job) - wall)
        shutil.rmtree(job["directory"])
        return took

    name = "second submit, 10,000 files, 2 GB"
    note = "the command line's whole process"
    bench.limit(name, second, bar=0.5, note=note)
    bench.figures(f"{name}: copied by it", at_submit[1:], bar=0.0, unit="B")
    note = f"{median(until_cell[1:]):.2f} s from the command to the first cell"
    megabytes = [size / 1e6 for size in at_job[1:]]
    bench.figures(f"{name}: copied by its job", megabytes, unit="MB", note=note)


def _make_files(folder: Path) -> None:
    folder.mkdir()
    content = os.urandom(SIZE)
    for number in range(FILES):
        (folder / f"{number:05}.bin").write_bytes(number.to_bytes(8, "big") + content[8:])
    # a file whose times are of this moment might be written again within their resolution
    time.sleep(2.1)


def _submit(home: Home) -> dict[str, Any]:
    words = ("run", "many.ipynb", "--files", "data", "--detach", "--json")
    job: dict[str, Any] = json.loads(hybrid(home, *words))
    return job


def _end(home: Home, job: dict[str, Any]) -> None:
    ended = json.loads(hybrid(home, "attach", job["id"], "--json"))
    if ended["state"] != "COMPLETED":
        raise RuntimeError(f"the job is {ended['state']}: {ended['reason']}")
    for name in home.work.glob("many.*.ipynb"):
        outputs = json.loads(name.read_bytes())["cells"][0]["outputs"]
        if f"{FILES}" not in str(outputs):
            raise RuntimeError(f"the job saw {outputs}")
        name.unlink()


def _inodes(folder: Path) -> dict[int, int]:
    """Sizes of the files below, by inode: a file under two names is one."""
    found = {}
    for where, _, names in os.walk(folder):
        for name in names:
            status = os.stat(Path(where, name))
            found[status.st_ino] = status.st_size
    return found


def _bytes_beyond(before: dict[int, int], after: dict[int, int]) -> float:
    return float(sum(size for inode, size in after.items() if inode not in before))


def _first_cell(job: dict[str, Any]) -> float:
    lines = Path(job["directory"], "events.jsonl").read_text().splitlines()
    times = (event["time"] for event in map(json.loads, lines) if event["kind"] == "cell")
    return float(next(times))
