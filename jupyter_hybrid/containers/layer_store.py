"""Layers of packages on this disk: each is made once, and is whole or not there.

``LOCK.tar`` is a layer, ``LOCK.json`` what is known of it, written last; ``questions/`` has the
lock that was the answer to each question, so that nothing is resolved twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import tempfile
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..files import replacing
from .layers import GZIP, Layer
from .locks import Lock
from .once import once
from .tars import Entry, write_layer
from .uv import Uv

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
    #: The file by which the image's Python finds them; empty where there is none, or for a runner.
    pth: str = ""
    #: What each package says of its licence, by name.
    licences: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

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


@dataclass(frozen=True)
class Packed:
    """What is to become a layer."""

    #: Where its packages will be, relative to the image's root.
    directory: str
    entries: Iterable[Entry]
    packages: Mapping[str, str]
    notes: tuple[str, ...] = ()
    #: Absolute, in the image.
    pth: str = ""
    licences: Mapping[str, str] = field(default_factory=dict)


class LayerStore:
    """A directory with layers of packages."""

    def __init__(self, directory: Path, media_type: str = GZIP) -> None:
        self.directory, self._media_type = directory, media_type

    async def answered(
        self, key: str, make: Callable[[], Awaitable[PackageLayer | None]]
    ) -> PackageLayer | None:
        """The layer that answers the question ``key``; made once where it is not known yet."""
        known = self._answer(key)
        if known is not None:
            return known[0]
        async with once(self.directory / "locks", f"question {key}"):
            known = self._answer(key)
            if known is not None:
                return known[0]
            made = await make()
            (self.directory / "questions").mkdir(exist_ok=True)
            lock = made.lock if made is not None else None
            _write(self.directory / "questions" / f"{key}.json", {"lock": lock})
            return made

    @contextlib.contextmanager
    def work(self) -> Iterator[Path]:
        """A directory on the disk of the layers, for as long as the block lasts."""
        self.directory.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=self.directory, prefix=".work-")).absolute()
        try:
            yield scratch
        finally:
            # thousands of files take a third of a second, in which the layer is on its way
            threading.Thread(target=shutil.rmtree, args=(scratch, True)).start()

    async def made(
        self, uv: Uv, lock: Lock, work: Path, packed: Callable[[Path], Packed]
    ) -> PackageLayer:
        """The lock's layer: the one that is there, or what ``packed`` says of the unpacked tree."""
        async with once(self.directory / "locks", f"lock {lock.digest}"):
            found = self._made(lock.digest)
            if found is None:
                tree = work / "tree"
                await uv.unpack(lock, tree, work)
                found = await _finished(lambda: self._pack(lock, packed(tree)))
            return found

    def _pack(self, lock: Lock, packed: Packed) -> PackageLayer:
        layer = write_layer(
            packed.entries,
            self.directory / f"{lock.digest}.tar",
            media_type=self._media_type,
            comment=f"Python packages: {len(packed.packages)}; lock {lock.digest[:16]}",
        )
        made = PackageLayer(
            layer=layer,
            directory=f"/{packed.directory}",
            packages=packed.packages,
            lock=lock.digest,
            pth=packed.pth,
            licences=packed.licences,
            notes=packed.notes,
        )
        _write(self.directory / f"{lock.digest}.lock.json", lock.to_json())
        _write(self.directory / f"{lock.digest}.json", made.to_json())
        return made

    def _made(self, digest: str) -> PackageLayer | None:
        """The layer of the lock, where it is whole."""
        try:
            data = json.loads((self.directory / f"{digest}.json").read_bytes())
            made = PackageLayer.from_json(data, self.directory)
            whole = made.layer.path.stat().st_size == made.layer.size
            # by that it is seen to be in use
            os.utime(self.directory / f"{digest}.json")
            return made if whole and made.layer.media_type == self._media_type else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _answer(self, key: str) -> tuple[PackageLayer | None] | None:
        """What was made for the question, in a tuple; None where it has not been asked yet."""
        try:
            data = json.loads((self.directory / "questions" / f"{key}.json").read_bytes())
        except (OSError, ValueError):
            return None
        if data.get("lock") is None:
            return (None,)
        made = self._made(str(data["lock"]))
        return None if made is None else (made,)


async def _finished(make: Callable[[], PackageLayer]) -> PackageLayer:
    """What is made in a thread, which has ended when this does: also where the caller gives up.

    A layer that is packed while its files are being removed would lack some of them.
    """
    work = asyncio.ensure_future(asyncio.to_thread(make))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait([work])
        if not work.cancelled():
            work.exception()  # nobody is there to be told
        raise


def _write(path: Path, data: Mapping[str, Any]) -> None:
    with replacing(path) as file:
        file.write(json.dumps(data).encode())
