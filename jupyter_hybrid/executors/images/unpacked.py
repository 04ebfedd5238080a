"""Layers as directories on this machine, for containers that see them without being rebuilt."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from ...containers.engines import Container, Engine
from ...containers.layer_store import PackageLayer
from ...containers.once import once
from ...containers.unpack import unpack
from .commands import run
from .starting import Layered

#: Seconds for compiling some thousands of modules.
COMPILE = 600.0


class Unpacked:
    """A directory of unpacked layers, each named by its lock: made once, whole or not there."""

    def __init__(self, directory: Path, engine: Engine) -> None:
        self._directory, self._engine = directory, engine

    async def layered(self, layer: PackageLayer, image: str, python: str) -> Layered:
        """The layer as a directory, compiled by the image's Python."""
        place = self._directory / layer.lock
        if place.is_dir():
            # by that it is seen to be in use
            os.utime(place)
            return Layered(layer, place)
        async with once(self._directory.parent / "locks", f"unpack {layer.lock}"):
            if not place.is_dir():
                await self._make(layer, place, image, python)
        return Layered(layer, place)

    async def _make(self, layer: PackageLayer, place: Path, image: str, python: str) -> None:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=".new-", dir=self._directory))
        try:
            tree = scratch / "tree"
            await asyncio.to_thread(unpack, layer.layer.path, tree)
            await self._compile(Layered(layer, tree), image, python)
            tree.rename(place)
        finally:
            await asyncio.to_thread(shutil.rmtree, scratch, ignore_errors=True)

    async def _compile(self, layered: Layered, image: str, python: str) -> None:
        """Write bytecode beside the modules: containers can only read them.

        Without it each job would compile what it imports; what cannot be compiled is left alone.
        """
        mount = next(layered.mounts())
        container = Container(
            image=image,
            argv=(python, "-m", "compileall", "-q", "-j", "0", str(mount.target)),
            name=f"jupyter-hybrid-compile-{layered.layer.lock[:12]}-{os.getpid()}",
            cwd=Path("/"),
            mounts=(replace(mount, read_only=False),),
            user=(os.getuid(), os.getgid()),
            network=False,
        )
        await run(self._engine.run(container), timeout=COMPILE)
