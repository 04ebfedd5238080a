"""Why a job waits, and why it ended, in plain words: pure functions of what the API server says."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ...containers.waiting import containers, not_admitted, over_quota, short, waiting
from ...spec import Cause, ExitRecord

Object = Mapping[str, Any]

_LOGIN = "add a pull secret to the target ('pull_secrets')"
_CAUSES = {"image": Cause.IMAGE_NOT_PULLED, "refused": Cause.REFUSED}


@dataclass(frozen=True)
class Outlook:
    """What is to be said of a pod that does not run yet."""

    words: str
    #: Where waiting is of no use: how the job ends.
    hopeless: ExitRecord | None = None


def outlook(pod: Object, events: Iterable[Object] = ()) -> Outlook:
    """Why a pending pod waits, and whether that has an end."""
    found = waiting(pod, events, login=_LOGIN)
    if found.hopeless:
        return _failed(_CAUSES[found.hopeless], found.words)
    return Outlook(found.words)


def _failed(cause: str, message: str) -> Outlook:
    return Outlook(message, ExitRecord("FAILED", cause, message))


def not_created(events: Iterable[Object]) -> Outlook:
    """Why a Job has no pod, from the Job's own events."""
    for event in reversed(list(events)):
        if event.get("reason") != "FailedCreate":
            continue
        message = re.sub(r"^Error creating: ", "", str(event.get("message", "")))
        if found := over_quota(message):
            return Outlook(f"waits for {found}")
        if found := not_admitted(message):
            words = f"the cluster does not admit the job's pod: {found}"
            return _failed(Cause.REFUSED, words)
        return Outlook(f"its pod cannot be made yet: {short(message)}")
    return Outlook("waits for its pod")


def ended(pod: Object) -> ExitRecord | None:
    """How a pod ended whose runner left no word; None where it has not ended."""
    status = pod.get("status", {})
    if status.get("phase") not in ("Failed", "Succeeded"):
        return None
    reason, message = str(status.get("reason", "")), str(status.get("message", ""))
    node = pod.get("spec", {}).get("nodeName", "its node")
    if reason == "Evicted":
        words = f"{node} evicted the job's pod: {short(message)}"
        return ExitRecord("FAILED", Cause.PREEMPTED, words)
    if words := taken(pod, ()):
        return ExitRecord("FAILED", Cause.PREEMPTED, words)
    if reason in ("Preempting", "Preempted") or "preempt" in message.lower():
        words = f"the job's pod made room for one of higher priority: {short(message)}"
        return ExitRecord("FAILED", Cause.PREEMPTED, words)
    if reason == "DeadlineExceeded":
        return ExitRecord("FAILED", Cause.WALL_TIME, "the cluster ended the job at its deadline")
    if reason in ("NodeLost", "Shutdown", "NodeShutdown", "Terminated", "NodeAffinity"):
        words = f"{node} went away ({reason}): {short(message)}"
        return ExitRecord("FAILED", Cause.PREEMPTED, words)
    for container in containers(status):
        found = container.get("state", {}).get("terminated")
        if found:
            return _terminated(found, container)
    return ExitRecord("FAILED", Cause.RUNNER_DIED, f"its pod ended: {short(message or reason)}")


def _terminated(found: Object, container: Object) -> ExitRecord:
    code, reason = found.get("exitCode"), str(found.get("reason", ""))
    said = short(str(found.get("message", "")))
    if reason == "OOMKilled":
        words = "the job needed more memory than its container may have; ask for more with --mem"
        return ExitRecord("FAILED", Cause.OUT_OF_MEMORY, words, code=code)
    foreign = re.match(r"exec \S+: exec format error", said)
    if foreign or reason in ("StartError", "ContainerCannotRun") or code in (126, 127, 128):
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
    return f"{image} cannot run the job: {short(message)}"


#: Why a cluster ends a pod before its time (Kubernetes, "Pod disruption conditions").
_DISRUPTIONS = {
    "PreemptionByScheduler": "the job's pod made room for one of higher priority",
    "DeletionByTaintManager": "the job's pod had to leave its node, which takes it no more",
    "EvictionByEvictionAPI": "the job's pod had to leave its node, which is being emptied",
    "DeletionByPodGC": "the job's pod was on a node that is gone",
    "TerminationByKubelet": "the job's pod was ended by its node",
}


def taken(pod: Object, events: Iterable[Object]) -> str:
    """Why the cluster takes a running pod away; empty where it does not tell.

    Its condition says so since Kubernetes 1.26, of preemption an event does before that.
    """
    found = [
        (c.get("reason"), c.get("message"))
        for c in pod.get("status", {}).get("conditions", ())
        if c.get("type") == "DisruptionTarget" and c.get("status") == "True"
    ]
    found += [
        ("PreemptionByScheduler", event.get("message"))
        for event in events
        if event.get("reason") == "Preempted"
    ]
    for reason, message in found:
        words = _DISRUPTIONS.get(str(reason), "the cluster ended the job's pod")
        return f"{words}: {short(str(message))}; outputs until then are kept"
    return ""


def gone(pod: Object | None, events: Iterable[Object] = (), *, wanted: bool) -> ExitRecord:
    """How a job ended whose pod is gone or going without an exit record."""
    if wanted:
        return ExitRecord("CANCELLED", Cause.CANCELLED, "cancelled; outputs until then are kept")
    if words := taken({}, events):
        return ExitRecord("FAILED", Cause.PREEMPTED, words)
    node = (pod or {}).get("spec", {}).get("nodeName", "")
    where = f" on {node}" if node else ""
    words = f"the job's pod{where} was deleted from outside; outputs until then are kept"
    return ExitRecord("FAILED", Cause.PREEMPTED, words)
