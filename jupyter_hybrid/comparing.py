"""What the image of a job has of what the notebook needs, before anything is brought or made."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .environment.diff import diff
from .errors import ImageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from .environment.diff import Difference, Row
    from .environment.facts import ImageFacts
    from .environment.needs import Environment
    from .executors.base import Executor
    from .spec import JobSpec


@dataclass(frozen=True)
class Comparison:
    """Needs against an image, as far as it is known."""

    image: str
    #: False where nobody has looked into the image yet: then the needs stand in ``rows`` alone.
    known: bool
    rows: tuple[Row, ...] = ()
    notes: tuple[str, ...] = ()
    #: Versions of what would be added, with all that it needs, by name; empty unless resolved.
    added: Mapping[str, str] = field(default_factory=dict)


async def compare(
    executor: Executor,
    spec: JobSpec,
    environment: Callable[[], Environment | None],
    *,
    resolve: bool = False,
) -> Comparison | None:
    """What would become of each need; None for a job in no image, or in one that is left as it is.

    Nothing is brought or made: an image that is not there yet is not known. ``resolve`` finds out
    the versions of what would be added, for which an index of packages is asked.
    ``environment`` is called in a thread, and only where there is an image; None of it is as none
    of an image. Raises ``ImageError`` for images that the target cannot have, and ``PlaceError``.
    """
    image = executor.image(spec)
    if not image or not executor.adds_packages:
        return None
    needs = await asyncio.to_thread(environment)
    if needs is None:
        return None
    facts = await executor.known_facts(spec)
    if facts is None:
        return Comparison(image, known=False, rows=_asked(needs), notes=needs.notes)
    kernel = spec.language == "python"
    difference = await asyncio.to_thread(diff, needs, facts, kernel=kernel)
    notes, added = difference.notes, {}
    if resolve and difference.wanted and not difference.conflicts:
        try:
            added = await _resolved(executor, difference, facts, needs)
        except ImageError as error:
            notes = (*notes, str(error))
    return Comparison(image, known=True, rows=difference.rows, notes=notes, added=added)


async def _resolved(
    executor: Executor, difference: Difference, facts: ImageFacts, needs: Environment
) -> dict[str, str]:
    from .containers.environments import PackageLayers

    layers = PackageLayers(executor.target.images / "layers")
    lock = await layers.lock(difference, facts, needs.sources)
    return {package.name: package.version for package in lock.packages} if lock else {}


def _asked(environment: Environment) -> tuple[Row, ...]:
    from .environment.diff import Row

    needs = sorted(environment.needs, key=lambda need: need.name)
    return tuple(Row("", need.name, need.specifier or need.version or "") for need in needs)
