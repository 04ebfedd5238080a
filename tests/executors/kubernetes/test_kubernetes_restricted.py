"""Namespaces that enforce Pod Security, and images and sites whose jobs are not root's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import kube
import kube_admission
import pytest
from jobs import until
from kube_jobs import Place

from jupyter_hybrid.spec import Cause

pytestmark = [
    pytest.mark.needs(*kube.NEEDS),
    pytest.mark.timeout(300),
    pytest.mark.skipif(bool(kube.FOREIGN), reason="asks a server of the lab"),
]

USER = {"runAsUser": 1234, "runAsGroup": 1234}


@contextmanager
def enforced(place: Place, directory: Path, standard: str) -> Iterator[None]:
    """The namespace takes what that standard allows."""
    name = place.cluster.namespace
    with kube_admission.asked(place.cluster, directory, standard):
        place.cluster.kubectl("label", "namespace", name, f"policy={name}", "--overwrite")
        try:
            yield
        finally:
            place.cluster.kubectl("label", "namespace", name, "policy-")


def refused(place: Place, **spec: Any) -> bool:
    """Whether the namespace refuses such a pod."""
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "attempt"}, "spec": spec}
    words = ("apply", "--dry-run=server", "-f", "-")
    return not place.cluster.kubectl(*words, input=json.dumps(pod), check=False)


async def test_a_job_that_is_not_roots_gets_its_things(place: Place) -> None:
    place.executor = place.another(security_context=USER)
    job = await place.start("import os; print(os.getuid(), open('in.txt').read())",
                            files={"in.txt": b"read"})  # fmt: skip
    assert (await place.ended(job)).state == "COMPLETED"
    assert place.printed(job) == "1234 read\n"


async def test_a_namespace_that_enforces_the_restricted_standard(
    place: Place, tmp_path: Path
) -> None:
    with enforced(place, tmp_path, "restricted"):
        await until(lambda: refused(place, containers=[{"name": "c", "image": "none"}]))
        record = await place.ended(await place.start("1"))
        assert record.cause == Cause.REFUSED and "runAsNonRoot" in record.message
        place.executor = place.another(restricted=True, security_context=USER)
        job = await place.start("print('restricted')")
        assert (await place.ended(job)).state == "COMPLETED"
    assert place.printed(job) == "restricted\n"
