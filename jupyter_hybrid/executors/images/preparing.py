"""Everything that a job's image needs before the job starts, made or found on this machine."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...containers.engines import Apptainer, Engine
from ...containers.environments import PackageLayers
from ...containers.layer_store import PackageLayer
from ...containers.runners import RunnerLayers
from ...environment.diff import Difference, diff
from ...environment.facts import FactsCache, ImageFacts
from ...environment.needs import Environment
from ...errors import ImageError
from ...spec import JobSpec
from ..base import Prepared, TargetConfig
from .commands import first_at_work
from .presence import Presence, Present
from .settings import ImageSettings
from .starting import Interior, Layered
from .unpacked import Unpacked

if TYPE_CHECKING:
    from ...containers.endpoints import RegistrySettings


@dataclass(frozen=True)
class Layers:
    """What is put on top of an image, as layers on this disk, and what was learned on the way."""

    facts: ImageFacts
    runner: PackageLayer
    packages: PackageLayer | None
    difference: Difference

    def interior(self, image: str, directory: Path) -> Interior:
        """The image with the layers, which lie below the directory, each named by its lock.

        Image and directory are those of the machine where the job runs.
        """
        packages = Layered(self.packages, directory / self.packages.lock) if self.packages else None
        runner = Layered(self.runner, directory / self.runner.lock)
        return Interior(image, self.facts.executable, runner, packages)

    def prepared(self, image: str, digest: str) -> Prepared:
        """What the user and the site should know."""
        added = self.packages
        told = [row.sentence for row in self.difference.rows if row.sentence]
        return Prepared(
            image=image,
            digest=digest,
            packages=dict(added.packages) if added else {},
            licences=dict(added.licences) if added else {},
            notes=(*told, *self.difference.notes, *(added.notes if added else ())),
        )


@dataclass(frozen=True)
class Ready:
    """An image in which a job can be started at once."""

    engine: Engine
    layers: Layers
    interior: Interior
    prepared: Prepared


async def make_layers(
    facts: ImageFacts, spec: JobSpec, environment: Environment | None, directory: Path
) -> Layers:
    """The layers for a job in an image of which these are the facts; made where they are not there.

    ``directory`` is the target's ``images``. Raises ``ImageError`` in the words of what conflicts.
    """
    wanted = environment or Environment()
    kernel = spec.language == "python"
    difference = await asyncio.to_thread(diff, wanted, facts, kernel=kernel)
    if difference.conflicts:
        raise ImageError(" ".join(f"{text}." for text in difference.conflicts).rstrip("."))
    store = directory / "layers"
    runner = await RunnerLayers(store).layer(facts, wanted.sources)
    packages = await PackageLayers(store).layer(difference, facts, wanted.sources)
    return Layers(facts, runner, packages, difference)


class Images:
    """Images for the jobs of one target on this machine."""

    def __init__(self, target: TargetConfig, settings: ImageSettings) -> None:
        self._target, self._settings = target, settings
        self._engine: Engine | None = None
        #: What was made ready last: a submit asks for it right after it was prepared.
        self._last: tuple[tuple[str, str, str], Ready] | None = None

    async def known_facts(self, image: str) -> ImageFacts | None:
        """What the image has; None where the engine does not have the image."""
        directory = self._target.images
        presence = _presence(await self.engine(image), directory, self._target.registries)
        found = await presence.find(image)
        if found is None:
            return None
        return await presence.facts(found, image, FactsCache(directory / "facts"))

    async def prepare(self, image: str, spec: JobSpec, environment: Environment | None) -> Ready:
        """Make everything ready, and look whether it still is."""
        directory = self._target.images
        engine = await self.engine(image)
        presence = _presence(engine, directory, self._target.registries)
        found = await presence.image(image)
        try:
            facts = await presence.facts(found, image, FactsCache(directory / "facts"))
            layers = await make_layers(facts, spec, environment, directory)
            interior = await self._interior(engine, found, layers)
        except ImageError as error:
            raise ImageError(f"{image}: {error}") from error
        digest = found.digests[0].rpartition("@")[2] if found.digests else f"sha256:{found.id}"
        ready = Ready(engine, layers, interior, layers.prepared(image, digest))
        self._last = (_key(image, spec, environment), ready)
        return ready

    async def engine(self, image: str) -> Engine:
        """The engine that runs images; raises ``UsageError`` or ``PlaceError`` without one."""
        if self._engine is None:
            engines = self._settings.engines(self._target.name, image)
            self._engine = await first_at_work(engines)
        return self._engine

    async def foresee(self, image: str, spec: JobSpec, environment: Environment | None) -> str:
        """What ``prepare`` would do: engine, image, layers and conflicts, a line each."""
        from .foreseeing import foresee

        engine = await self.engine(image)
        presence = _presence(engine, self._target.images, self._target.registries)
        facts = FactsCache(self._target.images / "facts")
        lines = await foresee(presence, image, facts, environment, spec.language)
        return "\n".join([f"image: {image}, run by {engine.name}", *lines]) + "\n"

    async def ready(self, image: str, spec: JobSpec, environment: Environment | None) -> Ready:
        """What ``prepare`` made for this just now; made anew for anything else."""
        if self._last is not None and self._last[0] == _key(image, spec, environment):
            ready, self._last = self._last[1], None
            return ready
        return await self.prepare(image, spec, environment)

    async def _interior(self, engine: Engine, image: Present, layers: Layers) -> Interior:
        directory = self._target.images / "unpacked"
        unpacked = Unpacked(directory, engine)
        for layer in filter(None, (layers.runner, layers.packages)):
            await unpacked.layered(layer, image.run, layers.facts.executable)
        return layers.interior(image.run, directory)


def _presence(engine: Engine, directory: Path, registries: RegistrySettings | None) -> Presence:
    if not isinstance(engine, Apptainer):
        return Presence(engine, directory, registries)
    from .sif import Files

    return Files(engine, directory, registries)


def _key(image: str, spec: JobSpec, environment: Environment | None) -> tuple[str, str, str]:
    return image, spec.language, environment.fingerprint if environment else ""
