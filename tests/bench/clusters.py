"""What the benches on Kubernetes share: the cluster of the tests, in a namespace of theirs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

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
