"""What a cluster could start now, from its nodes and pods: pure functions."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...errors import UsageError
from ...spec import Resources
from ...units import format_size
from ..base import Offer
from .manifest import gpu_resource
from .reasons import node_ready
from .settings import Settings

Object = Mapping[str, Any]

#: Suffixes of quantities (Kubernetes, "Quantity").
_SUFFIXES = {
    "": 1.0, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15,
    "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40, "Pi": 2.0**50,
}  # fmt: skip


def parse_quantity(text: Any) -> float:
    """A number as Kubernetes writes it: ``500m``, ``16Gi``, ``2``; 0 for what is none."""
    found = re.fullmatch(r"([0-9.]+(?:[eE][0-9]+)?)([a-zA-Z]*)", str(text).strip())
    if found is None or found[2] not in _SUFFIXES:
        return 0.0
    return float(found[1]) * _SUFFIXES[found[2]]


@dataclass
class Room:
    """What one node has, and what of it is free."""

    name: str
    model: str
    location: str
    cpus: float
    mem: float
    gpus: int
    free_cpus: float
    free_mem: float
    free_gpus: int

    def fits(self, asked: Resources) -> bool:
        """Whether a pod like that could be there at all."""
        return _fits((self.cpus, self.mem, self.gpus), asked)

    def free(self, asked: Resources) -> bool:
        """Whether it could start now."""
        return _fits((self.free_cpus, self.free_mem, self.free_gpus), asked)


def _fits(has: tuple[float, float, float], asked: Resources) -> bool:
    cpus, mem, gpus = has
    return gpus >= asked.gpus and cpus >= (asked.cpus or 0) and mem >= (asked.mem or 0)


def rooms(
    nodes: Iterable[Object], pods: Iterable[Object], settings: Settings, resource: str
) -> list[Room]:
    """Nodes that take jobs of this target, with what runs on them taken off."""
    used: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
    for pod in pods:
        node = pod.get("spec", {}).get("nodeName")
        if node and pod.get("status", {}).get("phase") not in ("Succeeded", "Failed"):
            for index, amount in enumerate(_requests(pod, resource)):
                used[node][index] += amount
    found = []
    for node in nodes:
        name, labels = node["metadata"]["name"], node["metadata"].get("labels", {})
        if not _takes(node, settings):
            continue
        has = node.get("status", {}).get("allocatable", {})
        cpus, mem = parse_quantity(has.get("cpu", 0)), parse_quantity(has.get("memory", 0))
        gpus = int(parse_quantity(has.get(resource, 0)))
        taken = used[name]
        found.append(
            Room(
                name, labels.get(settings.gpu_label, ""),
                labels.get(settings.location_label or "", ""),
                cpus, mem, gpus, cpus - taken[0], mem - taken[1], int(gpus - taken[2]),
            )
        )  # fmt: skip
    return found


def _requests(pod: Object, resource: str) -> tuple[float, float, float]:
    total = [0.0, 0.0, 0.0]
    for container in pod["spec"].get("containers", ()):
        asked = container.get("resources", {})
        wanted = {**asked.get("limits", {}), **asked.get("requests", {})}
        for index, name in enumerate(("cpu", "memory", resource)):
            total[index] += parse_quantity(wanted.get(name, 0))
    return total[0], total[1], total[2]


def _takes(node: Object, settings: Settings) -> bool:
    labels = node["metadata"].get("labels", {})
    if any(labels.get(key) != value for key, value in settings.node_selector.items()):
        return False
    if node.get("spec", {}).get("unschedulable") or not node_ready(node):
        return False
    taints = [
        t for t in node.get("spec", {}).get("taints", ()) if t["effect"] != "PreferNoSchedule"
    ]
    return all(any(_tolerates(t, taint) for t in settings.tolerations) for taint in taints)


def _tolerates(toleration: Object, taint: Object) -> bool:
    if toleration.get("effect") not in (None, "", taint["effect"]):
        return False
    if toleration.get("operator", "Equal") == "Exists":
        return toleration.get("key") in (None, "", taint["key"])
    same = toleration.get("value", "") == taint.get("value", "")
    return bool(toleration.get("key") == taint["key"] and same)


def models(gpu_type: str | None, settings: Settings, known: Iterable[str]) -> list[str]:
    """Values of the nodes' label that are meant, the best first; ``v100,p100``: either of them.

    Short names are the site's (``gpu_models``), else a part of the label. Raises ``UsageError``.
    """
    if not gpu_type or gpu_resource(gpu_type, settings) != settings.gpu_resource:
        return []
    known = sorted(set(filter(None, known)))
    found: list[str] = []
    for word in filter(None, (part.strip() for part in gpu_type.split(","))):
        named = settings.gpu_models.get(word) or settings.gpu_models.get(word.lower())
        meant = [named] if named else [m for m in known if word.lower() in m.lower()]
        found += [model for model in meant if model not in found]
    if not found:
        have = ", ".join([*settings.gpu_models, *known]) or "none that it names"
        raise UsageError(f"there is no GPU of the model {gpu_type!r}; the cluster has: {have}")
    return found


def make_offers(
    target: str, asked: Resources, settings: Settings, found: Sequence[Room], liked: Sequence[str]
) -> list[Offer]:
    """One offer for each model and location, liked ones first; raises ``UsageError`` for none."""
    groups: dict[tuple[str, str], list[Room]] = defaultdict(list)
    for room in found:
        if not liked or room.model in liked:
            model = room.model if (asked.gpus or room.gpus) else ""
            groups[(model, room.location)].append(room)
    able = {key: here for key, here in groups.items() if any(r.fits(asked) for r in here)}
    if not able:
        raise UsageError(_too_much(target, asked, [r for here in groups.values() for r in here]))

    def order(key: tuple[str, str]) -> tuple[int, str]:
        return (liked.index(key[0]) if key[0] in liked else len(liked), key[1])

    return [_offer(target, asked, settings, key, able[key]) for key in sorted(able, key=order)]


def _offer(
    target: str, asked: Resources, settings: Settings, key: tuple[str, str], here: Sequence[Room]
) -> Offer:
    model, location = key
    largest = max(here, key=lambda r: (r.gpus, r.cpus))
    free = sum(room.free_gpus for room in here)
    total = sum(room.gpus for room in here)
    words = f"{largest.cpus:g} cores, {format_size(int(largest.mem))}"
    if total:
        words = f"{total} × {model or 'GPU'}, {free} free; " + words
    note = f"{len(here)} nodes" if len(here) > 1 else "1 node"
    return Offer(
        target=target,
        hardware=words,
        cpus=int(largest.cpus),
        mem=int(largest.mem),
        gpus=asked.gpus,
        gpu_type=model or None,
        free_now=sum(room.free(asked) for room in here) >= asked.nodes,
        price=settings.price,
        note=f"{location}, {note}" if location else note,
    )


def _too_much(target: str, asked: Resources, here: Sequence[Room]) -> str:
    if not here:
        return f"no node of {target!r} takes such jobs now; ask for other hardware, or later"
    most = [max(r.gpus for r in here), max(r.cpus for r in here), max(r.mem for r in here)]
    for what, wants, has, unit in (
        ("GPUs", asked.gpus, most[0], ""),
        ("cores", asked.cpus or 0, most[1], ""),
        ("of memory", asked.mem or 0, most[2], "bytes"),
    ):
        if wants > has:
            said = format_size(int(has)) if unit else f"{has:g}"
            wish = format_size(int(wants)) if unit else f"{wants:g}"
            return f"no node of {target!r} has {wish} {what}, the largest has {said}; ask for less"
    return f"no node of {target!r} has all that together; ask for less"
