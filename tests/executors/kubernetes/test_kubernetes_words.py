"""What a cluster says, in plain words. Messages were recorded from Kubernetes 1.20 and 1.29."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_hybrid.executors.kubernetes import reasons
from jupyter_hybrid.spec import Cause

IMAGE = "nvcr.io/nvidia/pytorch:24.01-py3"
PULL = (
    f'Failed to pull image "{IMAGE}": rpc error: code = Unknown desc = failed to pull and unpack '
    f'image "{IMAGE}": failed to resolve reference "{IMAGE}": '
)
NO_PYTHON = (
    "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc "
    'create failed: unable to start container process: exec: "/opt/jupyter/bin/python": stat '
    "/opt/jupyter/bin/python: no such file or directory: unknown"
)


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    state = {"waiting": {"reason": reason, "message": message}}
    container = {"name": "job", "image": IMAGE, "state": state}
    status = {"phase": "Pending", "containerStatuses": [container]}
    return {"spec": {"nodeName": "gpu-node-1"}, "status": status}


def ended(reason: str, message: str) -> dict[str, Any]:
    status = {"phase": "Failed", "reason": reason, "message": message}
    return {"spec": {"nodeName": "gpu-node-1"}, "status": status}


def terminated(**how: Any) -> dict[str, Any]:
    container = {"name": "job", "image": IMAGE, "state": {"terminated": how}}
    return {"spec": {}, "status": {"phase": "Failed", "containerStatuses": [container]}}


def event(reason: str, message: str) -> dict[str, str]:
    return {"reason": reason, "message": message}


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (
            "0/1 nodes are available: 1 Insufficient nvidia.com/gpu.",
            "waits for a node (of 1): 1 has not enough free nvidia.com/gpu",
        ),
        (
            "0/12 nodes are available: 1 node(s) had taint {node.kubernetes.io/not-ready: }, that "
            "the pod didn't tolerate, 3 node(s) were unschedulable, 8 Insufficient nvidia.com/gpu.",
            "waits for a node (of 12): 1 is not well (not-ready); 3 are closed for new jobs; "
            "8 have not enough free nvidia.com/gpu",
        ),
        (
            "0/5 nodes are available: 2 Insufficient cpu, 3 node(s) didn't match Pod's node "
            "affinity/selector. preemption: 0/5 nodes are available: 5 Preemption is not helpful "
            "for scheduling.",
            "waits for a node (of 5): 2 have not enough free cpu; "
            "3 are not of the kind that was asked for",
        ),
        (
            "0/2 nodes are available: 2 node(s) had untolerated taint {nvidia.com/gpu: present}.",
            "waits for a node (of 2): 2 are kept for nvidia.com/gpu",
        ),
        ("", "waits for a node"),
        (
            'persistentvolumeclaim "data" not found',
            'waits for a node: persistentvolumeclaim "data" not found',
        ),
    ],
)
def test_the_scheduler(message: str, words: str) -> None:
    condition = {"type": "PodScheduled", "status": "False", "message": message}
    found = reasons.outlook({"spec": {}, "status": {"conditions": [condition]}})
    assert (found.words, found.hopeless) == (words, None)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (f"{IMAGE}: not found", f"there is no image {IMAGE}; look at its name and tag"),
        (
            "pull access denied, repository does not exist or may require authorization",
            "needs a login",
        ),
        (
            "failed to authorize: failed to fetch oauth token: unexpected status: 401 Unauthorized",
            "needs a login",
        ),
        ("no match for platform in manifest: not found", "not for this node's kind of processor"),
        (
            'failed to do request: Head "https://registry/v2/": dial tcp: lookup registry: no such '
            "host",
            'Head "https://registry/v2/": dial tcp',
        ),
    ],
)
def test_an_image_that_cannot_be_pulled_ends_the_job_at_once(said: str, words: str) -> None:
    back_off = waiting("ImagePullBackOff", f'Back-off pulling image "{IMAGE}"')
    found = reasons.outlook(back_off, [event("Failed", PULL + said), event("Failed", "Error")])
    assert found.hopeless is not None
    assert (found.hopeless.state, found.hopeless.cause) == ("FAILED", Cause.IMAGE_NOT_PULLED)
    assert words in found.hopeless.message and IMAGE in found.hopeless.message


def test_a_registry_that_is_away_for_a_moment_is_asked_again() -> None:
    found = reasons.outlook(waiting("ErrImagePull", "rpc error: dial tcp: i/o timeout"))
    assert found.hopeless is None and "tries again" in found.words
    assert reasons.outlook(waiting("ErrImagePull", "manifest unknown")).hopeless is not None


@pytest.mark.parametrize("said", ["pull QPS exceeded", "429 Too Many Requests"])
@pytest.mark.parametrize("reason", ["ErrImagePull", "ImagePullBackOff"])
def test_whoever_pulls_too_many_images_at_once_waits(reason: str, said: str) -> None:
    found = reasons.outlook(waiting(reason, "Back-off pulling"), [event("Failed", PULL + said)])
    assert found.hopeless is None
    assert "waits for its turn to pull" in found.words and said in found.words


def test_what_is_done_before_the_first_process() -> None:
    creating = waiting("ContainerCreating")
    pulling = event("Pulling", f'Pulling image "{IMAGE}"')
    assert reasons.outlook(creating, [pulling]).words == f"the node pulls {IMAGE}"
    done = [pulling, event("Pulled", "Successfully pulled")]
    assert reasons.outlook(creating, done).words == "its container is being made"
    mount = event("FailedMount", 'MountVolume.SetUp failed: secret "x" not found')
    assert 'secret "x" not found' in reasons.outlook(creating, [mount]).words
    broken = reasons.outlook(waiting("InvalidImageName", "invalid reference format"))
    assert broken.hopeless is not None and "name is not valid" in broken.hopeless.message


@pytest.mark.parametrize(
    ("pod", "cause", "words"),
    [
        (terminated(exitCode=137, reason="OOMKilled"), Cause.OUT_OF_MEMORY, "more with --mem"),
        (
            terminated(exitCode=128, reason="StartError", message=NO_PYTHON),
            Cause.REFUSED,
            f"{IMAGE} has no /opt/jupyter/bin/python; name its Python",
        ),
        (
            terminated(exitCode=128, reason="StartError", message="exec format error: unknown"),
            Cause.REFUSED,
            "another kind of processor",
        ),
        (terminated(exitCode=137, reason="Error"), Cause.RUNNER_DIED, "status 137"),
        (
            terminated(
                exitCode=1, message="the job's files did not arrive within 900 seconds"
            ),
            Cause.SUBMIT_INTERRUPTED,
            "did not arrive within 900 seconds",
        ),
        (
            ended("Evicted", "The node was low on resource: memory. "),
            Cause.PREEMPTED,
            "gpu-node-1 evicted the job's pod: The node was low on resource: memory.",
        ),
        (
            ended("Preempting", "Preempted in order to admit critical pod"),
            Cause.PREEMPTED,
            "higher priority",
        ),
        (ended("DeadlineExceeded", "Pod was active too long"), Cause.WALL_TIME, "deadline"),
        (ended("NodeLost", "Node x which was running the pod"), Cause.PREEMPTED, "went away"),
    ],
)  # fmt: skip
def test_how_a_pod_ended_without_a_word_of_its_runner(
    pod: dict[str, Any], cause: str, words: str
) -> None:
    record = reasons.ended(pod)
    assert record is not None
    assert (record.state, record.cause) == ("FAILED", cause)
    assert words in record.message
    assert reasons.ended({"status": {"phase": "Running"}}) is None


def test_a_job_without_a_pod() -> None:
    quota = event(
        "FailedCreate",
        'Error creating: pods "jh-1-x" is forbidden: exceeded quota: gpus, requested: '
        "requests.nvidia.com/gpu=2, used: requests.nvidia.com/gpu=3, limited: "
        "requests.nvidia.com/gpu=4",
    )
    found = reasons.not_created([quota])
    assert found.hopeless is None
    assert "quota 'gpus': it asks for requests.nvidia.com/gpu=2" in found.words
    limit = event(
        "FailedCreate",
        'Error creating: pods "jh-1-x" is forbidden: maximum memory usage per Container is 1Gi, '
        "but limit is 4Gi",
    )
    found = reasons.not_created([quota, limit])
    assert found.hopeless is not None
    assert "does not admit the job's pod: maximum memory usage" in found.hopeless.message
    assert reasons.not_created([]).words == "waits for its pod"
    later = event("FailedCreate", "Error creating: Internal error occurred: etcd is away")
    assert reasons.not_created([later]).hopeless is None


def test_a_pod_that_is_gone() -> None:
    assert reasons.gone(None, wanted=True).state == "CANCELLED"
    record = reasons.gone({"spec": {"nodeName": "n1"}}, wanted=False)
    assert (record.state, record.cause) == ("FAILED", Cause.PREEMPTED)
    assert "on n1 was deleted from outside" in record.message


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("PreemptionByScheduler", "made room for one of higher priority: the scheduler said"),
        ("EvictionByEvictionAPI", "which is being emptied"),
        ("DeletionByTaintManager", "which takes it no more"),
        ("SomethingNew", "the cluster ended the job's pod: the scheduler said"),
    ],
)
def test_why_a_pod_is_taken_away(reason: str, words: str) -> None:
    condition = {"type": "DisruptionTarget", "status": "True", "reason": reason}
    pod: dict[str, Any] = {
        "status": {"conditions": [{**condition, "message": "the scheduler said"}]}
    }
    assert words in reasons.taken(pod, ())
    pod["status"]["phase"] = "Failed"
    record = reasons.ended(pod)
    assert record is not None and record.cause == Cause.PREEMPTED and words in record.message
    assert reasons.taken({"status": {"conditions": [{"type": "Ready"}]}}, ()) == ""


def test_why_a_pod_is_taken_away_by_older_clusters() -> None:
    said = [event("Started", "Started container job"), event("Preempted", "Preempted by x/y on n1")]
    assert "higher priority: Preempted by x/y on n1" in reasons.taken({}, said)
    record = reasons.gone({"spec": {"nodeName": "n1"}}, said, wanted=False)
    assert record.cause == Cause.PREEMPTED and "higher priority" in record.message
