"""JupyterHub's part: a server's start against plain KubeSpawner, and the page of choices."""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import hubs
import kube
from clusters import a_cluster
from harness import ROOT, Bench
from requirements import unmet

IMAGES, NODES = 200, 500
PAGE = f"the form with {IMAGES} images and {NODES} nodes, served"
START = "a server's start, image on the node, the same pod"


def rows(bench: Bench) -> None:
    """Measure."""
    reasons = [reason for need in hubs.NEEDS if (reason := unmet(need))]
    if reasons or kube.FOREIGN:
        for name in (PAGE, START):
            bench.gap(name, reasons[0] if reasons else "not on somebody else's cluster")
        return
    with ExitStack() as stack:
        cluster = stack.enter_context(a_cluster())
        starts = stack.enter_context(Starts.of(cluster))
        bench.compare(
            START, ours=starts.ours, peer=starts.theirs, bar=1.05, note="plain KubeSpawner"
        )
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=ROOT / "build")))
        images = [f"nvcr.io/nvidia/pytorch:{number}-py3" for number in range(IMAGES)]
        hub = stack.enter_context(hubs.running(cluster, folder, images=images, nodes_seconds=0.0))
        stack.enter_context(nodes(cluster))
        bench.limit(PAGE, Page(hub).served, bar=0.3, note="asking the cluster each time")


class Starts:
    """Starts and stops servers, by our spawner and by the one that it is made from."""

    def __init__(self, loop: asyncio.AbstractEventLoop, namespace: str) -> None:
        self._loop, self._namespace, self._numbers = loop, namespace, count()

    @classmethod
    @contextmanager
    def of(cls, cluster: kube.Kubernetes) -> Iterator[Starts]:
        """With a loop of their own, and this cluster."""
        os.environ["KUBECONFIG"] = str(cluster.kubeconfig)
        loop = asyncio.new_event_loop()
        try:
            yield cls(loop, cluster.namespace)
        finally:
            # watches, and connections that are closed when their task is cancelled
            tasks = asyncio.all_tasks(loop)
            for task in tasks:
                task.cancel()
            loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
            loop.close()

    def ours(self) -> float:
        """Seconds of a start of ours."""
        return self._loop.run_until_complete(self._timed(plain=False))

    def theirs(self) -> float:
        """Seconds of KubeSpawner's, with the pod that ours would make."""
        return self._loop.run_until_complete(self._timed(plain=True))

    async def _timed(self, *, plain: bool) -> float:
        from jupyter_hybrid_spawner import NGCSpawner
        from jupyterhub.objects import Hub
        from kubespawner import KubeSpawner

        name = f"bench-{next(self._numbers)}"
        traits: dict[str, Any] = {
            "namespace": self._namespace,
            "pod_name_template": name,
            "image": kube.IMAGE,
            "cmd": ["sleep", "1000"],
            "hub": Hub(),
        }
        ours = NGCSpawner(_mock=True, **traits)
        spawner = ours
        if plain:
            pod = await ours.get_pod_manifest()
            spawner = KubeSpawner(_mock=True, modify_pod_hook=lambda *_: pod, **traits)
        start = time.perf_counter()
        await spawner.start()
        taken = time.perf_counter() - start
        await spawner.stop(now=True)
        return taken


class Page:
    """A user's look at the form."""

    def __init__(self, hub: hubs.Hub) -> None:
        self._hub, self._loop = hub, asyncio.new_event_loop()
        self._client: Any = None

    def served(self) -> float:
        """Seconds from the request to the whole page."""
        return self._loop.run_until_complete(self._served())

    async def _served(self) -> float:
        async with self._hub.browser("ada") as browser:
            start = time.perf_counter()
            page = (await browser.get("/hub/spawn/ada")).text
            taken = time.perf_counter() - start
        assert page.count("jh-image") > IMAGES, page
        return taken


@contextmanager
def nodes(cluster: kube.Kubernetes) -> Iterator[None]:
    """Nodes that are there to be looked at."""
    ready = [{"type": "Ready", "status": "True"}]
    has = {"cpu": "64", "memory": "512Gi", "nvidia.com/gpu": "8", "pods": "110"}
    listed = [
        {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {
                "name": f"bench-{number}",
                "labels": {"bench": "yes", "nvidia.com/gpu.product": f"Model-{number % 9}"},
            },
            "status": {"capacity": has, "allocatable": has, "conditions": ready},
        }
        for number in range(NODES)
    ]
    whole = json.dumps({"apiVersion": "v1", "kind": "List", "items": listed})
    try:
        cluster.kubectl("create", "-f", "-", input=whole)
        yield
    finally:
        cluster.kubectl("delete", "nodes", "-l", "bench=yes", "--wait=false")
