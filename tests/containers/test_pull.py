"""Images on this disk: whole or not listed, resumed, fetched once, refused where too large."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from flaky import Flaky
from images import digest, documents, put_image
from impatience import QUICK
from liar import Liar, Reply
from registries import Daemon

from jupyter_hybrid.containers.pull import blob_file, has_image, pull
from jupyter_hybrid.containers.references import parse_reference
from jupyter_hybrid.containers.registry import Image, RegistryClient
from jupyter_hybrid.errors import ImageError, RegistryError

BIG = [{f"usr/lib/big{n}": os.urandom(400_000)} for n in range(3)]


@pytest.fixture
def liar() -> Iterator[Liar]:
    with Liar() as server:
        yield server


def skopeo(*words: str) -> None:
    command = ["skopeo", "--insecure-policy", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


async def image(client: RegistryClient, name: str) -> Image:
    return await client.image(parse_reference(name))


@pytest.mark.needs("apt:docker-registry", "apt:skopeo")
async def test_skopeo_reads_what_was_pulled(open_registry: Daemon, tmp_path: Path) -> None:
    layout, told = tmp_path / "images", dict[str, int]()
    names = [f"{open_registry.host}/nvidia/pytorch:{tag}-py3" for tag in ("24.01", "23.12")]
    async with RegistryClient(patience=QUICK) as client:
        for name in names:
            found = await image(client, name)
            where = await pull(client, found, layout, lambda d, come, size: told.update({d: come}))
            assert has_image(layout, found.manifest.digest)
            copy = tmp_path / where
            skopeo("copy", "--preserve-digests", f"oci:{layout}:{where}", f"dir:{copy}")
            layers = json.loads((copy / "manifest.json").read_bytes())["layers"]
            assert [x["digest"] for x in layers] == [x.digest for x in found.manifest.layers]
            # the older one's layer is one of the newer one's
            assert set(told) == {x.digest for x in found.manifest.layers} | {
                found.manifest.config.digest
            }
            told.clear()
            told.update({x.digest: x.size for x in found.manifest.layers[:1]})


@pytest.mark.needs("apt:docker-registry")
async def test_a_pull_that_broke_off_is_taken_up(open_registry: Daemon, tmp_path: Path) -> None:
    put_image(open_registry.host, "lab/big:1", BIG)
    layout = tmp_path / "images"
    async with RegistryClient(patience=QUICK) as client:
        found = await image(client, f"{open_registry.host}/lab/big:1")
        come = asyncio.Event()
        first = found.manifest.layers[0]
        work = asyncio.ensure_future(
            pull(client, found, layout, lambda d, n, _: come.set() if n > 100_000 else None)
        )
        await come.wait()
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        assert not has_image(layout, found.manifest.digest)
        parts = list(layout.glob("blobs/sha256/*.part"))
        assert parts
        at = {part.name.removesuffix(".part"): part.stat().st_size for part in parts}
        begun: dict[str, int] = {}
        await pull(client, found, layout, lambda d, n, _: begun.setdefault(d, n) and None)
    assert has_image(layout, found.manifest.digest)
    assert not list(layout.glob("blobs/sha256/*.part"))
    for name, size in at.items():
        assert begun.get(f"sha256:{name}", size + 1) > size
    assert digest(blob_file(layout, first.digest).read_bytes()) == first.digest


@pytest.mark.needs("apt:docker-registry")
async def test_a_line_that_breaks_is_not_noticed(open_registry: Daemon, tmp_path: Path) -> None:
    put_image(open_registry.host, "lab/big:1", BIG)
    with Flaky(open_registry.host, downward=[150_000, 300_000]) as line:
        async with RegistryClient(patience=QUICK) as client:
            found = await image(client, f"{line.host}/lab/big:1")
            await pull(client, found, tmp_path / "images")
        assert line.broken == 2
    for layer in found.manifest.layers:
        content = blob_file(tmp_path / "images", layer.digest).read_bytes()
        assert digest(content) == layer.digest


@pytest.mark.needs("apt:docker-registry")
async def test_of_two_pulls_one_fetches(open_registry: Daemon, tmp_path: Path) -> None:
    put_image(open_registry.host, "lab/twice:1", [{"twice": os.urandom(300_000)}])
    before = len(open_registry.log.read_text())
    async with RegistryClient(patience=QUICK) as client:
        found = await image(client, f"{open_registry.host}/lab/twice:1")
        layout = tmp_path / "images"
        await asyncio.gather(*(pull(client, found, layout) for _ in range(5)))
    log = open_registry.log.read_text()[before:]
    for item in found.manifest.layers:
        assert log.count(f'"GET /v2/lab/twice/blobs/{item.digest} ') == 1
    index = json.loads((layout / "index.json").read_bytes())
    assert len(index["manifests"]) == 1


def serve(liar: Liar, manifest: bytes, config: bytes, **blobs: bytes) -> None:
    kind = (("Content-Type", "application/vnd.oci.image.manifest.v1+json"),)
    liar.say("GET", "/v2/lab/x/manifests/1", Reply(200, manifest, kind))
    liar.say("GET", f"/v2/lab/x/blobs/{digest(config)}", Reply(200, config))


async def test_an_image_that_does_not_fit_is_refused_before_the_pull(
    liar: Liar, tmp_path: Path
) -> None:
    manifest, config = documents([b"layer"])
    document = json.loads(manifest)
    document["layers"][0]["size"] = 15 << 50
    serve(liar, json.dumps(document).encode(), config)
    async with RegistryClient(patience=QUICK) as client:
        found = await image(client, f"{liar.host}/lab/x:1")
        asked = len(liar.asked)
        with pytest.raises(
            ImageError, match=r"lab/x:1@sha256:\w+ needs 15360 TB at .*images, where .*B are free"
        ):
            await pull(client, found, tmp_path / "images")
    assert len(liar.asked) == asked
    assert not (tmp_path / "images").exists()


async def test_a_layer_that_is_something_else_is_not_kept(liar: Liar, tmp_path: Path) -> None:
    manifest, config = documents([b"layer"])
    serve(liar, manifest, config)
    (layer,) = json.loads(manifest)["layers"]
    path = f"/v2/lab/x/blobs/{layer['digest']}"
    liar.say("GET", path, Reply(200, b"x" * layer["size"]))
    async with RegistryClient(patience=QUICK) as client:
        found = await image(client, f"{liar.host}/lab/x:1")
        with pytest.raises(RegistryError, match="sent something else for a layer of"):
            await pull(client, found, tmp_path / "images")
    assert not has_image(tmp_path / "images", found.manifest.digest)
    left = [path.name for path in (tmp_path / "images/blobs/sha256").iterdir()]
    assert layer["digest"][7:] not in {name.removesuffix(".part") for name in left}
