"""An image on this disk, as an OCI image layout: what skopeo, podman and Apptainer read.

::

    images/oci-layout, index.json         which images are here, by their digests in the registry
    images/manifest.json                  the same, as ``docker load`` reads it
    images/blobs/sha256/…                 their manifests, configurations and layers, whole
    images/blobs/sha256/….part            what a pull that broke off has brought so far

Format: OCI image specification 1.1, "Image Layout". One directory holds any number of images, and
layers that they share once. Manifests of docker's kind are kept in OCI's words, for readers of
layouts know no others.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from ..errors import ImageError, RegistryError
from ..files import replacing
from .blobs import read_blob
from .manifests import OCI_INDEX, OCI_MANIFEST, Descriptor, digest_of, name_as_oci
from .once import once
from .registry import Image, RegistryClient
from .room import check_room

#: Blobs on their way at the same time.
_AT_ONCE = 4
_REF_NAME = "org.opencontainers.image.ref.name"

#: Told of the bytes that have come: digest, bytes so far, bytes in all.
OnBytes = Callable[[str, int, int], None]


@contextlib.asynccontextmanager
async def passing(directory: Path, image: Image) -> AsyncIterator[Path]:
    """The layout of an image that is only on its way through this disk, gone after a good end.

    Whoever wants the same image waits for the block's end, and does well to look inside the block
    whether it is needed still. After an error what has come stays: the next one takes it up.
    """
    name = _named(image.manifest.digest)
    layout = directory / "pulls" / name
    async with once(directory / "locks", f"layout {name}"):
        yield layout
        await asyncio.to_thread(shutil.rmtree, layout, ignore_errors=True)


def blob_file(layout: Path, digest: str) -> Path:
    """Where the layout has the blob, or would have it."""
    algorithm, _, name = digest.partition(":")
    return layout / "blobs" / algorithm / name


def has_image(layout: Path, digest: str) -> bool:
    """True where the image with this manifest is there, whole."""
    return any(_name(entry) == _named(digest) for entry in _index(layout)["manifests"])


async def pull(
    client: RegistryClient, image: Image, layout: Path, on_bytes: OnBytes = lambda *_: None
) -> str:
    """Bring the image into the layout, and return its name there (for ``oci:LAYOUT:NAME``).

    What is there is not brought again, and what broke off is taken up where it broke. Where
    several want the same blob, one fetches it. Raises ``ImageError`` with numbers, before anything
    is brought, where the disk is too small; the image is listed once it is whole.
    """
    name = _named(image.manifest.digest)
    if has_image(layout, image.manifest.digest):
        return name
    wanted = {item.digest: item for item in (image.manifest.config, *image.manifest.layers)}
    missing = [item for item in wanted.values() if not _is_there(layout, item)]
    needed = sum(item.size - _begun(layout, item) for item in missing)
    check_room(layout, needed, str(image.reference))
    limit = asyncio.Semaphore(_AT_ONCE)

    async def fetch(item: Descriptor) -> None:
        async with limit, once(layout / "locks", item.digest):
            if not _is_there(layout, item):
                await _fetch(client, image, item, blob_file(layout, item.digest), on_bytes)

    tasks = [asyncio.ensure_future(fetch(item)) for item in missing]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    await _enter(layout, image, name)
    return name


def _is_there(layout: Path, item: Descriptor) -> bool:
    try:
        return blob_file(layout, item.digest).stat().st_size == item.size
    except OSError:
        return False


def _begun(layout: Path, item: Descriptor) -> int:
    try:
        return _part(blob_file(layout, item.digest)).stat().st_size
    except OSError:
        return 0


def _part(path: Path) -> Path:
    return path.with_name(path.name + ".part")


async def _fetch(
    client: RegistryClient, image: Image, item: Descriptor, path: Path, on_bytes: OnBytes
) -> None:
    session, part = client.session(image.endpoint), _part(path)
    digest = hashlib.new(item.digest.partition(":")[0])
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("a+b") as file:
            file.seek(0)
            while block := file.read(1 << 20):
                digest.update(block)
            come = file.tell()
            if come <= item.size:
                async for data in read_blob(session, image.repository, item, come):
                    file.write(data)
                    digest.update(data)
                    come += len(data)
                    on_bytes(item.digest, come, item.size)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise ImageError(
            f"{image.reference} cannot be kept at {path.parent}: {error.strerror}; "
            "make room there, or choose another disk (c.Hybrid.directory)"
        ) from error
    if digest.hexdigest() != item.digest.partition(":")[2]:
        part.unlink()
        raise RegistryError(
            f"{image.endpoint.host} sent something else for a layer of {image.reference}: its "
            f"digest is {digest.hexdigest()} instead of {item.digest}"
        )
    part.rename(path)


async def _enter(layout: Path, image: Image, name: str) -> None:
    """List the image, whose blobs are all there."""
    document = json.loads(image.manifest.raw)
    raw = image.manifest.raw
    if image.manifest.media_type != OCI_MANIFEST:
        name_as_oci(document)
        raw = json.dumps(document).encode()
    manifest = blob_file(layout, digest_of(raw))
    manifest.parent.mkdir(parents=True, exist_ok=True)
    with replacing(manifest) as file:
        file.write(raw)
    entry = {
        "mediaType": OCI_MANIFEST,
        "digest": digest_of(raw),
        "size": len(raw),
        "annotations": {_REF_NAME: name},
    }
    async with once(layout / "locks", "index"):
        index = _index(layout)
        others = [old for old in index["manifests"] if _name(old) != name]
        with replacing(layout / "oci-layout") as file:
            file.write(b'{"imageLayoutVersion": "1.0.0"}')
        with replacing(layout / "index.json") as file:
            file.write(json.dumps({**index, "manifests": [*others, entry]}).encode())
        _enter_for_docker(layout, image)


def _enter_for_docker(layout: Path, image: Image) -> None:
    """Add the image to what Docker reads (Docker Image Specification v1.2, "manifest.json")."""

    def below(item: Descriptor) -> str:
        return str(blob_file(layout, item.digest).relative_to(layout))

    layers = [below(item) for item in image.manifest.layers]
    entry = {"Config": below(image.manifest.config), "RepoTags": None, "Layers": layers}
    path = layout / "manifest.json"
    try:
        entries = json.loads(path.read_bytes())
    except (OSError, ValueError):
        entries = []
    with replacing(path) as file:
        file.write(json.dumps([*(old for old in entries if old != entry), entry]).encode())


def _named(digest: str) -> str:
    return digest.partition(":")[2]


def _name(entry: dict[str, Any]) -> str:
    return str((entry.get("annotations") or {}).get(_REF_NAME, ""))


def _index(layout: Path) -> dict[str, Any]:
    try:
        index: dict[str, Any] = json.loads((layout / "index.json").read_bytes())
    except FileNotFoundError:
        return {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}
    except ValueError as error:
        raise ImageError(f"{layout / 'index.json'} is damaged; remove it") from error
    return index
