"""A new image's manifest from a base image and layers. Pure: no input, no output, no clock.

The same base, layers and changes make the same bytes, and so the same digest.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import ImageError
from .layers import GZIP, Layer
from .manifests import (
    DOCKER_CONFIG,
    DOCKER_LAYER,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_MANIFEST,
    Descriptor,
    digest_of,
    name_as_oci,
)
from .registry import Image

#: OCI image specification, "Pre-Defined Annotation Keys".
BASE_NAME = "org.opencontainers.image.base.name"
BASE_DIGEST = "org.opencontainers.image.base.digest"
#: Layers that an image may have (overlayfs takes as many lower directories; docker refuses more).
MAX_LAYERS = 127


@dataclass(frozen=True)
class Changes:
    """What becomes different from the base besides its layers; None leaves it as it is."""

    labels: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    entrypoint: Sequence[str] | None = None
    command: Sequence[str] | None = None
    workdir: str | None = None
    user: str | None = None


@dataclass(frozen=True)
class Composed:
    """An image that is in no registry yet."""

    media_type: str
    manifest: bytes
    config: bytes
    config_descriptor: Descriptor

    @property
    def digest(self) -> str:
        """The manifest's digest: what the image will be known by."""
        return digest_of(self.manifest)


def compose(base: Image, layers: Sequence[Layer], changes: Changes | None = None) -> Composed:
    """The base with the layers on top, the last one uppermost; raises ``ImageError``.

    It keeps the base's kind of manifest (OCI or docker's schema 2), unless a layer is of a kind
    that only OCI knows. Labels name the base and its digest.
    """
    count = len(base.manifest.layers) + len(layers)
    if count > MAX_LAYERS:
        raise ImageError(
            f"{base.reference} would have {count} layers; container engines take {MAX_LAYERS}. "
            "Choose a base with fewer, or join yours into one"
        )
    changes = changes or Changes()
    docker = base.manifest.media_type == DOCKER_MANIFEST and all(
        x.media_type == GZIP for x in layers
    )
    config = _encode(_config(base, layers, changes))
    descriptor = Descriptor(DOCKER_CONFIG if docker else OCI_CONFIG, digest_of(config), len(config))
    document = json.loads(base.manifest.raw)
    document["schemaVersion"] = 2
    document["mediaType"] = DOCKER_MANIFEST if docker else OCI_MANIFEST
    document["config"] = _pointer(descriptor)
    if not docker:
        name_as_oci(document)
        names = {BASE_NAME: base.reference.name, BASE_DIGEST: base.manifest.digest}
        document["annotations"] = {**(document.get("annotations") or {}), **names}
    document["layers"] += [_layer(layer, docker) for layer in layers]
    return Composed(document["mediaType"], _encode(document), config, descriptor)


def _config(base: Image, layers: Sequence[Layer], changes: Changes) -> dict[str, Any]:
    config = copy.deepcopy(base.config)
    config["rootfs"]["diff_ids"] += [layer.diff_id for layer in layers]
    if "history" in config or not base.manifest.layers:
        # not the moment of now: the same layers on the same base are the same image
        created = config.get("created") or "1970-01-01T00:00:00Z"
        entries = [
            {"created": created, "created_by": "jupyter-hybrid", "comment": layer.comment}
            for layer in layers
        ]
        config["history"] = [*(config.get("history") or ()), *entries]
    inner = config["config"] = dict(config.get("config") or {})
    labels = {BASE_NAME: base.reference.name, BASE_DIGEST: base.manifest.digest, **changes.labels}
    inner["Labels"] = {**(inner.get("Labels") or {}), **labels}
    inner["Env"] = _environment(inner.get("Env") or (), changes.env)
    settings = {
        "Entrypoint": changes.entrypoint if changes.entrypoint is None else [*changes.entrypoint],
        "Cmd": changes.command if changes.command is None else [*changes.command],
        "WorkingDir": changes.workdir,
        "User": changes.user,
    }
    inner.update({key: value for key, value in settings.items() if value is not None})
    if changes.entrypoint is not None and changes.command is None:
        # the base's arguments were for the base's entry point
        inner.pop("Cmd", None)
    return config


def _environment(old: Sequence[str], new: Mapping[str, str]) -> list[str]:
    kept = [entry for entry in old if entry.partition("=")[0] not in new]
    return [*kept, *(f"{name}={value}" for name, value in new.items())]


def _layer(layer: Layer, docker: bool) -> dict[str, Any]:
    kind = DOCKER_LAYER if docker else layer.media_type
    return _pointer(Descriptor(kind, layer.digest, layer.size))


def _pointer(descriptor: Descriptor) -> dict[str, Any]:
    return {
        "mediaType": descriptor.media_type,
        "digest": descriptor.digest,
        "size": descriptor.size,
    }


def _encode(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
