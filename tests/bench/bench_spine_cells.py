"""``%%remote`` in a real kernel: how soon its text is there, what it costs, and large arrays."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from harness import ROOT, Bench
from live_kernel import Live, live_kernel

GB = 10**9

#: Twenty lines, each with the time at which it was printed, at no steady beat.
TALK = """%%remote
import time
for number in range(20):
    print("said at", time.time(), flush=True)
    time.sleep(0.05 + 0.013 * (number % 5))
"""

#: What the magic takes until the job's process exists and its handle is kept; the job may end.
OVERHEAD = """
import time, jupyter_hybrid
shell = get_ipython()
began = time.perf_counter()
shell.run_cell_magic("remote", "--detach", "x = 1")
took = time.perf_counter() - began
jupyter_hybrid.api.Job("last").wait()
"""

#: In and back: what comes back is a new array of the same size.
ARRAY = """
import time
import numpy as np
a = np.random.default_rng().random({size})
with open("/proc/self/clear_refs", "w") as file:
    file.write("5")  # the peaks start anew, see proc(5)
began = time.perf_counter()
"""
THERE_AND_BACK = 'get_ipython().run_cell_magic("remote", "", "b = -a")\n'
SAVE_AND_LOAD = """
np.save("there.npy", a)
there = np.load("there.npy")
there = -there
np.save("back.npy", there)
del there
b = np.load("back.npy")
"""
#: Memory is read before the comparison, which makes an array of its own.
TOOK = "took = time.perf_counter() - began\nmemory = {memory}\nright = bool(np.array_equal(a, -b))"

#: Neither way leaves its files for the disk to write while the other is measured.
FORGET = """
del a, b
from jupyter_hybrid import api, blocking
blocking.run(api.manager().delete("last"))
"""
REMOVE = "del a, b\nimport os\nos.unlink('there.npy')\nos.unlink('back.npy')"

#: Bytes of the kernel's memory at most, and of those now that are a file's, which can be dropped.
MEMORY = (
    "{k: int(v.split()[0]) * 1024 for k, _, v in "
    "(line.partition(':') for line in open('/proc/self/status')) "
    "if k in ('VmHWM', 'RssFile', 'RssAnon')}"
)


def rows(bench: Bench) -> None:
    """Measure."""
    with _kernel() as live:
        _live(bench, live)
        _overhead(bench, live)
    _array(bench)


@contextmanager
def _kernel() -> Iterator[Live]:
    """A kernel whose jobs are on the disk of this checkout, beside a notebook of its own."""
    (ROOT / "build").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=ROOT / "build") as name:
        work = Path(name, "work")
        work.mkdir()
        empty = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
        (work / "mine.ipynb").write_text(json.dumps(empty))
        environ = {
            "JUPYTER_HYBRID_DIR": str(Path(name, "hybrid")),
            "JUPYTER_CONFIG_DIR": str(Path(name, "config")),
            "JPY_SESSION_NAME": str(work / "mine.ipynb"),
        }
        with live_kernel(work, **environ) as live:
            yield live


def _live(bench: Bench, live: Live) -> None:
    delays: list[float] = []
    for _ in range(3):
        result = live.run(TALK)
        for (kind, content), arrived in zip(result.messages, result.times, strict=True):
            if kind == "stream":
                said = re.findall(r"said at (\S+)", content["text"])
                delays += [arrived - float(when) for when in said]
    if len(delays) != 60:
        raise RuntimeError(f"{len(delays)} lines of 60 came back")
    bench.figures("from a remote print to its display", delays, bar=0.1)


def _overhead(bench: Bench, live: Live) -> None:
    def took() -> float:
        live.run(OVERHEAD)
        return float(live.value("took"))

    with _kernel() as fresh:
        fresh.run(OVERHEAD)
        first = float(fresh.value("took"))
    note = f"the first one of a kernel, with its imports: {first * 1000:.0f} ms"
    bench.limit("%%remote x = 1, before the job runs", took, bar=0.06, note=note)


def _array(bench: Bench) -> None:
    peaks: list[float] = []
    filed: list[float] = []
    with _kernel() as live, _kernel() as other:

        def measure(kernel: Live, way: str) -> float:
            kernel.run(ARRAY.format(size=GB // 8) + way + TOOK.format(memory=MEMORY))
            if not kernel.value("right"):
                raise RuntimeError("the array that came back is another")
            return float(kernel.value("took"))

        def ours() -> float:
            took = measure(live, THERE_AND_BACK)
            memory = live.value("memory")
            peaks.append((memory["VmHWM"] - GB) / GB)
            filed.append(memory["RssFile"] / GB)
            live.run(FORGET)
            return took

        def saved() -> float:
            took = measure(other, SAVE_AND_LOAD)
            other.run(REMOVE)
            return took

        bench.compare("1 GB array in and back", ours=ours, peer=saved, bar=1.5)
    note = f"{median(filed):.2f} GB of it are pages of the result's file"
    name = "1 GB array: kernel's peak above the array"
    bench.figures(name, peaks[1:], bar=1.2, unit="GB", note=note)
