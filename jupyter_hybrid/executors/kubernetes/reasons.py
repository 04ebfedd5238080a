"""Why a job waits, and why it ended, in plain words: pure functions of what the API server says."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...spec import Cause, ExitRecord

Object = Mapping[str, Any]

#: Words of container runtimes and registries for an image that no second attempt will bring.
_NO_IMAGE = re.compile(
    r"not found|manifest unknown|name unknown|repository does not exist|no match for platform|"
    r"unauthorized|authorization|denied|forbidden|403|401|insufficient_scope|invalid reference",
    re.IGNORECASE,
)
#: Pieces of the scheduler's sentence that say nothing of nodes.
_NO_REASON = re.compile(r"preemption|that the pod didn't tolerate")
_DENIED = re.compile(
    r"unauthorized|authorization failed|denied|forbidden|insufficient_scope|\b40[13]\b", re.I
)
#: Reasons of a waiting container that do not mend themselves.
_BROKEN = {
    "InvalidImageName": "the image's name is not valid",
    "CreateContainerConfigError": "its container cannot be configured",
    "CreateContainerError": "its container cannot be made",
    "RunContainerError": "its container cannot be started",
    "ErrImageNeverPull": "the image is not on the node and may not be pulled there",
}


@dataclass(frozen=True)
class Outlook:
    """What is to be said of a pod that does not run yet."""

    words: str
    #: Where waiting is of no use: how the job ends.
    hopeless: ExitRecord | None = None


def outlook(pod: Object, events: Iterable[Object] = ()) -> Outlook:
    """Why a pending pod waits, and whether that has an end."""
    status = pod.get("status", {})
    for container in _containers(status):
        waiting = container.get("state", {}).get("waiting")
        if waiting:
            return _waiting(waiting, container.get("image", ""), events)
    for condition in status.get("conditions", ()):
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return Outlook(unschedulable(str(condition.get("message", ""))))
    if not pod.get("spec", {}).get("nodeName"):
        return Outlook("waits for the scheduler")
    return Outlook("its node prepares it")


def _waiting(waiting: Object, image: str, events: Iterable[Object]) -> Outlook:
    reason, message = str(waiting.get("reason", "")), str(waiting.get("message", ""))
    if reason in ("ContainerCreating", "PodInitializing", ""):
        return Outlook(_creating(events))
    if reason == "ImagePullBackOff" or (reason == "ErrImagePull" and _NO_IMAGE.search(message)):
        return _failed(Cause.IMAGE_NOT_PULLED, _no_image(image, _why(message, events)))
    if reason == "ErrImagePull":
        return Outlook(f"the node could not pull {image} and tries again: {_short(message)}")
    if reason in _BROKEN:
        return _failed(Cause.REFUSED, f"{_BROKEN[reason]}: {_short(message)}")
    return Outlook(f"{reason}: {_short(message)}" if message else reason)


def _failed(cause: str, message: str) -> Outlook:
    return Outlook(message, ExitRecord("FAILED", cause, message))


def _why(message: str, events: Iterable[Object]) -> str:
    """What was said at the failed pull; a back-off itself only says that it waits."""
    said = [str(e.get("message", "")) for e in events if e.get("reason") == "Failed"]
    pulls = [text for text in said if text.startswith("Failed to pull")]
    return pulls[-1] if pulls else message


def _no_image(image: str, message: str) -> str:
    if "no match for platform" in message:
        return f"{image} is not for this node's kind of processor; name an image for it"
    if _DENIED.search(message):
        return (
            f"the registry does not give {image} to the node (it needs a login); add a pull secret "
            "to the target ('pull_secrets')"
        )
    if re.search(r"not found|(manifest|name) unknown|does not exist", message, re.I):
        return f"there is no image {image}; look at its name and tag"
    # containerd wraps what it was told three times over
    said = re.sub(r'^.*failed to (?:resolve reference "[^"]*"|copy|do request): ', "", message)
    return f"the node cannot pull {image}: {_short(said)}"


def _creating(events: Iterable[Object]) -> str:
    """Between the scheduler and the first process: mounts, and pulls of images."""
    words = "its container is being made"
    for event in events:
        reason, message = event.get("reason"), str(event.get("message", ""))
        if reason == "Pulling":
            found = re.search(r'"([^"]+)"', message)
            words = f"the node pulls {found[1] if found else 'the image'}"
        elif reason == "Pulled":
            words = "its container is being made"
        elif reason in ("FailedMount", "FailedAttachVolume"):
            words = f"a volume cannot be mounted yet: {_short(message)}"
        elif reason == "FailedCreatePodSandBox":
            words = f"its node cannot make it yet: {_short(message)}"
    return words


def unschedulable(message: str) -> str:
    """The scheduler's sentence, as ``0/3 nodes are available: 1 Insufficient cpu, 2 …``."""
    total = re.match(r"\d+/(\d+) nodes are available: (.*)", message)
    if total is None:
        return f"waits for a node: {_short(message)}" if message else "waits for a node"
    parts = re.split(r",(?![^{]*})\s*|\.\s", total[2].rstrip("."))
    said = [_part(part.strip()) for part in parts if part.strip() and not _NO_REASON.search(part)]
    return f"waits for a node (of {total[1]}): {'; '.join(dict.fromkeys(said))}"


def _part(part: str) -> str:
    count, _, rest = part.partition(" ")
    if not count.isdigit():
        return part
    has, have = ("has", "have")[count != "1"], ("is", "are")[count != "1"]
    resource = re.match(r"(?:Insufficient|Too many) (\S+)", rest)
    if resource:
        return f"{count} {has} not enough free {resource[1]}"
    if "didn't match" in rest:
        return f"{count} {have} not of the kind that was asked for"
    if "taint" in rest:
        taint = re.search(r"{([^}:]+)", rest)
        name = taint[1].strip() if taint else "others"
        if name.startswith("node.kubernetes.io/"):
            return f"{count} {have} not well ({name.rpartition('/')[2]})"
        return f"{count} {have} kept for {name}"
    if "unschedulable" in rest:
        return f"{count} {have} closed for new jobs"
    return part


def not_created(events: Iterable[Object]) -> Outlook:
    """Why a Job has no pod, from the Job's own events."""
    for event in reversed(list(events)):
        if event.get("reason") != "FailedCreate":
            continue
        message = re.sub(r"^Error creating: ", "", str(event.get("message", "")))
        quota = re.search(
            r"exceeded quota: (\S+), requested: (.*), used: (.*), limited: (.*)", message
        )
        if quota:
            return Outlook(
                f"waits for the namespace's quota {quota[1]!r}: it asks for {quota[2]}, "
                f"{quota[3]} is used of {quota[4]}"
            )
        if "forbidden" in message or "admission webhook" in message or "invalid" in message.lower():
            said = re.sub(r'^pods "[^"]*" is forbidden: ', "", message)
            words = f"the cluster does not admit the job's pod: {_short(said)}"
            return _failed(Cause.REFUSED, words)
        return Outlook(f"its pod cannot be made yet: {_short(message)}")
    return Outlook("waits for its pod")


def ended(pod: Object) -> ExitRecord | None:
    """How a pod ended whose runner left no word; None where it has not ended."""
    status = pod.get("status", {})
    if status.get("phase") not in ("Failed", "Succeeded"):
        return None
    reason, message = str(status.get("reason", "")), str(status.get("message", ""))
    node = pod.get("spec", {}).get("nodeName", "its node")
    if reason == "Evicted":
        words = f"{node} evicted the job's pod: {_short(message)}"
        return ExitRecord("FAILED", Cause.PREEMPTED, words)
    if reason in ("Preempting", "Preempted") or "preempt" in message.lower():
        words = f"the job's pod made room for one of higher priority: {_short(message)}"
        return ExitRecord("FAILED", Cause.PREEMPTED, words)
    if reason == "DeadlineExceeded":
        return ExitRecord("FAILED", Cause.WALL_TIME, "the cluster ended the job at its deadline")
    if reason in ("NodeLost", "Shutdown", "NodeShutdown", "Terminated", "NodeAffinity"):
        words = f"{node} went away ({reason}): {_short(message)}"
        return ExitRecord("FAILED", Cause.PREEMPTED, words)
    for container in _containers(status):
        found = container.get("state", {}).get("terminated")
        if found:
            return _terminated(found, container)
    return ExitRecord("FAILED", Cause.RUNNER_DIED, f"its pod ended: {_short(message or reason)}")


def _terminated(found: Object, container: Object) -> ExitRecord:
    code, reason = found.get("exitCode"), str(found.get("reason", ""))
    said = _short(str(found.get("message", "")))
    if reason == "OOMKilled":
        words = "the job needed more memory than its container may have; ask for more with --mem"
        return ExitRecord("FAILED", Cause.OUT_OF_MEMORY, words, code=code)
    if reason in ("StartError", "ContainerCannotRun") or code in (126, 127, 128):
        words = _cannot_start(str(container.get("image")), str(found.get("message", "")))
        return ExitRecord("FAILED", Cause.REFUSED, words, code=code)
    if "did not arrive" in said:
        return ExitRecord("FAILED", Cause.SUBMIT_INTERRUPTED, f"{said}; submit it again", code=code)
    words = f"the job's container ended with status {code} and no word"
    return ExitRecord("FAILED", Cause.RUNNER_DIED, f"{words}: {said}" if said else words, code=code)


def _cannot_start(image: str, message: str) -> str:
    program = re.search(r'exec: "([^"]+)": .*(?:no such file|not found)', message)
    if program:
        return f"{image} has no {program[1]}; name its Python in the target ('python')"
    if "exec format error" in message:
        return f"{image} is for another kind of processor than the node's"
    return f"{image} cannot run the job: {_short(message)}"


def gone(pod: Object | None, *, wanted: bool) -> ExitRecord:
    """How a job ended whose pod is gone or going without an exit record."""
    if wanted:
        return ExitRecord("CANCELLED", Cause.CANCELLED, "cancelled; outputs until then are kept")
    node = (pod or {}).get("spec", {}).get("nodeName", "")
    where = f" on {node}" if node else ""
    words = f"the job's pod{where} was deleted from outside; outputs until then are kept"
    return ExitRecord("FAILED", Cause.PREEMPTED, words)


def node_ready(node: Object) -> bool:
    """Whether a node's kubelet has been heard of lately."""
    conditions: Sequence[Object] = node.get("status", {}).get("conditions", ())
    return any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)


def _containers(status: Object) -> list[Object]:
    return [*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())]


def _short(message: str) -> str:
    text = " ".join(message.split())
    return text if len(text) <= 300 else text[:297] + "…"
