"""The cluster of the tests is what it says: it schedules, pulls, counts GPUs, runs and explains."""

from __future__ import annotations

import json
import time

import kube
import pytest
from kube import Kubernetes

pytestmark = [pytest.mark.needs(*kube.NEEDS), pytest.mark.timeout(600)]


def a_pod(name: str, *command: str, limits: dict[str, str]) -> dict[str, object]:
    """A pod of the base image, marked as one of ours so that the fixture sees what is left."""
    container = {
        "name": "main",
        "image": kube.IMAGE,
        "command": list(command),
        "resources": {"limits": limits},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"jupyter-hybrid/job": name}},
        "spec": {"restartPolicy": "Never", "containers": [container]},
    }


def phase(cluster: Kubernetes, name: str, *phases: str) -> dict[str, object]:
    deadline = time.monotonic() + 60.0
    while True:
        pod = cluster.get("pod", name)
        if pod["status"]["phase"] in phases:
            return dict(pod)
        assert time.monotonic() < deadline, json.dumps(pod["status"])
        time.sleep(0.1)


def test_a_pod_runs_with_a_gpu_and_an_image_by_ngcs_name(kubernetes: Kubernetes) -> None:
    script = "import papermill, sys; print('in', sys.prefix)"
    kubernetes.apply(a_pod("first", kube.PYTHON, "-c", script, limits={"nvidia.com/gpu": "1"}))
    phase(kubernetes, "first", "Succeeded")
    assert kubernetes.kubectl("logs", "first") == "in /opt/jupyter\n"
    kubernetes.kubectl("delete", "pod", "first")


def test_more_gpus_than_there_are_wait_and_too_much_memory_kills(kubernetes: Kubernetes) -> None:
    kubernetes.apply(a_pod("greedy", "sleep", "1", limits={"nvidia.com/gpu": "64"}))
    eater = "x = bytearray(1 << 30); print(len(x))"
    kubernetes.apply(a_pod("eater", kube.PYTHON, "-c", eater, limits={"memory": "100Mi"}))
    pod = phase(kubernetes, "eater", "Failed")
    (status,) = pod["status"]["containerStatuses"]  # type: ignore[index]
    assert status["state"]["terminated"]["reason"] == "OOMKilled"
    (condition,) = kubernetes.get("pod", "greedy")["status"]["conditions"]
    assert "Insufficient nvidia.com/gpu" in condition["message"]
    kubernetes.kubectl("delete", "pod", "greedy", "eater")
