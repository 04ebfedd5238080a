"""A cluster that breaks while jobs run: nothing is lost, doubled or left behind."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

import kube
import pytest
from jobs import until
from kube_jobs import Place, ticking, ticks

from jupyter_hybrid.spec import Cause

pytestmark = [pytest.mark.needs(*kube.NEEDS), pytest.mark.timeout(300)]


async def _is_none(looking: Awaitable[Any]) -> bool:
    return await looking is None


async def test_the_api_server_is_killed_while_jobs_run(place_alone: Place) -> None:
    place = place_alone
    job = await place.start(ticking(40), "open('out.txt', 'w').write('x')")
    short = await place.start("print('short')")
    await place.prints(job, "tick 5")
    place.cluster.service("kill", "kube-apiserver")
    # whoever looks is told; what is known stays
    await until(lambda: _is_none(place.look(job)))
    assert "the API server of cloud does not answer" in place.complaints[-1]
    assert "tick 5" in place.printed(job)
    await asyncio.to_thread(place.cluster.service, "mend")
    for each, said in ((job, ticks(40)), (short, "short\n")):
        assert (await place.ended(each)).state == "COMPLETED"
        assert place.printed(each) == said
    assert "tick 39" in place.result(job)


async def test_the_api_server_is_killed_while_a_job_is_submitted(place_alone: Place) -> None:
    place = place_alone
    await place.executor.poll([await place.start("print(1)")])  # (a connection, and a watch)
    place.cluster.service("kill", "kube-apiserver")
    submitting = asyncio.create_task(place.start("print('once')"))
    await asyncio.sleep(1.0)
    await asyncio.to_thread(place.cluster.service, "mend")
    job = await submitting
    assert (await place.ended(job)).state == "COMPLETED"
    assert place.printed(job) == "once\n"
    assert (await place.ended(next(iter(place.jobs.values())))).state == "COMPLETED"


async def test_kubelet_and_containerd_are_restarted(place_alone: Place) -> None:
    place = place_alone
    job = await place.start(ticking(50), "open('out.txt', 'w').write('x')")
    await place.prints(job, "tick 3")
    for name in ("kubelet", "containerd"):
        place.cluster.service("kill", name)
    # (who is asked to end while nobody can be told is told later)
    await place.look(job)
    await asyncio.to_thread(place.cluster.service, "mend")
    assert (await place.ended(job)).state == "COMPLETED"
    assert place.printed(job) == ticks(50)
    assert "tick 49" in place.result(job)


async def test_a_node_of_which_nothing_is_heard(place_alone: Place) -> None:
    place = place_alone
    job = await place.start(ticking(10, 0.5))
    await place.prints(job, "tick 1")
    place.cluster.service("kill", "kubelet")
    status = await place.says(job, "nothing is heard of its node")
    assert status.state == "RUNNING" and "gpu-node-1" in status.reason
    await asyncio.to_thread(place.cluster.service, "mend")
    assert (await place.ended(job)).state == "COMPLETED"
    assert place.printed(job) == ticks(10)


async def test_a_pod_of_higher_priority_takes_the_gpus(place_alone: Place) -> None:
    place, cluster = place_alone, place_alone.cluster
    name = f"high-{cluster.namespace}"
    container = {"name": "c", "image": kube.IMAGE, "command": ["sleep", "600"]}
    spec = {"priorityClassName": name, "terminationGracePeriodSeconds": 0}
    spec |= {"containers": [{**container, "resources": {"limits": {"nvidia.com/gpu": "4"}}}]}
    job = await place.start(ticking(600), gpus=1)
    await place.prints(job, "tick 3")
    kind = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "value": 1000}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "high"}, "spec": spec}
    cluster.apply({**kind, "metadata": {"name": name}}, pod)
    try:
        record = await place.ended(job)
        cluster.kubectl("wait", "--for=condition=Ready", "pod/high", "--timeout=60s")
    finally:
        cluster.kubectl("delete", "pod", "high", "--force", "--grace-period=0")
        cluster.kubectl("delete", "priorityclass", name)
    assert (record.state, record.cause) == ("FAILED", Cause.PREEMPTED), record
    assert "made room for one of higher priority" in record.message
    assert f"{cluster.namespace}/high" in record.message
    # it had the time to save
    assert "tick 3" in place.result(job)
