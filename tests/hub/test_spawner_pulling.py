"""An image that is long on its way: a real pull, from a registry that gives little at once."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import kube
import pytest
from kubernetes_asyncio.config import kube_config
from kubespawner import clients
from spawners import Make

from jupyter_hybrid.containers.append import Append, append
from jupyter_hybrid.containers.endpoints import RegistrySettings
from jupyter_hybrid.containers.references import parse_reference
from jupyter_hybrid.containers.registry import RegistryClient
from jupyter_hybrid.containers.tars import Entry, write_layer

pytestmark = [pytest.mark.needs(*kube.NEEDS), pytest.mark.timeout(300)]

#: Bytes of the image that no node has, those that come in a second, and the start's time-out.
LARGE, RATE, SECONDS = 4 << 20, 280_000, 10


async def an_image(registry: str, name: str, directory: Path) -> None:
    """The base with a layer that is new."""
    layer = write_layer([Entry("opt/lab/large", os.urandom(LARGE))], directory / "large.tar")
    async with RegistryClient(RegistrySettings(insecure_registries=[registry])) as client:
        base = await client.image(parse_reference(f"{registry}/base:1"))
        wish = Append(base, [layer], parse_reference(f"{registry}/{name}"))
        await append(client, wish, directory / "notes")


async def test_a_pull_may_take_longer_than_a_start(
    make: Make, kubernetes_alone: kube.Kubernetes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster, name = kubernetes_alone, f"far:{os.getpid()}"
    monkeypatch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(cluster.kubeconfig))
    clients.load_config.cache_clear()
    await an_image(cluster.registry, name, tmp_path)
    # (the node's name for what a test serves at this port: `configure.sh`)
    image, program = f"private.lab/{name}", str(Path(kube.__file__).with_name("slow_registry.py"))
    spawner = make(
        namespace=cluster.namespace, pod_name_template="far", image=image,
        cmd=["sleep", "600"], start_timeout=SECONDS,
    )  # fmt: skip
    words = (sys.executable, program, "5001", f"http://{cluster.registry}", str(RATE))
    try:
        with cluster.serving(*words):
            start = spawner.start()
            said = [str(event["message"]) async for event in spawner.progress()]
            await start
        assert f"The node pulls {image}, for {SECONDS} seconds now." in said
        assert spawner.start_timeout == SECONDS
        await spawner.stop(now=True)
    finally:
        # (of a watch that is left in the middle, TLS would wait for the server's goodbye)
        await spawner.api.api_client.rest_client.pool_manager.connector.close(abort_ssl=True)
        await spawner._stop_all_reflectors()
        # connections are closed when their task is cancelled
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await spawner.api.api_client.close()
        cluster.kubectl("delete", "pod", "far", "--force", "--ignore-not-found")
