"""What would be done with an image for a job, told before anything is done."""

from __future__ import annotations

from collections.abc import Iterator

from ...environment.diff import CONFLICT, KEEP, LAYER, MISSING, diff
from ...environment.facts import FactsCache, ImageFacts
from ...environment.needs import Environment
from ...units import format_size
from .presence import Presence


async def foresee(
    presence: Presence,
    image: str,
    cache: FactsCache,
    environment: Environment | None,
    language: str,
) -> list[str]:
    """Lines on an image that is here, or on its size where it is not.

    An image that is here is looked into, once; nothing else is made. Raises ``ImageError`` where it
    is neither here nor in its registry.
    """
    found = await presence.find(image)
    if found is None:
        size = format_size(await presence.size(image))
        return [
            f"it is not on this machine: {size} would be pulled first, and what it lacks be found"
        ]
    facts = await presence.facts(found, image, cache)
    return [*foreseen(facts, environment, language)]


def foreseen(
    facts: ImageFacts | None, environment: Environment | None, language: str
) -> Iterator[str]:
    """What becomes of each package in the image, in lines."""
    if facts is None:
        yield "nobody has looked into it yet: what it lacks would be found out first"
        return
    difference = diff(environment or Environment(), facts, kernel=language == "python")
    conflicts = difference.of_kind(CONFLICT)
    yield from (f"conflict: {row.sentence}" for row in conflicts)
    kept = [f"{row.name} {row.image}".strip() for row in difference.of_kind(KEEP)]
    if kept:
        yield f"the image's own: {', '.join(kept)}"
    added = [row.requirement for row in difference.of_kind(LAYER)]
    if added:
        yield f"would be added as a layer: {', '.join(added)}, and what they need"
    elif not conflicts:
        yield "nothing would be added"
    told = [row.sentence for kind in (KEEP, LAYER, MISSING) for row in difference.of_kind(kind)]
    yield from (f"note: {text}" for text in (*told, *difference.notes) if text)
