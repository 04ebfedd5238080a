"""The stop button while a job is handed to its place: nothing is orphaned, no stack is shown."""

from __future__ import annotations

import json
import re
import signal
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from commands import notebook
from live_kernel import PATIENCE, Live, Result, live_kernel

from jupyter_hybrid.errors import HybridError
from jupyter_hybrid.job import Job, State
from jupyter_hybrid.magics import _uninterrupted
from jupyter_hybrid.magics.watch import Detached, watch
from jupyter_hybrid.spec import JobSpec

#: A place that takes its time until it has a job.
SLOW = """
import asyncio, pathlib
from jupyter_hybrid.executors.local import LocalExecutor
hold = pathlib.Path('hold')
async def submit(self, job, bundle, of=LocalExecutor.submit):
    print('handing over', flush=True)
    while hold.exists():
        await asyncio.sleep(0.02)
    async for handle in of(self, job, bundle):
        yield handle
LocalExecutor.submit = submit
big = list(range(1000))
"""
CELL = (
    "%%remote --name slow\nimport time\nkept = len(big)\nprint('begun', flush=True)\ntime.sleep(60)"
)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("interrupts")


@pytest.fixture(scope="module")
def kernel(directory: Path) -> Iterator[Live]:
    with live_kernel(directory, JUPYTER_HYBRID_DIR=str(directory / "hybrid")) as live:
        live.run(SLOW)
        yield live


class Presser:
    """Presses the stop button whenever the next of these texts has appeared."""

    def __init__(self, kernel: Live, *texts: str, after: Path | None = None) -> None:
        self._kernel, self._texts, self._after = kernel, list(texts), after

    def __call__(self, result: Result) -> None:
        if self._texts and self._texts[0] in result.text:
            del self._texts[0]
            self._kernel.signal(signal.SIGINT)
            if not self._texts and self._after is not None:
                threading.Timer(0.3, self._after.unlink).start()


def state_of(kernel: Live, name: str, *states: str) -> str:
    """The short id of the newest job of this name, once it is in one of the states."""
    deadline = time.monotonic() + PATIENCE
    while True:
        text = kernel.run("%remote jobs").text
        found = re.search(rf"^(\w{{8}}) +(\w+) .*\b{name}\b", text, re.MULTILINE)
        if found and found[2] in states:
            return found[1]
        assert time.monotonic() < deadline, text
        time.sleep(0.1)


def test_an_interrupt_during_the_submit_waits_for_the_job_and_lets_go_of_it(
    kernel: Live, directory: Path
) -> None:
    (directory / "hold").touch()
    press = Presser(kernel, "handing over", after=directory / "hold")
    result = kernel.run(CELL, ok=False, on=press)
    assert result.reply["ename"] == "Detached", result.error
    assert "Traceback" not in result.error and "\n" not in result.error.strip()
    job = re.findall(r"%remote attach (\w{26})", result.error)[0]
    assert job.endswith(state_of(kernel, "slow", "RUNNING"))
    deadline = time.monotonic() + PATIENCE
    while "begun" not in kernel.run(f"%remote logs {job}").text:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    kernel.run(f"%remote cancel {job}")
    attached = kernel.run(f"%remote attach {job}", ok=False)
    assert kernel.value("kept") == 1000, attached.text


def test_a_second_interrupt_during_the_submit_cancels_the_job(
    kernel: Live, directory: Path
) -> None:
    (directory / "hold").touch()
    press = Presser(kernel, "handing over", "Interrupted", after=directory / "hold")
    result = kernel.run(CELL.replace("slow", "twice"), ok=False, on=press)
    assert result.reply["ename"] == "JobFailed", result.error
    assert "CANCELLED" in result.error and "Traceback" not in result.error
    state_of(kernel, "twice", "CANCELLED")


def test_a_third_one_waits_for_nothing_and_the_job_is_cancelled_all_the_same(
    kernel: Live, directory: Path
) -> None:
    (directory / "hold").touch()
    press = Presser(kernel, "handing over", "Interrupted", "Cancelling")
    result = kernel.run(CELL.replace("slow", "thrice"), ok=False, on=press)
    assert result.reply["ename"] == "Detached" and "%remote jobs" in result.error
    assert (directory / "hold").exists()
    (directory / "hold").unlink()
    state_of(kernel, "thrice", "CANCELLED")
    assert not list((directory / "hybrid" / "staging").iterdir())


def test_an_interrupt_while_modules_are_imported_is_one_sentence() -> None:
    with pytest.raises(HybridError, match="interrupted; nothing was done"), _uninterrupted("%r"):
        raise KeyboardInterrupt


def test_an_interrupt_while_the_job_is_being_cancelled_only_ends_the_waiting() -> None:
    spec = JobSpec(name="slow", target="local", kind="cell")
    job = Job(id="0" * 26, spec=spec, directory="/d", created_at=time.time(), state=State.RUNNING)

    class Manager:
        async def follow(self, job_id: str) -> AsyncIterator[Job]:
            yield job.evolve(wanted=State.CANCELLED)

    def show(item: object) -> None:
        if item is not None:
            raise KeyboardInterrupt

    with pytest.raises(Detached, match="is being cancelled"):
        watch(cast(Any, Manager()), job, show)


@pytest.mark.parametrize("line", ["run n.ipynb --name whole", "rerun last"])
def test_a_notebook_is_let_go_of_as_well(kernel: Live, directory: Path, line: str) -> None:
    (directory / "n.ipynb").write_text(json.dumps(notebook("import time\ntime.sleep(60)")))
    (directory / "hold").touch()
    press = Presser(kernel, "handing over", after=directory / "hold")
    result = kernel.run(f"%remote {line}", ok=False, on=press)
    assert result.reply["ename"] == "Detached" and "Traceback" not in result.error
    job = re.findall(r"%remote attach (\w{26})", result.error)[0]
    assert job.endswith(state_of(kernel, "whole", "RUNNING"))
    kernel.run(f"%remote cancel {job}")
    state_of(kernel, "whole", "CANCELLED")


def test_an_interrupt_before_the_submit_sends_nothing(kernel: Live) -> None:
    kernel.run(
        "import time\nclass Slow:\n    def __reduce__(self):\n"
        "        print('packing', flush=True)\n        time.sleep(30)\n        return Slow, ()\n"
        "slow = Slow()"
    )
    before = kernel.run("%remote jobs").text
    result = kernel.run("%%remote\nslow", ok=False, on=Presser(kernel, "packing"))
    assert "nothing was sent" in result.error and "Traceback" not in result.error
    assert "\n" not in result.error.strip() and "jupyter_hybrid" not in result.error
    after = kernel.run("%remote jobs").text
    assert len(after.splitlines()) == len(before.splitlines())
