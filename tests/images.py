"""Small images for the tests, put into a registry without any code of ours."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jupyter_hybrid.containers.layers import GZIP, Layer

OCI = "application/vnd.oci.image.manifest.v1+json"
DOCKER = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def tar(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def a_layer(directory: Path, files: Mapping[str, bytes], comment: str = "") -> Layer:
    """A gzipped tar in the directory."""
    plain = tar(files)
    packed = gzip.compress(plain, 1, mtime=0)
    path = directory / f"{digest(packed)[7:19]}.tar.gz"
    path.write_bytes(packed)
    return Layer(path, digest(packed), digest(plain), len(packed), GZIP, comment)


def documents(
    layers: Sequence[bytes], *, docker: bool = False, architecture: str = "amd64", **extra: Any
) -> tuple[bytes, bytes]:
    """Manifest and configuration of an image whose layers are these tars."""
    config = json.dumps(
        {
            "architecture": architecture,
            "os": "linux",
            "created": "2024-01-22T18:00:00Z",
            "config": {"Env": ["PATH=/usr/bin:/bin"], "Labels": {"vendor": "a lab"}, **extra},
            "rootfs": {"type": "layers", "diff_ids": [digest(layer) for layer in layers]},
            "history": [{"created_by": "debootstrap"} for _ in layers],
        }
    ).encode()
    kind = "docker.container.image.v1+json" if docker else "oci.image.config.v1+json"
    packed = [gzip.compress(layer, 1, mtime=0) for layer in layers]
    manifest = {
        "schemaVersion": 2,
        "mediaType": DOCKER if docker else OCI,
        "config": _pointer(f"application/vnd.{kind}", config),
        "layers": [_pointer(DOCKER_LAYER if docker else GZIP, layer) for layer in packed],
    }
    return json.dumps(manifest, indent=3).encode(), config


def _pointer(media_type: str, data: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "size": len(data), "digest": digest(data)}


def put_image(host: str, name: str, layers: Sequence[Mapping[str, bytes]], **how: Any) -> bytes:
    """Put an image into an open registry as ``repository:tag``; returns its manifest."""
    repository, _, tag = name.partition(":")
    tars = [tar(layer) for layer in layers]
    manifest, config = documents(tars, **how)
    for data in (*(gzip.compress(layer, 1, mtime=0) for layer in tars), config):
        put_blob(host, repository, data)
    put_manifest(host, f"{repository}:{tag}", manifest)
    return manifest


def put_blob(host: str, repository: str, data: bytes) -> None:
    opened = _http("POST", f"http://{host}/v2/{repository}/blobs/uploads/")
    location = opened.headers["Location"]
    _http("PUT", f"{location}&digest={digest(data)}", data)


def put_manifest(host: str, name: str, manifest: bytes, version: str = "") -> None:
    repository, _, tag = name.partition(":")
    kind = json.loads(manifest)["mediaType"]
    _http("PUT", f"http://{host}/v2/{repository}/manifests/{version or tag}", manifest, kind)


def _http(method: str, url: str, data: bytes = b"", kind: str = "application/octet-stream") -> Any:
    request = urllib.request.Request(url, data, {"Content-Type": kind}, method=method)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer
