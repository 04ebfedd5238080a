"""Which GPUs a cluster has, and what of them is free: a question to its nodes, and its answer."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from kubernetes_asyncio.client.rest import ApiException

from jupyter_hybrid.containers.nodes import Room, rooms

log = logging.getLogger(__name__)

#: Seconds that a user waits for the cluster's answer before the form comes without it.
PATIENCE = 2.0
#: Pods that hold nothing are not asked for.
ALIVE = "status.phase!=Succeeded,status.phase!=Failed"


@dataclass(frozen=True)
class View:
    """Which nodes count, and which of their labels mean what."""

    gpu_label: str
    gpu_resource: str = "nvidia.com/gpu"
    location_label: str | None = None
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True)
class Model:
    """GPUs of one model; ``label`` is what nodes call it."""

    label: str
    #: Nodes with GPUs of that model: location, GPUs, free ones.
    nodes: tuple[tuple[str, int, int], ...] = ()

    @property
    def total(self) -> int:
        """How many there are."""
        return sum(node[1] for node in self.nodes)

    @property
    def free(self) -> int:
        """How many nobody has."""
        return sum(node[2] for node in self.nodes)

    @property
    def most(self) -> int:
        """How many one server can have at the most."""
        return max((node[1] for node in self.nodes), default=0)

    def has_now(self, count: int) -> bool:
        """Whether a node has that many free."""
        return any(node[2] >= count for node in self.nodes)

    def by_location(self) -> dict[str, tuple[int, int]]:
        """Free ones and all, by where they are."""
        found: dict[str, tuple[int, int]] = {}
        for where, total, free in self.nodes:
            before = found.get(where, (0, 0))
            found[where] = (before[0] + free, before[1] + total)
        return dict(sorted(found.items()))


@dataclass(frozen=True)
class Hardware:
    """What the cluster was seen to have; ``reason`` where it could not be seen."""

    models: tuple[Model, ...] = ()
    locations: tuple[str, ...] = ()
    reason: str = ""


def seen(found: Iterable[Room]) -> Hardware:
    """Models of GPUs by name, and all locations."""
    models: dict[str, list[tuple[str, int, int]]] = {}
    locations = set()
    for room in found:
        locations.add(room.location)
        if room.gpus:
            free = max(0, room.free_gpus)
            models.setdefault(room.model, []).append((room.location, room.gpus, free))
    return Hardware(
        tuple(Model(label, tuple(nodes)) for label, nodes in sorted(models.items())),
        tuple(sorted(filter(None, locations))),
    )


class Cluster:
    """Asks a cluster what its nodes have, at most every few seconds, for all users together."""

    def __init__(self) -> None:
        self._hardware = Hardware(reason="it was not asked yet")
        self._at = float("-inf")
        self._asking: asyncio.Task[Hardware] | None = None

    async def hardware(self, api: Any, view: View, seconds: float) -> Hardware:
        """What was seen at most ``seconds`` ago; with a reason where the cluster does not say."""
        if time.monotonic() - self._at < seconds:
            return self._hardware
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask(api, view))
        try:
            return await asyncio.wait_for(asyncio.shield(self._asking), PATIENCE)
        except asyncio.TimeoutError:
            return Hardware(reason=f"the cluster did not answer within {PATIENCE:g} seconds")

    async def _ask(self, api: Any, view: View) -> Hardware:
        try:
            nodes, pods = await asyncio.gather(
                _items(api.list_node), _items(api.list_pod_for_all_namespaces, ALIVE)
            )
            self._hardware = seen(rooms(nodes, pods, view, view.gpu_resource))
        except ApiException as error:
            self._hardware = Hardware(reason=_refused(error))
        except (aiohttp.ClientError, OSError) as error:
            self._hardware = Hardware(reason=f"the cluster cannot be reached: {error}")
        if self._hardware.reason:
            log.warning("what is free is not known: %s", self._hardware.reason)
        self._at = time.monotonic()
        return self._hardware


def _refused(error: ApiException) -> str:
    if error.status in (401, 403):
        return (
            "the hub may not list nodes and pods of all namespaces; "
            "deploy/hub-role.yaml has the role for it"
        )
    return f"the cluster answers {error.status} {error.reason}"


async def _items(ask: Any, selector: str = "") -> list[Any]:
    """Objects as JSON, from the API server's memory: thousands in a fraction of a second."""
    options = {"field_selector": selector} if selector else {}
    answer = await ask(resource_version="0", _preload_content=False, **options)
    if not 200 <= answer.status < 300:
        raise ApiException(status=answer.status, reason=answer.reason)
    found: list[Any] = json.loads(await answer.read())["items"]
    return found


def slug(text: str) -> str:
    """A word for ``user_options`` and web addresses: ``tesla-v100-sxm2-16gb``."""
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-")
