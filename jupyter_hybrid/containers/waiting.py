"""Why a pod waits, in plain words: pure functions of what a cluster says of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Object = Mapping[str, Any]

#: Words of container runtimes and registries for an image that no second attempt will bring.
_NO_IMAGE = re.compile(
    r"not found|manifest unknown|name unknown|repository does not exist|no match for platform|"
    r"unauthorized|authorization|denied|forbidden|403|401|insufficient_scope|invalid reference",
    re.IGNORECASE,
)
#: Words of a node or registry that gives many images at once only one after another: kubelet's
#: own limit (``registryPullQPS``, 5 a second) and HTTP status 429.
_TOO_MANY = re.compile(r"QPS exceeded|too ?many ?requests|\b429\b", re.IGNORECASE)
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
class Waiting:
    """What is to be said of a pod that does not run yet."""

    words: str
    #: Where waiting is of no use: ``image`` where there is no such image for it, ``refused`` for
    #: anything else; empty where it may yet start.
    hopeless: str = ""


def waiting(pod: Object, events: Iterable[Object] = (), *, login: str = "") -> Waiting:
    """Why a pending pod waits, and whether that has an end.

    ``login`` tells what to do where a registry wants one.
    """
    status = pod.get("status", {})
    for container in containers(status):
        state = container.get("state", {}).get("waiting")
        if state:
            return _not_started(state, container.get("image", ""), events, login)
    for condition in status.get("conditions", ()):
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return Waiting(unschedulable(str(condition.get("message", ""))))
    if not pod.get("spec", {}).get("nodeName"):
        return Waiting("waits for the scheduler")
    return Waiting("its node prepares it")


def _not_started(state: Object, image: str, events: Iterable[Object], login: str) -> Waiting:
    reason, message = str(state.get("reason", "")), str(state.get("message", ""))
    if reason in ("ContainerCreating", "PodInitializing", ""):
        return Waiting(_creating(events))
    why = _why(message, events)
    if reason in ("ImagePullBackOff", "ErrImagePull") and _TOO_MANY.search(why):
        return Waiting(f"the node waits for its turn to pull {image}: {short(why)}")
    if reason == "ImagePullBackOff" or (reason == "ErrImagePull" and _NO_IMAGE.search(message)):
        return Waiting(_no_image(image, why, login), "image")
    if reason == "ErrImagePull":
        return Waiting(f"the node could not pull {image} and tries again: {short(message)}")
    if reason in _BROKEN:
        return Waiting(f"{_BROKEN[reason]}: {short(message)}", "refused")
    return Waiting(f"{reason}: {short(message)}" if message else reason)


def _why(message: str, events: Iterable[Object]) -> str:
    """What was said at the failed pull; a back-off itself only says that it waits."""
    said = [str(e.get("message", "")) for e in events if e.get("reason") == "Failed"]
    pulls = [text for text in said if text.startswith("Failed to pull")]
    return pulls[-1] if pulls else message


def _no_image(image: str, message: str, login: str) -> str:
    if "no match for platform" in message:
        return f"{image} is not for this node's kind of processor; name an image for it"
    if _DENIED.search(message):
        return f"the registry does not give {image} to the node (it needs a login); {login}"
    if re.search(r"not found|(manifest|name) unknown|does not exist", message, re.I):
        return f"there is no image {image}; look at its name and tag"
    # containerd wraps what it was told three times over
    said = re.sub(r'^.*failed to (?:resolve reference "[^"]*"|copy|do request): ', "", message)
    return f"the node cannot pull {image}: {short(said)}"


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
            words = f"a volume cannot be mounted yet: {short(message)}"
        elif reason == "FailedCreatePodSandBox":
            words = f"its node cannot make it yet: {short(message)}"
    return words


def unschedulable(message: str) -> str:
    """The scheduler's sentence, as ``0/3 nodes are available: 1 Insufficient cpu, 2 …``."""
    total = re.match(r"\d+/(\d+) nodes are available: (.*)", message)
    if total is None:
        return f"waits for a node: {short(message)}" if message else "waits for a node"
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


def over_quota(message: str) -> str:
    """``the namespace's quota 'gpus': it asks for …``; empty where the message is no such."""
    found = re.search(r"exceeded quota: (\S+), requested: (.*), used: (.*), limited: (.*)", message)
    if found is None:
        return ""
    name, asked, used, limit = found.groups()
    return f"the namespace's quota {name!r}: it asks for {asked}, {used} is used of {limit}"


def not_admitted(message: str) -> str:
    """Why a cluster refuses a pod, by rules or a webhook; empty where the message is no such."""
    if "forbidden" in message or "admission webhook" in message or "invalid" in message.lower():
        return short(re.sub(r'^pods "[^"]*" is forbidden: ', "", message))
    return ""


def containers(status: Object) -> list[Object]:
    """What a pod's status says of its containers, the first to start first."""
    return [*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())]


def short(message: str) -> str:
    """A message on one line, and of a length to read."""
    text = " ".join(message.split())
    return text if len(text) <= 300 else text[:297] + "…"
