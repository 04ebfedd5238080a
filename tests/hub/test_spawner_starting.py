"""What is said while a server starts, and when it is given up: by recorded words of clusters."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from jupyter_hybrid_spawner import starting, watched
from jupyter_hybrid_spawner.failures import NotOffered, StartFailed, StartTimeout
from jupyter_hybrid_spawner.watched import Watched
from spawners import Make

IMAGE = "nvcr.io/nvidia/pytorch:25.06-py3"


def pod(**status: Any) -> dict[str, Any]:
    return {"metadata": {"uid": "1"}, "spec": {"nodeName": "dgx"}, "status": status}


def container(name: str = "notebook", **fields: Any) -> dict[str, Any]:
    return {"name": name, "image": IMAGE, "state": {}, **fields}


def waits(reason: str, message: str = "") -> dict[str, Any]:
    state = {"waiting": {"reason": reason, "message": message}}
    return pod(phase="Pending", containerStatuses=[container(state=state)])


def event(reason: str, message: str) -> dict[str, Any]:
    return {"reason": reason, "message": message, "type": "Normal", "lastTimestamp": "now"}


PULLING = event("Pulling", f'Pulling image "{IMAGE}"')
CRASHED = {"terminated": {"exitCode": 2, "reason": "Error", "message": "no such option"}}
KILLED = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
MISSING = {
    "terminated": {
        "exitCode": 128,
        "message": 'exec: "jupyterhub-singleuser": executable file not found in $PATH',
    }
}


@pytest.mark.parametrize(
    ("found", "has"),
    [
        (waits("ImagePullBackOff"), False),
        (pod(phase="Pending"), False),
        (pod(initContainerStatuses=[container(state={"running": {}})]), True),
        (pod(containerStatuses=[container(state=MISSING)]), True),
        (pod(containerStatuses=[container(state={"waiting": {}}, lastState=KILLED)]), True),
    ],
    ids=["image", "new", "first", "ended", "again"],
)
def test_what_has_run(found: Any, has: bool) -> None:
    assert starting.has_run(found) is has


@pytest.mark.parametrize(
    ("found", "said", "hopeless"),
    [
        (None, "the cluster makes its pod", ""),
        (waits("ContainerCreating"), "its container is being made", ""),
        (waits("ErrImagePull", "manifest unknown"), f"there is no image {IMAGE}", "image"),
        (waits("ImagePullBackOff", "pull access denied"), "image_pull_secrets", "image"),
        (waits("ErrImagePull", "i/o timeout"), "tries again", ""),
        (waits("CreateContainerConfigError", 'secret "x" not found'), "configured", "refused"),
        (
            pod(phase="Failed", message="Pod was evicted"),
            "its pod ended: Pod was evicted",
            "refused",
        ),
        (
            pod(phase="Running", containerStatuses=[container(state={"running": {}})]),
            "the server starts",
            "",
        ),
        (
            pod(
                phase="Pending",
                initContainerStatuses=[container("jh-server", state={"running": 1})],
            ),
            "the hub's server is laid beside the image",
            "",
        ),
        (
            pod(containerStatuses=[container(restartCount=2, lastState=CRASHED)]),
            "the server ends with status 2 as soon as it is started: no such option",
            "refused",
        ),
        (pod(containerStatuses=[container(restartCount=1, lastState=CRASHED)]), "prepares", ""),
        (
            pod(containerStatuses=[container(restartCount=3, lastState=KILLED)]),
            "the server needed more memory than it may have; choose a larger size",
            "refused",
        ),
        (
            pod(containerStatuses=[container(restartCount=2, lastState=MISSING)]),
            f"{IMAGE} has no jupyterhub-singleuser; choose another image",
            "refused",
        ),
    ],
)
def test_outlook(found: Any, said: str, hopeless: str) -> None:
    outlook = starting.outlook(found, [])
    assert said in outlook.words and outlook.hopeless == hopeless


@pytest.mark.parametrize(
    ("reason", "message", "said"),
    [
        ("Scheduled", "Successfully assigned jupyter/jupyter-ada to dgx-1", "place on dgx-1"),
        (
            "FailedScheduling",
            "0/3 nodes are available: 3 Insufficient nvidia.com/gpu.",
            "Waits for a node (of 3): 3 have not enough free nvidia.com/gpu.",
        ),
        ("Pulling", f'Pulling image "{IMAGE}"', f"The node pulls {IMAGE}; the first time"),
        (
            "Pulled",
            f'Successfully pulled image "{IMAGE}" in 3m12.4s (3m12.4s including waiting)',
            f"{IMAGE} was pulled in 3m12.4s.",
        ),
        ("Pulled", f'Container image "{IMAGE}" already present on machine', "is on the node"),
        ("Started", "Started container notebook", "The container has started."),
        ("TriggeredScaleUp", "pod triggered scale-up", "A new node is being started for it."),
    ],
)
def test_events_in_words(reason: str, message: str, said: str) -> None:
    raw = event(reason, message)
    shown = starting.in_words(
        {"progress": 30, "message": f"now [Normal] {message}", "raw_event": raw}
    )
    assert said in shown["html_message"]
    # what kubespawner says is still there, for whoever reads that
    assert shown["message"].endswith(message)


def test_what_a_cluster_says_is_no_html() -> None:
    raw = event("Scheduled", "assigned to <script>")
    shown = starting.in_words({"message": "<script>", "raw_event": raw})
    assert "<script>" not in shown["html_message"]


def test_refusals_in_words() -> None:
    quota = (
        'pods "jupyter-ada" is forbidden: exceeded quota: gpus, requested: '
        "requests.nvidia.com/gpu=1, used: requests.nvidia.com/gpu=4, limited: "
        "requests.nvidia.com/gpu=4"
    )
    said = starting.refused(json.dumps({"message": quota}))
    assert "there is no room left in the namespace's quota 'gpus'" in said
    violates = 'pods "x" is forbidden: violates PodSecurity "restricted:latest"'
    assert "does not admit the server's pod: violates Pod" in starting.refused(violates)


def test_a_namespace_that_was_only_just_made() -> None:
    said = (
        'pods \\"jupyter-ada\\" is forbidden: error looking up service account lab-ada/default: '
        'serviceaccount \\"default\\" not found'
    )
    assert starting.too_early(json.dumps({"message": said}))
    assert not starting.too_early(said.replace("/default:", "/hybrid-jobs:"))


async def started(make: Make, monkeypatch: pytest.MonkeyPatch, **known: Any) -> Any:
    """A start that knows this of its pod, and of which kubespawner would wait for ever."""
    spawner = make(**{"start_timeout": 1, **known.pop("traits", {})})
    monkeypatch.setattr(Watched, "_pod", lambda self: known.get("pod"))
    monkeypatch.setattr(Watched, "events", property(lambda self: known.get("events", [])))

    async def forever(self: Any) -> None:
        await self.load_user_options()
        await asyncio.Event().wait()

    monkeypatch.setattr("kubespawner.KubeSpawner._start", forever)
    return spawner


async def test_a_start_that_cannot_come_is_ended_at_once(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = waits("ErrImagePull", "manifest unknown")
    spawner = await started(make, monkeypatch, pod=broken)
    with pytest.raises(StartFailed, match="there is no image") as raised:
        await asyncio.wait_for(spawner.start(), 30)
    assert raised.value.jupyterhub_message == str(raised.value)
    assert spawner.start_timeout == 1


async def test_a_pull_does_not_count_as_waiting(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = [PULLING]
    known = {"pod": waits("ContainerCreating"), "events": events}
    spawner = await started(make, monkeypatch, **known)
    start = spawner.start()
    # what the hub looks at has the pull in it
    assert spawner.start_timeout == 1 + spawner.image_pull_timeout
    await asyncio.wait({start}, timeout=2.5)
    assert not start.done() and "the node pulls" in spawner._words()
    events.append(event("Pulled", "Successfully pulled"))
    with pytest.raises(StartTimeout, match="did not start within 1 seconds"):
        await asyncio.wait_for(start, 30)


async def test_a_profile_may_have_a_time_out_of_its_own(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = {"display_name": "Quick", "kubespawner_override": {"start_timeout": 1}}
    traits = {"start_timeout": 300, "profile_list": [quick]}
    spawner = await started(make, monkeypatch, traits=traits)
    for _ in range(2):
        with pytest.raises(StartTimeout, match="did not start within 1 seconds"):
            await asyncio.wait_for(spawner.start(), 30)
    # (what the hub does with a start that failed)
    spawner.clear_state()
    assert spawner.start_timeout == 300


async def test_whoever_tells_of_pods_and_has_fallen_silent_is_replaced(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    spawner = await started(make, monkeypatch)
    asked: list[bool] = []

    async def watching(replace: bool = False) -> None:
        asked.append(replace)

    monkeypatch.setattr(spawner, "_start_watching_pods", watching)
    start = spawner.start()
    await asyncio.sleep(0)
    # the pod is made, and nothing is heard of it
    spawner._made = True
    with pytest.raises(TimeoutError, match="did not start within") as raised:
        await asyncio.wait_for(start, 30)
    assert asked == [True]
    # (this one the hub is to count among its own failures)
    assert not isinstance(raised.value, StartFailed)


@pytest.mark.parametrize("kind", [StartFailed, StartTimeout, NotOffered])
def test_the_hub_does_not_count_what_is_not_its_own_failure(kind: type[StartFailed]) -> None:
    spawner = pytest.importorskip("jupyterhub.spawner")
    if not hasattr(spawner, "SpawnException"):
        pytest.skip("JupyterHub before 6 counts all")
    error = kind("no image 100% like that")
    assert isinstance(error, spawner.SpawnException)
    # what it logs, serves and shows
    said = {str(error), error.message, error.jupyterhub_message, error.get_message()}
    assert said == {"no image 100% like that"}
    assert 400 <= error.status_code < 600 and error.reason == kind.kind


async def test_a_pod_that_goes_away_while_it_starts_is_not_waited_for(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    spawner = await started(make, monkeypatch, traits={"start_timeout": 300})
    pods = [pod(phase="Pending")]
    monkeypatch.setattr(watched, "MISSING", 0.3)
    monkeypatch.setattr(Watched, "_pod", lambda self: pods[0] if pods else None)
    start = spawner.start()
    await asyncio.sleep(0.5)
    pods.clear()
    with pytest.raises(StartFailed, match="its pod was deleted from outside"):
        await asyncio.wait_for(start, 30)


async def test_who_asks_whether_the_pod_runs_does_not_end_its_start(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kubespawner makes services, secrets and what a hook makes after the pod, and asks then."""
    ready = container(state={"running": {}}, ready=True)
    runs = pod(phase="Running", podIP="10.0.0.1", containerStatuses=[ready])
    runs["spec"]["containers"] = [{"ports": [{"name": "notebook-port", "containerPort": 8888}]}]
    spawner = await started(make, monkeypatch, pod=runs, traits={"start_timeout": 300})
    asks = asyncio.Event()

    async def theirs(self: Any) -> None:
        await asks.wait()
        self.is_pod_running(runs)
        await asyncio.Event().wait()

    monkeypatch.setattr("kubespawner.KubeSpawner._start", theirs)
    start = spawner.start()
    await asyncio.sleep(0.1)
    # as the hub's poll does
    assert spawner.is_pod_running(runs)
    await asyncio.wait({start}, timeout=0.5)
    assert not start.done()
    asks.set()
    assert await asyncio.wait_for(start, 30) == "http://10.0.0.1:8888"


async def test_events_of_all_pods_are_not_read_at_every_look(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[None] = []
    spawner = await started(make, monkeypatch, pod=waits("ContainerCreating"))
    monkeypatch.setattr(Watched, "events", property(lambda self: read.append(None) or []))
    with pytest.raises(StartTimeout):
        await asyncio.wait_for(spawner.start(), 30)
    assert 1 <= len(read) <= 3
