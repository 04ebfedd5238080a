"""A job's image: made, pushed, pulled and started, when one cell or one file changed."""

from __future__ import annotations

import asyncio
import itertools
import os
import tempfile
import time
from pathlib import Path

from clusters import a_cluster, gap
from harness import ROOT, Bench
from kube import Kubernetes
from kube_jobs import Place

from jupyter_hybrid.containers.endpoints import RegistrySettings
from jupyter_hybrid.job import Job

NAME = "job image made, pushed, pulled and started"
#: Bytes of a file that changes with each job.
FILE = 2 << 20
NUMBERS = itertools.count()


def rows(bench: Bench) -> None:
    """Measure."""
    if gap():
        bench.gap(NAME, gap())
        return
    (ROOT / "build").mkdir(exist_ok=True)
    with a_cluster() as cluster, tempfile.TemporaryDirectory(dir=ROOT / "build") as directory:
        if not cluster.registry:
            bench.gap(NAME, "the cluster of KUBECONFIG has no registry that can be written to")
            return
        asyncio.run(_measure(bench, cluster, Path(directory)))


async def _measure(bench: Bench, cluster: Kubernetes, root: Path) -> None:
    registry = cluster.registry
    mirrors = {"nvcr.io": f"http://{registry}"}
    place = Place(cluster, root, {"push": f"{registry}/jobs"})
    place.registries = RegistrySettings(registry_mirrors=mirrors, insecure_registries=[registry])
    place.executor = place.another()
    cells, files = [], []
    for _ in range(bench.n + 1):
        cells.append(await _started(place, b"the same"))
        files.append(await _started(place, os.urandom(FILE)))
    note = "until the pod's container runs"
    bench.figures(f"{NAME}, one cell changed", cells[1:], bar=1.5, note=note)
    bench.figures(f"{NAME}, a file of 2 MB changed", files[1:], bar=1.5, note=note)
    await place.clean()


async def _started(place: Place, data: bytes) -> float:
    began = time.perf_counter()
    job = await place.start(f"print({next(NUMBERS)})", files={"data": data})
    while not await _runs(place, job):
        await asyncio.sleep(0.01)
    took = time.perf_counter() - began
    await place.ended(job)
    return took


async def _runs(place: Place, job: Job) -> bool:
    await place.executor._session.pods.sync()
    pod = place.executor._session.pod(job)
    return pod is not None and pod["status"].get("phase") != "Pending"
