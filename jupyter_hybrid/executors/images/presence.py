"""An image on this machine: looked for, brought from its registry, and looked into."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...containers.engines import Command, Container, Engine
from ...containers.once import once
from ...containers.room import UNPACKED, check_room
from ...environment.facts import FactsCache, ImageFacts, parse_probe, probe_command
from ...errors import ImageError, PlaceError
from ...telling import Bytes, tell
from .commands import complaint, run
from .starting import IN_EVERY_IMAGE

if TYPE_CHECKING:
    from ...containers.endpoints import RegistrySettings
    from ...containers.registry import Image, RegistryClient

#: Seconds for an image on its way, and for a look into it.
PULL, LOOK = 6 * 3600.0, 300.0


@dataclass(frozen=True)
class Present:
    """An image that is here."""

    #: 64 hex digits: named by its content.
    id: str
    #: What the engine runs: the id, or the path of a SIF.
    run: str
    #: ``name@sha256:…`` in the registries it came from, where that is known.
    digests: tuple[str, ...] = ()


class Presence:
    """Images of one engine on this machine."""

    def __init__(
        self, engine: Engine, directory: Path, registries: RegistrySettings | None
    ) -> None:
        self._engine, self._directory = engine, directory
        self._registries = registries

    async def image(self, name: str) -> Present:
        """The image, brought from its registry where it is not here.

        Raises ``ImageError`` where there is none, or no room for it, ``RegistryError`` where the
        registry does not give it. Where several want the same image, one brings it.
        """
        found = await self.find(name)
        if found is not None:
            return found
        async with once(self._directory / "locks", f"{self._engine.name} {name}"):
            found = await self.find(name)
            if found is None:
                await self._bring(name)
                found = await self.find(name)
        if found is None:
            raise PlaceError(f"{self._engine.name} has pulled {name} and does not know it")
        return found

    async def find(self, name: str) -> Present | None:
        """The image, where the engine has it."""
        for called in dict.fromkeys((name, local_name(name))):
            command = self._engine.inspect(called)
            done = await run(command) if command is not None else None
            if done is not None and done.returncode == 0:
                image = self._engine.parse_inspect(done.stdout)
                return Present(image.id, image.id, image.digests)
        return None

    async def size(self, name: str) -> int:
        """Bytes that a pull would bring, as its registry says; raises as ``image``."""
        from ...containers.references import parse_reference

        async with self._client() as client:
            return (await client.image(parse_reference(name))).manifest.size

    async def remove(self, name: str) -> None:
        """Remove what ``find`` finds; raises ``PlaceError`` where a container still uses it."""
        command = self._engine.remove_image(local_name(name))
        done = await run(command) if command is not None else None
        if done is not None and done.returncode != 0:
            raise PlaceError(f"{self._engine.name} cannot remove {name}: {complaint(done)}")

    async def _bring(self, name: str) -> None:
        # only here: the client of registries takes longer to import than all else takes
        from ...containers.pull import passing, pull
        from ...containers.references import parse_reference

        reference = parse_reference(name)
        async with self._client() as client:
            image = await client.image(reference)
            await self._check_room(image, name)
            async with passing(self._directory, image) as layout:
                load = self._engine.load(layout, image.manifest.digest.rpartition(":")[2])
                if load is None:
                    raise PlaceError(f"{self._engine.name} keeps no images of registries")
                await pull(client, image, layout, Bytes(f"pulling {name}", image.manifest.size))
                await self._load(load, name)

    async def _load(self, load: Command, name: str) -> None:
        tell(f"{self._engine.name} unpacks {name}")
        done = await run(load, timeout=PULL)
        if done.returncode != 0:
            raise PlaceError(f"{self._engine.name} cannot take {name}: {complaint(done)}")
        tag = self._engine.tag(done.stdout.split()[-1], local_name(name))
        if tag is not None and (tagged := await run(tag)).returncode != 0:
            raise PlaceError(f"{self._engine.name} cannot name {name}: {complaint(tagged)}")

    def _client(self) -> RegistryClient:
        from ...containers.endpoints import RegistrySettings
        from ...containers.registry import RegistryClient

        settings = self._registries or RegistrySettings()
        return RegistryClient(settings, cache=self._directory / "configurations")

    async def _check_room(self, image: Image, name: str) -> None:
        command = self._engine.storage()
        done = await run(command) if command is not None else None
        if done is not None and done.returncode == 0 and done.stdout.strip():
            needed = int(image.manifest.size * UNPACKED)
            way_out = f"remove images that nobody needs ({self._engine.name} image prune)"
            check_room(Path(done.stdout.strip()), needed, f"{name}, unpacked,", way_out)

    async def facts(self, image: Present, name: str, cache: FactsCache) -> ImageFacts:
        """What the image has: known by its id, else found out by a look into it."""
        known = cache.get(image.id)
        if known is not None:
            return known
        async with once(self._directory / "locks", f"facts {image.id}"):
            known = cache.get(image.id)
            if known is None:
                known = await self._look(image, name)
                cache.put(image.id, known)
            return known

    async def _look(self, image: Present, name: str) -> ImageFacts:
        container = Container(
            image=image.run,
            argv=tuple(probe_command()),
            name=f"jupyter-hybrid-look-{image.id[:12]}-{os.getpid()}",
            cwd=Path("/"),
            env=IN_EVERY_IMAGE,
            user=(os.getuid(), os.getgid()),
            network=False,
        )
        done = await run(self._engine.run(container), timeout=LOOK)
        if "/bin/sh" in done.stderr and done.returncode in (126, 127):
            raise ImageError(
                f"{name} has no /bin/sh, and so no Python that a notebook could run with: choose "
                "an image with Python 3.8 or newer"
            )
        if done.returncode != 0 and not done.stdout:
            # an engine that could not start it, or the probe before its first word
            raise PlaceError(f"{self._engine.name} cannot run {name}: {complaint(done)}")
        return parse_probe(done.stdout)


def local_name(name: str) -> str:
    """What the image is called here: engines give no names to what is named by its digest."""
    _, at, digest = name.partition("@")
    return f"localhost/jupyter-hybrid:{digest.rpartition(':')[2]}" if at else name
