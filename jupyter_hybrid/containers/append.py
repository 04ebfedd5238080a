"""Base image + layers → an image in a registry, without a daemon, root or a rebuild.

Only what the registry lacks is sent. The base's blobs are mounted from where they are; where the
base is in another registry, they pass through this machine's memory once, and never its disk.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from ..errors import ImageError, RegistryError
from ..files import replacing
from ..units import format_size
from .blobs import BytesSource, FileSource, RemoteSource, Source, has_blob
from .compose import Changes, Composed, compose
from .layers import Layer
from .manifests import Descriptor
from .once import once
from .references import Reference
from .registry import Image, RegistryClient
from .uploads import Upload, mount

log = logging.getLogger(__name__)

#: Blobs on their way at the same time.
_AT_ONCE = 6
#: What registries say of a manifest whose blobs they lack (OCI distribution, "Error codes").
_BLOB_UNKNOWN = frozenset({"MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN"})


@dataclass(frozen=True)
class Blob:
    """What became of one blob of a new image: ``there``, ``mounted`` or ``sent``."""

    digest: str
    size: int
    how: str
    #: Bytes that travelled, those of broken attempts included.
    sent: int = 0


@dataclass(frozen=True)
class Pushed:
    """An image that can be pulled now."""

    #: With its digest.
    reference: Reference
    base: Reference
    #: Empty where the registry had the image already.
    blobs: tuple[Blob, ...] = ()

    @property
    def sent(self) -> int:
        """Bytes of blobs that travelled."""
        return sum(blob.sent for blob in self.blobs)


@dataclass(frozen=True)
class Append:
    """What is to be made: the base with the layers on top, under the name ``target``."""

    base: Image
    layers: Sequence[Layer]
    target: Reference
    changes: Changes = field(default_factory=Changes)
    #: False where blobs of a base in another registry may not pass through this machine.
    copy: bool = True


async def append(client: RegistryClient, wish: Append, directory: Path) -> Pushed:
    """Make the image and return its name with its digest; the second time nothing is sent.

    The manifest is written last: until then nothing has the target's name. ``directory`` is one of
    this user's, by which processes wait for each other, so that a layer is sent once, and in which
    they note what a registry had. Raises ``RegistryError``, and
    ``ImageError`` where a layer's file is not what it is said to be.
    """
    made = compose(wish.base, wish.layers, wish.changes)
    target = wish.target.at(made.digest)
    work = _Work(client, wish, directory)
    at_hand, has_base = await asyncio.gather(client.digest(target), work.has_base())
    if at_hand == made.digest:
        if wish.target.tag and await client.digest(wish.target) != made.digest:
            await client.put_manifest(wish.target, made.manifest, made.media_type)
        return Pushed(target, wish.base.reference)
    blobs = await work.bring(made, has_base)
    try:
        await client.put_manifest(wish.target, made.manifest, made.media_type)
    except RegistryError as error:
        if not error.context.get("codes", frozenset()) & _BLOB_UNKNOWN:
            raise
        # what it had, it has lost, or somebody else was mounting the same at that moment
        again = await work.bring(made, has_base=False)
        blobs = [_both(*pair) for pair in zip(blobs, again, strict=True)]
        await client.put_manifest(wish.target, made.manifest, made.media_type)
    work.note(made.digest)
    return Pushed(target, wish.base.reference, tuple(blobs))


def _both(first: Blob, second: Blob) -> Blob:
    """What became of a blob that was brought twice."""
    how = "sent" if "sent" in (first.how, second.how) else second.how
    return replace(second, how=how, sent=first.sent + second.sent)


class _Work:
    def __init__(self, client: RegistryClient, wish: Append, directory: Path) -> None:
        self._client, self._wish = client, wish
        self._endpoint = client.settings.push_to(wish.target.registry)
        self._session = client.session(self._endpoint)
        self._repository = wish.target.repository
        self._limit = asyncio.Semaphore(_AT_ONCE)
        self._locks = directory
        key = f"{self._endpoint.host} {self._repository} {wish.base.manifest.digest}"
        self._note = directory / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.pushed"

    async def has_base(self) -> bool:
        """True where an image on the same base, pushed before, is still there with all its layers.

        One question instead of one for each layer of the base, of which NGC's have many.
        """
        try:
            digest = self._note.read_text()
        except OSError:
            return False
        return await self._client.digest(self._wish.target.at(digest)) == digest

    def note(self, digest: str) -> None:
        """Remember an image that is there now."""
        try:
            with replacing(self._note) as file:
                file.write(digest.encode())
        except OSError as error:
            log.debug("%s is not noted: %s", digest, error)

    async def bring(self, made: Composed, has_base: bool) -> list[Blob]:
        """Bring everything that the manifest names into the repository."""
        seen, tasks = set[str](), list[Coroutine[Any, Any, Blob]]()
        for descriptor in self._wish.base.manifest.layers:
            # docker's "foreign" layers are had elsewhere; an empty layer may occur many times
            if not descriptor.urls and descriptor.digest not in seen:
                seen.add(descriptor.digest)
                tasks.append(self._limited(partial(self._of_base, descriptor, has_base)))
        for layer in self._wish.layers:
            if layer.digest not in seen:
                seen.add(layer.digest)
                descriptor = Descriptor(layer.media_type, layer.digest, layer.size)
                source = FileSource(descriptor, layer.path)
                tasks.append(self._limited(partial(self._ours, source)))
        tasks.append(self._limited(partial(self._config, made)))
        return await _together(tasks)

    async def _config(self, made: Composed) -> Blob:
        """The configuration is new, like the manifest that names it: nobody is asked first."""
        source = BytesSource(made.config_descriptor, made.config)
        upload = Upload(self._session, self._repository, source)
        await upload.run()
        return Blob(source.descriptor.digest, source.descriptor.size, "sent", upload.sent)

    async def _limited(self, work: Callable[[], Coroutine[Any, Any, Blob]]) -> Blob:
        # (a coroutine that is made before its turn is never awaited where an error ends the rest)
        async with self._limit:
            return await work()

    async def _of_base(self, descriptor: Descriptor, has_base: bool) -> Blob:
        base = self._wish.base
        if has_base:
            return Blob(descriptor.digest, descriptor.size, "there")
        if base.endpoint == self._endpoint:
            if base.repository == self._repository:
                return Blob(descriptor.digest, descriptor.size, "there")
            if await self._mounted(descriptor, base.repository):
                return Blob(descriptor.digest, descriptor.size, "mounted")
        if not self._wish.copy and not await has_blob(self._session, self._repository, descriptor):
            raise ImageError(
                f"{self._endpoint.host} lacks a layer ({format_size(descriptor.size)}) of "
                f"{base.reference}, which is at {base.endpoint.host}; push the base there first"
            )
        session = self._client.session(base.endpoint)
        return await self._ours(RemoteSource(descriptor, session, base.repository))

    async def _mounted(self, descriptor: Descriptor, repository: str) -> bool:
        try:
            return await mount(self._session, self._repository, descriptor, repository)
        except RegistryError as error:
            # a token for one repository may not do for two
            if error.context.get("http_status") in (401, 403):
                return False
            raise

    async def _ours(self, source: Source) -> Blob:
        """Bring a blob there unless it is; of several processes one sends it."""
        descriptor = source.descriptor
        key = f"{self._endpoint.host} {self._repository} {descriptor.digest}"
        async with once(self._locks, key):
            if await has_blob(self._session, self._repository, descriptor):
                return Blob(descriptor.digest, descriptor.size, "there")
            upload = Upload(self._session, self._repository, source)
            await upload.run()
        return Blob(descriptor.digest, descriptor.size, "sent", upload.sent)


async def _together(work: Sequence[Coroutine[Any, Any, Blob]]) -> list[Blob]:
    """All results; the first error ends the others."""
    tasks = [asyncio.ensure_future(item) for item in work]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
