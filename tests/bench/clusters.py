"""What the benches on Kubernetes share: the cluster of the tests, a namespace, a user's target."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import kube
from kube import Kubernetes
from requirements import unmet


def gap() -> str:
    """Why nothing of this can be measured here; empty where it can."""
    return "; ".join(filter(None, map(unmet, kube.NEEDS))) if not kube.FOREIGN else ""


@contextmanager
def a_cluster() -> Iterator[Kubernetes]:
    """The cluster, with a namespace of the bench's own."""
    with kube.running() as found, kube.namespace(found, f"bench-{os.getpid()}") as own:
        yield own


def configure(folder: Path, cluster: Kubernetes, **more: Any) -> None:
    """The target ``cloud``, as a user's configuration has it."""
    folder.mkdir(parents=True, exist_ok=True)
    target = {"executor": "kubernetes", **cluster.target(**more)}
    settings = {"Hybrid": {"targets": {"cloud": target}, "default_target": "cloud"}}
    (folder / "jupyter_hybrid_config.json").write_text(json.dumps(settings))
