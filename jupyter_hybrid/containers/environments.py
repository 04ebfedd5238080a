"""The layer of packages that an image lacks: resolved, fetched and packed once, then kept.

::

    Difference + ImageFacts ─ resolve ─> Lock ─ unpack ─> tree ─ pack ─> Layer
                    └── the same question again: the answer is on the disk ──┘
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..environment.diff import Difference
from ..environment.facts import ImageFacts
from ..environment.installed import installation
from ..environment.probe import canonical
from ..errors import ImageError
from ..files import replacing
from .indexes import uv_environment
from .layers import GZIP, Layer
from .locks import FORMAT, Lock, uv_platform
from .once import once
from .packing import differences, environment_entries, look_over
from .stubs import repack, write_stubs
from .tars import write_layer
from .uv import Unresolvable, Uv, Wanted

#: Directories of ours in an image.
ROOT = "opt/jupyter-hybrid"


@dataclass(frozen=True)
class PackageLayer:
    """A layer of packages, and what a user should know of it."""

    layer: Layer
    #: Where the packages are in the image; the kernel looks there last of all.
    directory: str
    #: Versions by name.
    packages: Mapping[str, str]
    lock: str = ""
    notes: tuple[str, ...] = field(default_factory=tuple)

    def to_json(self) -> dict[str, Any]:
        """A JSON object; ``from_json`` reads it back, beside the layer's file."""
        data = asdict(self)
        data["layer"]["path"] = self.layer.path.name
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any], directory: Path) -> PackageLayer:
        """Read ``to_json``'s object."""
        layer = dict(data["layer"])
        layer["path"] = directory / layer["path"]
        values = {**data, "layer": Layer(**layer), "notes": tuple(data["notes"])}
        return cls(**values)


class PackageLayers:
    """Makes layers of packages, and keeps them in a directory."""

    def __init__(self, directory: Path, *, media_type: str = GZIP) -> None:
        self._directory, self._media_type = directory, media_type

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
        key = _question(difference, facts, sources or {}, self._media_type)
        known = self._answer(key)
        if known is not None:
            return known[0]
        async with once(self._directory / "locks", f"question {key}"):
            known = self._answer(key)
            if known is not None:
                return known[0]
            made = await self._make(difference, facts, sources or {})
            self._keep_answer(key, made)
            return made

    async def lock(
        self, difference: Difference, facts: ImageFacts, sources: Mapping[str, str] | None = None
    ) -> Lock | None:
        """What the layer would hold; fetches nothing. Raises ``ImageError`` as ``layer`` does."""
        if difference.conflicts:
            raise ImageError(" ".join(f"{text}." for text in difference.conflicts))
        if not difference.wanted:
            return None
        with self._work() as work:
            uv = Uv(uv_environment(sources))
            return await self._resolve(uv, difference, facts, work)

    @contextlib.contextmanager
    def _work(self) -> Iterator[Path]:
        """A directory on the disk of the layers, for as long as the block lasts."""
        self._directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._directory, prefix=".work-") as name:
            yield Path(name).absolute()

    async def _make(
        self, difference: Difference, facts: ImageFacts, sources: Mapping[str, str]
    ) -> PackageLayer | None:
        uv = Uv(uv_environment(sources))
        with self._work() as work:
            lock = await self._resolve(uv, difference, facts, work)
            if not lock.packages:
                return None
            async with once(self._directory / "locks", f"lock {lock.digest}"):
                made = self._made(lock.digest)
                if made is None:
                    await uv.unpack(lock, work / "tree", work)
                    made = await asyncio.to_thread(self._pack, lock, facts, difference, work)
                return made

    async def _resolve(self, uv: Uv, difference: Difference, facts: ImageFacts, work: Path) -> Lock:
        constraints = write_stubs(facts, self._directory / "stubs")
        constraints += [line for line in facts.constraints.splitlines() if line.strip()]
        constraints += difference.constraints
        wanted = Wanted(
            requirements=(*_requirements(difference, self._directory / "wheels", bare=False),),
            constraints=tuple(_others(constraints, facts)),
            preferences=difference.preferences,
            python=facts.python or "",
            platform=uv_platform(facts),
            leave_out=frozenset(facts.packages),
        )
        try:
            lock = await uv.resolve(wanted, work)
        except Unresolvable as error:
            bare = tuple(_requirements(difference, self._directory / "wheels", bare=True))
            if bare == wanted.requirements:
                raise _explained(error, facts) from error
            try:
                lock = await uv.resolve(_with(wanted, bare), work)
            except Unresolvable as again:
                raise _explained(again, facts) from again
        place = json.dumps([facts.pth, facts.executable])
        return Lock(lock.python, lock.platform, lock.packages, lock.built, place)

    def _pack(
        self, lock: Lock, facts: ImageFacts, difference: Difference, work: Path
    ) -> PackageLayer:
        tree = work / "tree"
        packages, notes = look_over(tree, lock, facts)
        notes += differences(packages, difference)
        directory = f"{ROOT}/environments/{lock.digest[:16]}"
        layer = write_layer(
            environment_entries(tree, directory, facts, lock),
            self._directory / f"{lock.digest}.tar",
            media_type=self._media_type,
            comment=f"{len(packages)} Python packages, lock {lock.digest[:16]}",
        )
        made = PackageLayer(layer, f"/{directory}", packages, lock.digest, tuple(notes))
        _write(self._directory / f"{lock.digest}.json", made.to_json())
        _write(self._directory / f"{lock.digest}.lock.json", lock.to_json())
        return made

    def _made(self, digest: str) -> PackageLayer | None:
        """The layer of the lock, where it is whole."""
        try:
            data = json.loads((self._directory / f"{digest}.json").read_bytes())
            made = PackageLayer.from_json(data, self._directory)
            whole = made.layer.path.stat().st_size == made.layer.size
            return made if whole and made.layer.media_type == self._media_type else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _answer(self, key: str) -> tuple[PackageLayer | None] | None:
        """What was made for the question, in a tuple; None where it has not been asked yet."""
        try:
            data = json.loads((self._directory / "questions" / f"{key}.json").read_bytes())
        except (OSError, ValueError):
            return None
        if data.get("lock") is None:
            return (None,)
        made = self._made(str(data["lock"]))
        return None if made is None else (made,)

    def _keep_answer(self, key: str, made: PackageLayer | None) -> None:
        (self._directory / "questions").mkdir(exist_ok=True)
        lock = made.lock if made is not None else None
        _write(self._directory / "questions" / f"{key}.json", {"lock": lock})


def _question(
    difference: Difference, facts: ImageFacts, sources: Mapping[str, str], media_type: str
) -> str:
    rows = [
        (row.requirement, row.bare, row.local and _stamp(row.name)) for row in difference.wanted
    ]
    data = [FORMAT, media_type, rows, difference.constraints, dict(difference.preferences), facts.to_json(), dict(sources)]
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


def _write(path: Path, data: Mapping[str, Any]) -> None:
    with replacing(path) as file:
        file.write(json.dumps(data).encode())
