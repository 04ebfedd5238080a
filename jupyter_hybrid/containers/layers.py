"""A layer of an image: a tar on this disk, named by its content."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd"
TAR = "application/vnd.oci.image.layer.v1.tar"


@dataclass(frozen=True)
class Layer:
    """A compressed tar on this disk, as an image's manifest and configuration speak of it.

    Digests are written ``sha256:`` and 64 hex digits (OCI image specification, descriptor).
    """

    path: Path
    #: Of the file as it is, compressed: its name in a registry.
    digest: str
    #: Of the tar inside, uncompressed: its name in the image's configuration.
    diff_id: str
    #: Bytes of the file.
    size: int
    #: GZIP, ZSTD or TAR.
    media_type: str = GZIP
    #: What the image's history says of it.
    comment: str = ""
