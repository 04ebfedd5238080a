"""What happens while a server's pod starts: said in plain words, and ended where it is hopeless."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from jupyter_hybrid.containers.waiting import (
    Waiting,
    containers,
    not_admitted,
    over_quota,
    short,
    waiting,
)

Object = Mapping[str, Any]

LOGIN = "ask the administrator for a pull secret (c.KubeSpawner.image_pull_secrets)"
#: After so many ends a container that is started again and again has failed.
ENDS = 2


def outlook(pod: Object | None, events: Iterable[Object]) -> Waiting:
    """Why a server's pod does not run yet, and whether it ever will."""
    if pod is None:
        return Waiting("the cluster makes its pod")
    status = pod.get("status", {})
    for container in containers(status):
        ended = _ended(container)
        if ended:
            return Waiting(ended, "refused")
    if status.get("phase") == "Failed":
        words = status.get("message") or status.get("reason") or "the cluster does not say why"
        return Waiting(f"its pod ended: {short(str(words))}", "refused")
    if status.get("phase") == "Running":
        return Waiting("the server starts")
    running = [
        c for c in status.get("initContainerStatuses", ()) if "running" in c.get("state", {})
    ]
    if running:
        return Waiting(_first(str(running[0].get("name"))))
    found = waiting(pod, events, login=LOGIN)
    return Waiting(found.words, found.hopeless)


def has_run(pod: Object) -> bool:
    """Whether anything of a pod runs now, or has run."""
    states = [
        container.get(name, {})
        for container in containers(pod.get("status", {}))
        for name in ("state", "lastState")
    ]
    return any("running" in state or "terminated" in state for state in states)


def _ended(container: Object) -> str:
    """How a container ended that will not run by being started again; empty: it may."""
    state = container.get("state", {})
    now = state.get("terminated") or {}
    last = now or container.get("lastState", {}).get("terminated") or {}
    again = state.get("waiting", {}).get("reason") == "CrashLoopBackOff"
    if not last or now.get("exitCode") == 0:
        return ""
    if not again and container.get("restartCount", 0) < ENDS:
        return ""
    name = "the server" if container.get("name") == "notebook" else container.get("name")
    if last.get("reason") == "OOMKilled":
        return f"{name} needed more memory than it may have; choose a larger size"
    said = str(last.get("message", ""))
    program = re.search(r'exec: "([^"]+)": .*(?:no such file|not found)', said)
    if program:
        return f"{container.get('image')} has no {program[1]}; choose another image"
    words = f"{name} ends with status {last.get('exitCode')} as soon as it is started"
    return f"{words}: {short(said)}" if said else words


def _first(name: str) -> str:
    known = {"jh-server": "the hub's server is laid beside the image", "jh-home": "a home is made"}
    return known.get(name, f"{name} does its work first")


def pulling(pod: Object | None, events: Iterable[Object]) -> bool:
    """Whether the node is fetching an image for the pod now."""
    status = (pod or {}).get("status", {})
    if not any("waiting" in c.get("state", {}) for c in containers(status)):
        return False
    last = ""
    for event in events:
        if event.get("reason") in ("Pulling", "Pulled", "Failed", "BackOff"):
            last = str(event["reason"])
    return last == "Pulling"


def too_early(body: str) -> bool:
    """Whether an API server's refusal is that of a namespace which was only just made.

    Its service account comes some moments later.
    """
    return re.search(r"error looking up service account \S+/default: .*not found", body) is not None


def refused(body: str) -> str:
    """What an API server's refusal of a pod means; ``body`` is its answer."""
    try:
        message = str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        message = body
    if found := over_quota(message):
        return f"there is no room left in {found}; choose less, or stop another server or job"
    found = not_admitted(message) or short(message)
    return f"the cluster does not admit the server's pod: {found}"


def in_words(event: dict[str, Any]) -> dict[str, Any]:
    """An event of kubespawner's, with what it means to a user in front of what it says."""
    raw = event.get("raw_event")
    words = _meaning(raw) if raw else ""
    if not words:
        return event
    told = html.escape(str(event.get("message", "")))
    shown = f"{html.escape(_sentence(words))} <small class='text-muted'>{told}</small>"
    return {**event, "html_message": shown}


def _meaning(event: Object) -> str:
    reason, message = str(event.get("reason", "")), str(event.get("message", ""))
    image = re.search(r'[Ii]mage "([^"]+)"', message)
    name = image[1] if image else "the image"
    if reason == "Scheduled":
        node = re.search(r"to (\S+)$", message)
        return f"a place on {node[1] if node else 'a node'} was found"
    if reason == "FailedScheduling":
        return outlook({"status": {"conditions": [_unscheduled(message)]}}, ()).words
    if reason == "Pulled" and "already present" in message:
        return f"{name} is on the node"
    if reason == "Pulled":
        took = re.search(r" in (\S+?)(?: |$)", message)
        return f"{name} was pulled" + (f" in {took[1]}" if took else "")
    known = {
        "Pulling": f"the node pulls {name}; the first time this takes minutes",
        "Created": "the container is made",
        "Started": "the container has started",
        "TriggeredScaleUp": "a new node is being started for it",
        "NotTriggerScaleUp": "no other node can be started for it",
        "Killing": "the one before is stopped",
        "Preempted": "it made room for something of higher priority",
    }
    if reason in ("FailedMount", "FailedAttachVolume"):
        return "a volume cannot be mounted yet"
    return known.get(reason, "")


def _unscheduled(message: str) -> Object:
    return {"type": "PodScheduled", "status": "False", "message": message}


def told(words: str, progress: int) -> dict[str, Any]:
    """A line of our own for the page."""
    return {"progress": progress, "message": _sentence(words)}


def _sentence(words: str) -> str:
    # names of images are as they are
    image = ":" in words.partition(" ")[0]
    return f"{words if image else words[:1].upper() + words[1:]}."
