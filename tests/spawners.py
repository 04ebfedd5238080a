"""A pytest plugin: spawners without a hub, and without a cluster where none is asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from jupyter_hybrid_spawner import NGCSpawner

#: Makes a spawner of the user ``mock@name``; keywords are its traits.
Make = Callable[..., "NGCSpawner"]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """A spawner that knows of a cluster which nobody asks anything."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "nowhere",
        "clusters": [{"name": "nowhere", "cluster": {"server": "http://127.0.0.1:1"}}],
        "users": [{"name": "nobody", "user": {}}],
        "contexts": [{"name": "nowhere", "context": {"cluster": "nowhere", "user": "nobody"}}],
    }
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(config))
    # (imported here: other tests need neither a hub nor its second of imports)
    from jupyter_hybrid_spawner import NGCSpawner
    from kubernetes_asyncio.config import kube_config
    from kubespawner import clients

    # (it reads KUBECONFIG when it is imported)
    monkeypatch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(path))
    clients.load_config.cache_clear()

    def made(**traits: Any) -> NGCSpawner:
        kind = traits.pop("kind", NGCSpawner)
        spawner = kind(_mock=True, **traits)
        spawner.hub.api_url = "http://hub:8081/hub/api"
        return spawner

    yield made
    clients.load_config.cache_clear()


async def manifest(spawner: NGCSpawner) -> dict[str, Any]:
    """The pod as it is sent to a cluster."""
    pod = await spawner.get_pod_manifest()
    found: dict[str, Any] = spawner.api.api_client.sanitize_for_serialization(pod)
    return found
