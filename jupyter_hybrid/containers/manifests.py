"""What a registry says of an image: manifests and indexes, read and checked. No input or output.

Formats: OCI image specification 1.1 (manifest, image index, descriptor) and docker's image manifest
version 2, schema 2; they differ in their media types alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import ImageError, RegistryError
from .layers import GZIP, TAR
from .references import Platform, check_digest

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
#: Docker's media types in the words of OCI; the content is the same.
_OCI_NAMES = {
    DOCKER_MANIFEST: OCI_MANIFEST,
    DOCKER_CONFIG: OCI_CONFIG,
    DOCKER_LAYER: GZIP,
    "application/vnd.docker.image.rootfs.diff.tar": TAR,
    "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip": (
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
    ),
}
#: What is asked for; the order matters to nobody.
ACCEPT = ", ".join((OCI_INDEX, DOCKER_INDEX, OCI_MANIFEST, DOCKER_MANIFEST))
#: Bytes; docker's registry takes no larger manifest either.
MAX_MANIFEST = 4 << 20
#: Bytes; a real configuration of an image has some ten kilobytes.
MAX_CONFIG = 8 << 20


@dataclass(frozen=True)
class Descriptor:
    """A pointer to content, with its size in bytes."""

    media_type: str
    digest: str
    size: int
    #: Where it is had instead; such content is not pushed (docker's "foreign" layers).
    urls: tuple[str, ...] = ()


@dataclass(frozen=True)
class Manifest:
    """One image for one platform."""

    media_type: str
    digest: str
    #: As the registry has it, byte for byte: the digest is that of these bytes.
    raw: bytes
    config: Descriptor
    layers: tuple[Descriptor, ...]

    @property
    def size(self) -> int:
        """Bytes of all layers, compressed: what a pull transfers where nothing is there yet."""
        return sum(layer.size for layer in self.layers)


@dataclass(frozen=True)
class Index:
    """One image for several platforms."""

    media_type: str
    digest: str
    #: Manifests by platform, in the index's order.
    entries: tuple[tuple[Platform, Descriptor], ...]

    def choose(self, wanted: Platform, name: str) -> Descriptor:
        """The manifest for the platform; raises ``ImageError`` naming those that there are."""
        best: tuple[int, Descriptor] | None = None
        for platform, descriptor in self.entries:
            score = _fit(platform, wanted)
            if score and (best is None or score > best[0]):
                best = (score, descriptor)
        if best is None:
            there = ", ".join(sorted({str(p) for p, _ in self.entries})) or "none"
            raise ImageError(f"{name} is not made for {wanted}; its platforms are: {there}")
        return best[1]


def _fit(has: Platform, wanted: Platform) -> int:
    if (has.os, has.architecture) != (wanted.os, wanted.architecture):
        return 0
    if has.variant == wanted.variant:
        return 3
    # arm64 and arm64/v8 are one (containerd's platforms package)
    if not wanted.variant or (has.architecture == "arm64" and not has.variant):
        return 2
    return 0


def parse_manifest(raw: bytes, content_type: str, name: str) -> Manifest | Index:
    """Read what a registry sent for the image ``name``; ``content_type`` decides in doubt.

    Raises ``RegistryError`` where it is not what it should be, ``ImageError`` where it is of a
    kind that cannot be used.
    """
    document = _json(raw, content_type, name)
    media_type = str(document.get("mediaType") or content_type.partition(";")[0].strip())
    digest = digest_of(raw)
    try:
        if media_type in (OCI_INDEX, DOCKER_INDEX) or "manifests" in document:
            return Index(media_type, digest, tuple(_entries(document["manifests"])))
        if document.get("schemaVersion") == 1:
            raise ImageError(
                f"{name} has docker's old format (schema 1), which nothing reads any more; "
                "let its owner push it anew"
            )
        layers = tuple(_descriptor(layer) for layer in document["layers"])
        return Manifest(media_type, digest, raw, _descriptor(document["config"]), layers)
    except (KeyError, TypeError, ValueError) as error:
        raise RegistryError(
            f"the manifest of {name} is damaged: {type(error).__name__}: {error}"
        ) from None


def _json(raw: bytes, content_type: str, name: str) -> Mapping[str, Any]:
    try:
        document = json.loads(raw)
    except ValueError:
        document = None
    if isinstance(document, dict):
        return document
    begins = " ".join(raw[:60].decode("utf-8", "replace").split())
    raise RegistryError(
        f"a manifest was expected for {name}, but {content_type or 'something'} came that begins "
        f"with {begins!r}; is there a proxy or a login page in between?"
    )


def _descriptor(data: Mapping[str, Any]) -> Descriptor:
    size = data["size"]
    if not isinstance(size, int) or size < 0:
        raise ValueError(f"{size!r} is not a size")
    urls = tuple(map(str, data.get("urls") or ()))
    return Descriptor(str(data["mediaType"]), check_digest(data["digest"]), size, urls)


def _entries(manifests: Sequence[Mapping[str, Any]]) -> list[tuple[Platform, Descriptor]]:
    entries = []
    for data in manifests:
        given = data.get("platform") or {}
        os, architecture = str(given.get("os", "")), str(given.get("architecture", ""))
        # attestations of BuildKit stand among the images, as unknown/unknown
        if os != "unknown":
            platform = Platform(os, architecture, str(given.get("variant") or ""))
            entries.append((platform, _descriptor(data)))
    return entries


def parse_config(raw: bytes, name: str) -> dict[str, Any]:
    """An image's configuration (OCI image specification, config); raises ``RegistryError``."""
    config = dict(_json(raw, "", f"the configuration of {name}"))
    rootfs = config.get("rootfs")
    if not isinstance(rootfs, dict) or not isinstance(rootfs.get("diff_ids"), list):
        raise RegistryError(f"the configuration of {name} lists no layers; it is not an image")
    return config


def digest_of(data: bytes, like: str = "sha256:") -> str:
    """The digest of the data, by the algorithm of the digest ``like``."""
    algorithm = like.partition(":")[0]
    return f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"


def name_as_oci(document: dict[str, Any]) -> None:
    """Call everything in a manifest of docker's kind by its name in OCI; the blobs are the same."""
    for part in (document, document["config"], *document["layers"]):
        kind = part.get("mediaType", OCI_MANIFEST)
        part["mediaType"] = _OCI_NAMES.get(kind, kind)
