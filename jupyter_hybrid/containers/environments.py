"""The layer of packages that an image lacks: resolved, fetched and packed once, then kept.

::

    Difference + ImageFacts ─ resolve ─> Lock ─ unpack ─> tree ─ pack ─> Layer
                    └── the same question again: the answer is on the disk ──┘
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..environment.diff import Difference
from ..environment.facts import ImageFacts
from ..environment.installed import installation
from ..environment.probe import canonical, scan
from ..errors import ImageError
from ..telling import tell
from .indexes import uv_environment
from .layer_store import ROOT, LayerStore, PackageLayer, Packed
from .layers import GZIP
from .locks import FORMAT, Lock, uv_platform
from .packing import differences, environment_entries, licences, look_over, pth_file
from .stubs import repack, write_stubs
from .uv import Unresolvable, Uv, Wanted


class PackageLayers:
    """Makes layers of packages, and keeps them in a directory."""

    def __init__(self, directory: Path, *, media_type: str = GZIP) -> None:
        self._store = LayerStore(directory, media_type)

    async def layer(
        self, difference: Difference, facts: ImageFacts, sources: Mapping[str, str] | None = None
    ) -> PackageLayer | None:
        """The layer with what the image lacks; None where it lacks nothing.

        It is made once, also where two jobs ask at the same time. ``sources`` are uv's variables
        of where packages come from besides. Raises ``ImageError`` for conflicts, and for what
        cannot be resolved, fetched or built.
        """
        if difference.conflicts:
            raise ImageError(" ".join(f"{text}." for text in difference.conflicts))
        if not difference.wanted:
            return None
        key = _question(difference, facts, sources or {})
        return await self._store.answered(key, lambda: self._make(difference, facts, sources or {}))

    async def lock(
        self, difference: Difference, facts: ImageFacts, sources: Mapping[str, str] | None = None
    ) -> Lock | None:
        """What the layer would hold; fetches nothing. Raises ``ImageError`` as ``layer`` does."""
        if difference.conflicts:
            raise ImageError(" ".join(f"{text}." for text in difference.conflicts))
        if not difference.wanted:
            return None
        with self._store.work() as work:
            uv = Uv(uv_environment(sources))
            return await self._resolve(uv, difference, facts, work)

    async def _make(
        self, difference: Difference, facts: ImageFacts, sources: Mapping[str, str]
    ) -> PackageLayer | None:
        uv = Uv(uv_environment(sources))
        with self._store.work() as work:
            tell("finding out which packages the image lacks")
            lock = await self._resolve(uv, difference, facts, work)
            if not lock.packages:
                return None
            tell(f"fetching {len(lock.packages)} packages that the image lacks")

            def packed(tree: Path) -> Packed:
                found = scan(str(tree))
                packages, notes = look_over(found, lock, facts)
                notes += differences(packages, difference)
                directory = f"{ROOT}/environments/{lock.digest[:16]}"
                entries = environment_entries(tree, directory, facts, lock)
                return Packed(
                    directory,
                    entries,
                    packages,
                    notes=tuple(notes),
                    pth=pth_file(facts, lock),
                    licences=licences(found),
                )

            return await self._store.made(uv, lock, work, packed)

    async def _resolve(self, uv: Uv, difference: Difference, facts: ImageFacts, work: Path) -> Lock:
        constraints = write_stubs(facts, self._store.directory / "stubs")
        constraints += [line for line in facts.constraints.splitlines() if line.strip()]
        constraints += difference.constraints
        wheels = self._store.directory / "wheels"
        wanted = Wanted(
            requirements=tuple(_requirements(difference, wheels, bare=False)),
            constraints=tuple(_others(constraints, facts)),
            preferences=difference.preferences,
            python=facts.python or "",
            platform=uv_platform(facts),
            leave_out=frozenset(facts.packages),
        )
        try:
            lock = await uv.resolve(wanted, work)
        except Unresolvable as error:
            bare = tuple(_requirements(difference, wheels, bare=True))
            if bare == wanted.requirements:
                raise _explained(error, facts) from error
            try:
                lock = await uv.resolve(_with(wanted, bare), work)
            except Unresolvable as again:
                raise _explained(again, facts) from again
        place = json.dumps([facts.pth, facts.executable])
        return Lock(lock.python, lock.platform, lock.packages, lock.built, place)


def _question(difference: Difference, facts: ImageFacts, sources: Mapping[str, str]) -> str:
    rows = [
        (row.requirement, row.bare, row.local and _stamp(row.name)) for row in difference.wanted
    ]
    preferences = dict(difference.preferences)
    data = [FORMAT, rows, difference.constraints, preferences, facts.to_json(), dict(sources)]
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


def _stamp(name: str) -> list[Any]:
    """Changes with what is installed here under the name."""
    found = installation().get(name)
    return (
        [] if found is None else [found.version, str(found.origin), found.info.stat().st_mtime_ns]
    )


def _requirements(difference: Difference, wheels: Path, *, bare: bool) -> Iterator[str]:
    for row in difference.wanted:
        if row.local:
            found = installation().get(row.name)
            if found is not None:
                yield f"{row.name} @ {repack(found, wheels).absolute().as_uri()}"
                continue
        line = row.bare if bare else row.requirement
        if line:
            yield line


def _others(constraints: list[str], facts: ImageFacts) -> Iterator[str]:
    """Constraints, without those on what the image has: it is as it is."""
    for line in constraints:
        name = re.match(r"[A-Za-z0-9][\w.-]*", line)
        if " @ file:" in line or name is None or canonical(name[0]) not in facts.packages:
            yield line


def _with(wanted: Wanted, requirements: tuple[str, ...]) -> Wanted:
    return Wanted(**{**wanted.__dict__, "requirements": requirements})


def _explained(error: Unresolvable, facts: ImageFacts) -> ImageError:
    text = str(error)
    named = {canonical(word) for word in re.findall(r"[A-Za-z0-9][\w.-]*", text)}
    kept = [f"{n} {facts.packages[n].version}" for n in sorted(named & set(facts.packages))]
    if kept:
        text += f" The image has {', '.join(kept)}, which stays."
    return ImageError(
        f"the packages that the image lacks cannot be added to it: {text} "
        "Ask for other versions in a requirements.txt beside the notebook, or choose another image"
    )
