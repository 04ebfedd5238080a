"""One watch for all jobs, which goes on whatever becomes of it, and what belongs to a Job."""

from __future__ import annotations

import asyncio
import logging

import kube
import pytest
from jobs import until
from kube_jobs import Place, streams, ticking, ticks

pytestmark = [pytest.mark.needs(*kube.NEEDS), pytest.mark.timeout(300)]


async def test_a_version_that_the_server_has_forgotten(
    place_alone: Place, caplog: pytest.LogCaptureFixture
) -> None:
    """The server says 410 Gone: pods are listed again, and nothing is missed or told twice."""
    caplog.set_level(logging.DEBUG, "jupyter_hybrid.executors.kubernetes.pods")
    place, cluster = place_alone, place_alone.cluster
    # (one that has just begun remembers nothing of what was before)
    cluster.service("kill", "kube-apiserver")
    await asyncio.to_thread(cluster.service, "mend")
    job = await place.start(ticking(100))
    await place.prints(job, "tick 2")
    pods = place.executor._session.pods
    assert pods._task is not None
    pods._task.cancel()
    await asyncio.wait([pods._task])
    # as after a night in which this machine slept
    await pods.sync()
    pods._version = "1"
    await until(lambda: any("pods are listed again" in line for line in caplog.messages))
    other = await place.start("print('other')")
    assert (await place.ended(other)).state == "COMPLETED"
    assert (await place.ended(job)).state == "COMPLETED"
    assert place.printed(job) == ticks(100) and place.printed(other) == "other\n"


async def test_all_jobs_are_followed_by_one_watch(place_alone: Place) -> None:
    place = place_alone
    before = streams(place.cluster)
    jobs = [await place.start(ticking(600)) for _ in range(3)]
    for job in jobs:
        await place.prints(job, "tick 2")

    def opened() -> bool:
        watches, logs = streams(place.cluster)
        return (watches - before[0], logs - before[1]) == (1, 3)

    await until(opened)
    for job in jobs:
        await place.executor.cancel(job)


async def test_what_a_job_has_goes_with_it(place: Place) -> None:
    """The Secret that brings a job's things belongs to its Job, however that is removed."""
    quota = {"hard": {"pods": "0"}}
    name = {"name": "none"}
    cluster = place.cluster
    cluster.apply({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": name, "spec": quota})
    try:
        job = await place.start("1", files={"a.txt": b"x"})
        (made,) = cluster.get("jobs", "-l", f"jupyter-hybrid/job={job.id}")["items"]
        (secret,) = cluster.get("secrets", "-l", f"jupyter-hybrid/job={job.id}")["items"]
        (owner,) = secret["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["uid"]) == ("Job", made["metadata"]["uid"])
        # nothing of what it brings is in the Job itself
        assert secret["data"]["bundle.tar"][:40] not in str(made)
        cluster.kubectl("delete", "job", made["metadata"]["name"])
        await until(lambda: not any(job.id in line for line in cluster.left()))
    finally:
        cluster.kubectl("delete", "resourcequota", "none")


async def test_an_ended_job_goes_by_itself(place: Place) -> None:
    place.executor = place.another(keep=1)
    job = await place.start("print('once')")
    assert (await place.ended(job)).state == "COMPLETED"
    await until(lambda: not any(job.id in line for line in place.cluster.left()))
    assert place.printed(job) == "once\n" and "once" in place.result(job)
