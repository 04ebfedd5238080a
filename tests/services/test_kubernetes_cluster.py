"""The cluster of the tests is what it says: it schedules, pulls, counts GPUs, runs and explains."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import time
from pathlib import Path

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


@pytest.mark.parametrize("name", ["kubelet", "kube-apiserver"])
def test_a_node_that_is_mended_has_its_gpus_and_keeps_them(
    kubernetes_alone: Kubernetes, name: str
) -> None:
    cluster = kubernetes_alone
    cluster.service("kill", name)
    cluster.service("mend")
    seen = set()
    deadline = time.monotonic() + 5.0
    while time.monotonic() < deadline:
        (node,) = cluster.get("nodes")["items"]
        seen.add(node["status"]["allocatable"].get("nvidia.com/gpu"))
        time.sleep(0.1)
    assert seen == {"4"}


#: Waits in a process of its own until it has the cluster alone.
WAITING = "import fcntl, kube\nwith kube.turn(fcntl.LOCK_EX): print('alone')"


def test_a_turn_within_a_turn_does_not_wait_for_who_waits_to_be_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # (locks of its own: nobody else's turn is disturbed)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    env = {**os.environ, "PYTHONPATH": str(Path(kube.__file__).parent)}
    with kube.turn(fcntl.LOCK_SH):
        command = [sys.executable, "-c", WAITING]
        other = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True)
        while not _queued(tmp_path):
            assert other.poll() is None
            time.sleep(0.05)
        with kube.turn(fcntl.LOCK_SH):
            assert other.poll() is None
        with pytest.raises(AssertionError, match="others are in"), kube.turn(fcntl.LOCK_EX):
            pass
        assert other.poll() is None
    assert other.communicate(timeout=60)[0] == "alone\n"


def _queued(cache: Path) -> bool:
    """Whether somebody has the queue's head."""
    with (cache / "jupyter-hybrid" / "kubernetes-turn.lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
