"""Results on their way back: large ones, and those that lie on a volume which both sides have."""

from __future__ import annotations

import asyncio
import os
import subprocess
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import kube
import pytest
from commands import Home, command, notebook
from kube import Kubernetes
from kube_jobs import Place, configure, ticking

from jupyter_hybrid.executors.kubernetes import results
from jupyter_hybrid.executors.kubernetes.collecting import collect
from jupyter_hybrid.spec import Cause

pytestmark = [pytest.mark.needs(*kube.NEEDS), pytest.mark.timeout(300)]

#: Bytes of results, and those by which the program that brings them may be larger than without.
LARGE, MORE = 160 << 20, 64 << 20


def test_large_results_are_never_in_memory(kubernetes: Kubernetes, tmp_path: Path) -> None:
    home = Home(tmp_path)
    configure(tmp_path / "config", kubernetes)
    used = []
    for size in (1, LARGE):
        source = f"f = open('large', 'wb')\nf.seek({size} - 1)\nf.write(b'x')\nf.close()"
        home.write("n.ipynb", notebook(source))
        words = command("run", "n.ipynb")
        with subprocess.Popen(words, cwd=home.work, env=home.environ) as process:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        assert (home.work / "large").stat().st_size == size
        (home.work / "large").unlink()
        used.append(usage.ru_maxrss * 1024)
    assert used[1] - used[0] < MORE, used
    for job in home.json("jobs", "--all"):
        home.hybrid("delete", job["id"])


async def test_of_several_that_look_one_brings_the_results(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each would give the files their places anew, under the hands of whoever reads them."""
    brought: list[str] = []

    async def counted(api: Any, pod: str, *more: Any) -> None:
        brought.append(pod)
        await collect(api, pod, *more)

    monkeypatch.setattr(results, "collect", counted)
    job = await place.start("open('b.txt', 'w').write('x')")
    others = [place.executor, place.another(), place.another()]
    ended: set[int] = set()
    while len(ended) < len(others):
        for number, said in enumerate(await asyncio.gather(*(o.poll([job]) for o in others))):
            if job.id in said and said[job.id].exit is not None:
                ended.add(number)
        await asyncio.sleep(0.01)
    # (those that were late find it here)
    await asyncio.sleep(1.0)
    assert len(brought) == 1
    assert Path(job.directory, "work", "b.txt").read_text() == "x"


async def test_results_for_which_there_is_no_room_come_once_there_is(place: Place) -> None:
    job = await place.start("open('b.txt', 'w').write('x')")
    # where they arrive is no directory: as little can be written there as on a full disk
    way = Path(job.directory, f".arriving.{os.getpid()}")
    way.touch()
    status = await place.says(job, "make room there, and fetch them again")
    assert status.reason.startswith("its results are on the way, once again: ")
    way.unlink()
    assert (await place.ended(job)).state == "COMPLETED"
    assert Path(job.directory, "work", "b.txt").read_text() == "x"


@pytest.fixture
async def shared(kubernetes: Kubernetes) -> AsyncIterator[Place]:
    """A target whose root is on a volume that pods have at another path."""
    if kubernetes.shared is None:
        pytest.skip("no directory here is the cluster's as well")
    with tempfile.TemporaryDirectory(dir=kubernetes.shared) as root:
        volume = {"mount": "/lab", "host_path": str(kubernetes.shared)}
        options = {"delivery": "volume", "allow_host_path": True}
        here = {**volume, "here": str(kubernetes.shared)}
        place = Place(kubernetes, Path(root), {**options, "root_volume": here})
        yield place
        await place.clean()


async def test_files_by_a_volume(shared: Place) -> None:
    source = "print(open('a.txt').read())\nopen('b.txt', 'w').write('back')"
    job = await shared.start(source, files={"a.txt": b"on the volume"})
    record = await shared.ended(job)
    assert record.state == "COMPLETED", record
    assert shared.printed(job) == "on the volume\n"
    assert Path(job.directory, "work", "b.txt").read_text() == "back"
    # nothing of it went through the cluster's database
    assert "secret" not in str(shared.pod(job)["spec"]["volumes"])


async def test_a_job_on_a_volume_is_cancelled_and_one_fails(shared: Place) -> None:
    job, failing = await shared.start(ticking(600)), await shared.start("1 / 0")
    await shared.prints(job, "tick 2")
    await shared.executor.cancel(job)
    record = await shared.ended(job)
    assert (record.state, record.cause) == ("CANCELLED", Cause.CANCELLED), record
    assert "tick 2" in shared.result(job)
    assert (await shared.ended(failing)).ename == "ZeroDivisionError"
