"""What the benches on Kubernetes share: the cluster of the tests, in a namespace of theirs."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager

import kube
from kube import Kubernetes
from requirements import unmet

#: Each bench has a namespace of its own: the last one's may still be on its way out.
NUMBERS = itertools.count()


def gap() -> str:
    """Why nothing of this can be measured here; empty where it can."""
    return "; ".join(filter(None, map(unmet, kube.NEEDS))) if not kube.FOREIGN else ""


@contextmanager
def a_cluster() -> Iterator[Kubernetes]:
    """The cluster, with a namespace of the bench's own."""
    name = f"bench-{os.getpid()}-{next(NUMBERS)}"
    with kube.running() as found, kube.namespace(found, name) as own:
        yield own
