"""What nodes of a cluster have, and what of it is free: pure functions of its objects."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

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


class Asked(Protocol):
    """What a pod asks for."""

    @property
    def gpus(self) -> int:
        """GPUs of a node."""

    @property
    def cpus(self) -> float | None:
        """Cores."""

    @property
    def mem(self) -> int | None:
        """Bytes of memory."""


class View(Protocol):
    """Which nodes count, and which of their labels mean what."""

    @property
    def node_selector(self) -> Mapping[str, str]:
        """Labels that a node must have."""

    @property
    def tolerations(self) -> Sequence[Object]:
        """Taints that are no hindrance."""

    @property
    def gpu_label(self) -> str:
        """The label that names a node's model of GPU."""

    @property
    def location_label(self) -> str | None:
        """The label that tells where a node is."""


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

    def fits(self, asked: Asked) -> bool:
        """Whether a pod like that could be there at all."""
        return _fits((self.cpus, self.mem, self.gpus), asked)

    def free(self, asked: Asked) -> bool:
        """Whether it could start now."""
        return _fits((self.free_cpus, self.free_mem, self.free_gpus), asked)


def _fits(has: tuple[float, float, float], asked: Asked) -> bool:
    cpus, mem, gpus = has
    return gpus >= asked.gpus and cpus >= (asked.cpus or 0) and mem >= (asked.mem or 0)


def rooms(nodes: Iterable[Object], pods: Iterable[Object], view: View, resource: str) -> list[Room]:
    """Nodes that take jobs of that view, with what runs on them taken off."""
    used: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
    for pod in pods:
        node = pod.get("spec", {}).get("nodeName")
        if node and pod.get("status", {}).get("phase") not in ("Succeeded", "Failed"):
            for index, amount in enumerate(_requests(pod, resource)):
                used[node][index] += amount
    found = []
    for node in nodes:
        name, labels = node["metadata"]["name"], node["metadata"].get("labels", {})
        if not _takes(node, view):
            continue
        has = node.get("status", {}).get("allocatable", {})
        cpus, mem = parse_quantity(has.get("cpu", 0)), parse_quantity(has.get("memory", 0))
        gpus = int(parse_quantity(has.get(resource, 0)))
        taken = used[name]
        found.append(
            Room(
                name, labels.get(view.gpu_label, ""),
                labels.get(view.location_label or "", ""),
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


def _takes(node: Object, view: View) -> bool:
    labels = node["metadata"].get("labels", {})
    if any(labels.get(key) != value for key, value in view.node_selector.items()):
        return False
    if node.get("spec", {}).get("unschedulable") or not node_ready(node):
        return False
    taints = [
        t for t in node.get("spec", {}).get("taints", ()) if t["effect"] != "PreferNoSchedule"
    ]
    return all(any(_tolerates(t, taint) for t in view.tolerations) for taint in taints)


def _tolerates(toleration: Object, taint: Object) -> bool:
    if toleration.get("effect") not in (None, "", taint["effect"]):
        return False
    if toleration.get("operator", "Equal") == "Exists":
        return toleration.get("key") in (None, "", taint["key"])
    same = toleration.get("value", "") == taint.get("value", "")
    return bool(toleration.get("key") == taint["key"] and same)


def node_ready(node: Object) -> bool:
    """Whether a node's kubelet has been heard of lately."""
    conditions: Sequence[Object] = node.get("status", {}).get("conditions", ())
    return any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)
