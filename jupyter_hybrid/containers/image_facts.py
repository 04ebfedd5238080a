"""What an image in a registry has, learned once for each digest, without running it.

Its layers pass through this machine's memory, one after the other, and never its disk.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from functools import partial
from typing import Any, BinaryIO, cast

from ..environment.facts import FactsCache, ImageFacts
from ..errors import RegistryError
from .blobs import read_blob
from .contents import read_contents
from .manifests import Descriptor
from .once import once
from .registry import Image, RegistryClient


async def learn_facts(client: RegistryClient, image: Image, cache: FactsCache) -> ImageFacts:
    """The image's facts: from the cache, else from its layers.

    Reading takes as long as pulling the image does, so of several who ask at once one reads; where
    an engine has it, a probe in it is quicker. Raises ``ImageError`` for layers that cannot be
    read, ``RegistryError`` for blobs that do not come or are not what their digests say.
    """
    digest = image.manifest.digest
    known = cache.get(digest)
    if known is not None:
        return known
    async with once(cache.directory.parent / "locks", f"facts {digest}"):
        known = cache.get(digest)
        if known is None:
            loop = asyncio.get_running_loop()
            layers = [partial(_open, client, image, layer, loop) for layer in image.manifest.layers]
            known = await asyncio.to_thread(read_contents, layers, image.config)
            cache.put(digest, known)
        return known


def _open(
    client: RegistryClient, image: Image, layer: Descriptor, loop: asyncio.AbstractEventLoop
) -> BinaryIO:
    session = client.session(image.endpoint)
    parts = read_blob(session, image.repository, layer)
    return cast(BinaryIO, _Stream(parts, layer, image, loop))


class _Stream:
    """A blob, read in a thread while it comes in the event loop of another."""

    def __init__(
        self,
        parts: AsyncIterator[bytes],
        layer: Descriptor,
        image: Image,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._parts, self._layer, self._image, self._loop = parts, layer, image, loop
        self._digest = hashlib.new(layer.digest.partition(":")[0])
        self._held = b""

    def __enter__(self) -> _Stream:
        return self

    def __exit__(self, kind: Any, *_: Any) -> None:
        if kind is not None:
            self._wait(self._close())
            return
        # behind the tar's end there may be bytes that count for the digest
        while self.read(1 << 20):
            pass
        if self._digest.hexdigest() != self._layer.digest.partition(":")[2]:
            raise RegistryError(
                f"{self._image.endpoint.host} sent something else for a layer of "
                f"{self._image.reference}: its digest is {self._digest.hexdigest()} instead of "
                f"{self._layer.digest}"
            )

    def read(self, size: int) -> bytes:
        """At most so many bytes; none at the end."""
        if not self._held:
            self._held = self._wait(self._next())
            self._digest.update(self._held)
        data, self._held = self._held[:size], self._held[size:]
        return data

    async def _next(self) -> bytes:
        async for part in self._parts:
            if part:
                return part
        return b""

    async def _close(self) -> bytes:
        close = getattr(self._parts, "aclose", None)
        if close is not None:
            await close()
        return b""

    def _wait(self, coroutine: Any) -> bytes:
        return bytes(asyncio.run_coroutine_threadsafe(coroutine, self._loop).result())
