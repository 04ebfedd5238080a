"""Images for jobs: a base with the runner, packages and the job's files on top, in a registry.

Each layer is named by its content: a registry and a node that have it do not get it again, and the
digest of the image is the record of what ran. What changes with each cell (the notebook, variables,
the job's key) is in no image.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from ...bundle import Bundle
from ...containers.append import Append, append
from ...containers.compose import BASE_DIGEST, BASE_NAME, Changes
from ...containers.endpoints import RegistrySettings
from ...containers.environments import PackageLayers
from ...containers.image_facts import learn_facts
from ...containers.layer_store import ROOT, PackageLayer
from ...containers.layers import Layer
from ...containers.once import once
from ...containers.references import parse_reference
from ...containers.registry import Image, RegistryClient
from ...containers.tars import Entry, write_layer
from ...environment.diff import diff
from ...environment.facts import FactsCache, ImageFacts
from ...environment.needs import Environment, Need
from ...errors import ImageError
from ...files import replacing
from ...paths import blob_directory, blob_path
from ...spec import JobSpec
from ..base import Prepared, TargetConfig
from ..images.preparing import Layers, make_layers
from .manifest import BASE, Inside

#: Where the job's files are in its image, by content.
BLOBS = f"{ROOT}/blobs"


class Imaging:
    """Makes the images of one target's jobs, and writes them to the repository ``push``."""

    def __init__(self, target: TargetConfig, push: str, also: Sequence[str] = ()) -> None:
        """``also``: packages by which results are left in the site's object store."""
        self._target, self._push = target, push
        self._also = tuple(Need(name=name, why="for results") for name in also)
        #: What was prepared last: a submit asks for it right after.
        self._last: tuple[tuple[str, str, str], Image, Layers] | None = None

    async def known_facts(self, image: str) -> ImageFacts | None:
        """What the image has, where its layers were read before; raises ``RegistryError``."""
        async with self._client() as client:
            found = await client.image(parse_reference(image))
        return FactsCache(self._target.images / "facts").get(found.manifest.digest)

    async def prepare(self, image: str, spec: JobSpec, environment: Environment | None) -> Prepared:
        """Make the layers that the image needs for the job."""
        async with self._client() as client:
            base, layers = await self._layers(client, image, spec, environment)
        return layers.prepared(image, base.manifest.digest)

    async def made(self, image: str, spec: JobSpec, bundle: Bundle) -> Inside:
        """Have the job's image in the registry; what is where in it.

        Raises ``ImageError`` and ``RegistryError``.
        """
        async with self._client() as client:
            base, found = await self._layers(client, image, spec, bundle.environment)
            depot = await self._client_of_store(found.facts)
            own = (found.runner, found.packages, depot)
            layers = [made.layer for made in own if made is not None]
            files = await self._files(bundle)
            layers += [files] if files is not None else []
            names = " ".join([base.manifest.digest, *(layer.digest for layer in layers)])
            tag = hashlib.sha256(names.encode()).hexdigest()[:24]
            wish = Append(
                base,
                layers,
                replace(parse_reference(self._push), tag=tag),
                Changes(labels={BASE_NAME: base.reference.name, BASE_DIGEST: base.manifest.digest}),
            )
            pushed = await append(client, wish, self._target.images / "notes")
        return Inside(
            python=found.facts.executable,
            directory=f"{BASE}/delivered/job",
            code=found.runner.directory,
            blobs=f"/{BLOBS}" if files is not None else f"{BASE}/delivered/blobs",
            there=("code", "blobs") if files is not None else ("code",),
            image=str(replace(pushed.reference, tag="")),
            client=f"/{depot.directory}" if depot is not None else "",
        )

    async def _client_of_store(self, facts: ImageFacts) -> PackageLayer | None:
        """The layer with the store's client, of which no other program in the image knows."""
        if not self._also:
            return None
        bare = replace(facts, packages={}, regular=frozenset(), site=(), pth=None, constraints="")
        difference = diff(Environment(self._also), bare, kernel=False)
        return await PackageLayers(self._target.images / "layers").layer(difference, bare)

    def _client(self) -> RegistryClient:
        settings = self._target.registries or RegistrySettings()
        return RegistryClient(settings, cache=self._target.images / "configurations")

    async def _layers(
        self, client: RegistryClient, image: str, spec: JobSpec, environment: Environment | None
    ) -> tuple[Image, Layers]:
        key = (image, spec.language, environment.fingerprint if environment else "")
        if self._last is not None and self._last[0] == key:
            return self._last[1:]
        try:
            base = await client.image(parse_reference(image))
            facts = await learn_facts(client, base, FactsCache(self._target.images / "facts"))
            layers = await make_layers(facts, spec, environment, self._target.images)
        except ImageError as error:
            raise ImageError(f"{image}: {error}") from error
        self._last = (key, base, layers)
        return base, layers

    async def _files(self, bundle: Bundle) -> Layer | None:
        """The layer with the bundle's files; made once for the same files."""
        digests = sorted({entry.digest for entry in bundle.files})
        if not digests:
            return None
        key = hashlib.sha256(" ".join(digests).encode()).hexdigest()[:32]
        directory = self._target.images / "files"
        path, known = directory / f"{key}.tar", directory / f"{key}.json"
        async with once(directory / "locks", key):
            found = _kept(path, known)
            return found or await asyncio.to_thread(self._write, digests, path, known)

    def _write(self, digests: list[str], path: Path, known: Path) -> Layer:
        blobs = blob_directory(self._target.home or self._target.root)

        def entries() -> Iterator[Entry]:
            for digest in digests:
                yield Entry(f"{BLOBS}/{digest[:2]}/{digest}", blob_path(blobs, digest))

        layer = write_layer(entries(), path, comment=f"files of a job: {len(digests)}")
        with replacing(known) as file:
            file.write(json.dumps({**asdict(layer), "path": ""}).encode())
        return layer


def _kept(path: Path, known: Path) -> Layer | None:
    try:
        layer = Layer(**{**json.loads(known.read_bytes()), "path": path})
        return layer if path.stat().st_size == layer.size else None
    except (OSError, ValueError, TypeError):
        return None
