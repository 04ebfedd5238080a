"""Jobs under way and GPUs at work are activity of the server."""

from __future__ import annotations

from typing import Any

import pytest
from jobs import a_manager

from jupyter_hybrid.errors import StoreError
from jupyter_hybrid.executors.hardware import parse_work
from jupyter_hybrid.job import Job, State, new_job_id
from jupyter_hybrid.server.activity import NAME, TOLD, Activity, interval
from jupyter_hybrid.spec import JobSpec


def job(state: str, target: str = "local") -> Job:
    spec = JobSpec("x", target, "notebook")
    return Job(id=new_job_id(), spec=spec, directory="", created_at=0.0, state=State(state))


@pytest.mark.parametrize(
    ("jobs", "gpus", "busy"),
    [
        ([job("RUNNING")], False, True),
        ([job("PENDING"), job("FAILED")], False, True),
        ([job("COMPLETED")], False, False),
        ([], True, True),
        # nobody will hear of it again
        ([job("RUNNING", "gone")], False, False),
    ],
)
async def test_work_is_activity(jobs: list[Job], gpus: bool, busy: bool) -> None:
    manager, times = a_manager(), dict[str, Any]()
    for one in jobs:
        manager.store.add(one)
    await Activity(times, lambda: manager, lambda: gpus).look()
    assert (NAME in times) is busy


async def test_jobs_that_cannot_be_counted_are_none() -> None:
    def broken() -> Any:
        raise StoreError("the store cannot be read")

    times: dict[str, Any] = {}
    await Activity(times, broken, lambda: False).look()
    assert times == {}


def test_gpus_work_by_what_nvidia_smi_says() -> None:
    idle = "Tesla V100-SXM2-16GB, 300, 0\nTesla V100-SXM2-16GB, 0, 2\n"
    assert not parse_work(idle) and not parse_work("") and not parse_work("[N/A], [N/A], [N/A]")
    assert parse_work(idle + "Tesla V100-SXM2-16GB, 9000, 87\n")


@pytest.mark.parametrize(
    ("told", "seconds"), [("", 60.0), ("300", 60.0), ("10", 10.0), ("0", 1.0), ("?", 60.0)]
)
def test_a_hub_that_is_told_often_is_told_what_is_new(
    monkeypatch: pytest.MonkeyPatch, told: str, seconds: float
) -> None:
    monkeypatch.setenv(TOLD, told)
    assert interval() == seconds


async def test_a_server_reports_it(jp_serverapp: Any) -> None:
    app = jp_serverapp.extension_manager.extension_apps["jupyter_hybrid"]
    (extension,) = app
    times = jp_serverapp.web_app.settings["last_activity_times"]
    before = jp_serverapp.web_app.last_activity()
    manager = a_manager()
    manager.store.add(job("RUNNING"))
    await Activity(times, lambda: manager, lambda: False).look()
    assert jp_serverapp.web_app.last_activity() > before
    assert extension.service._looking
