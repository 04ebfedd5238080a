"""What a cluster could start now, from its nodes and pods: pure functions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from ...containers.nodes import Room
from ...errors import UsageError
from ...spec import Resources
from ...units import format_size
from ..base import Offer
from .manifest import gpu_resource
from .settings import Settings


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
