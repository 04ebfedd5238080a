"""Many jobs followed by one process: what it asks of the server, and what it costs while idle."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from clusters import a_cluster, gap
from harness import ROOT, Bench
from jobs import a_job
from kube import Kubernetes
from kube_jobs import streams

from jupyter_hybrid.executors.base import TargetConfig
from jupyter_hybrid.executors.kubernetes.executor import KubernetesExecutor
from jupyter_hybrid.executors.kubernetes.names import JOB, MANAGED, job_name
from jupyter_hybrid.job import Job

JOBS = 100
#: Seconds that are looked at.
WINDOW = 20.0
NAME = f"{JOBS} running jobs followed by one process"


def rows(bench: Bench) -> None:
    """Measure."""
    if gap():
        bench.gap(NAME, gap())
        return
    (ROOT / "build").mkdir(exist_ok=True)
    with a_cluster() as cluster, tempfile.TemporaryDirectory(dir=ROOT / "build") as directory:
        asyncio.run(_measure(bench, cluster, Path(directory)))


async def _measure(bench: Bench, cluster: Kubernetes, root: Path) -> None:
    target = TargetConfig(name="cloud", executor="kubernetes", root=root, options=cluster.target())
    executor = KubernetesExecutor(target)
    # (whoever else is at work on the cluster has watches too)
    others = streams(cluster)
    jobs = [_made(root) for _ in range(JOBS)]
    cluster.apply(*(_pod(job) for job in jobs))
    deadline = time.monotonic() + 300.0
    while not all(s.state == "RUNNING" for s in (await executor.poll(jobs)).values()):
        assert time.monotonic() < deadline, "the pods did not start"
        await asyncio.sleep(1.0)
    await asyncio.sleep(5.0)  # (what begins once is over)
    used, began = time.process_time(), time.monotonic()
    while time.monotonic() - began < WINDOW:
        await executor.poll(jobs)
        await asyncio.sleep(2.0)
    share = 100.0 * (time.process_time() - used) / (time.monotonic() - began)
    bench.figures(f"{NAME}, idle", [share], bar=5.0, unit="% of a core", note="looked at every 2 s")
    watches, logs = streams(cluster)
    bench.figures(f"{NAME}: watches of pods", [watches - others[0]], bar=1.0, unit="")
    bench.figures(f"{NAME}: streams of logs", [logs - others[1]], bar=float(JOBS), unit="")


def _made(root: Path) -> Job:
    job, _ = a_job(root, "1")
    Path(job.directory).mkdir(parents=True)
    return replace(job, handle={"namespace": "", "name": job_name(job.id), "uid": "none"})


def _pod(job: Job) -> dict[str, Any]:
    """A pod that says what a job's says, and is as silent afterwards as one that computes."""
    started = json.dumps({"seq": 1, "time": 1.0, "kind": "started"})
    words = ["/bin/busybox", "sh", "-c", f"echo '{started}'; exec /bin/busybox sleep 100000"]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": job_name(job.id), "labels": {JOB: job.id, **MANAGED}},
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": False,
            "containers": [{"name": "job", "image": "nvcr.io/pause:1", "command": words}],
        },
    }
