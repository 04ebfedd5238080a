"""From an image in a registry to one that has the packages which it lacked."""

import asyncio
import gzip
import json
from pathlib import Path

import pytest
from images import put_image
from registries import Daemon

from jupyter_hybrid.capture.packages import job_environment
from jupyter_hybrid.containers.append import Append, append
from jupyter_hybrid.containers.environments import PackageLayers
from jupyter_hybrid.containers.image_facts import learn_facts
from jupyter_hybrid.containers.references import parse_reference
from jupyter_hybrid.containers.registry import RegistryClient
from jupyter_hybrid.environment.diff import diff
from jupyter_hybrid.environment.facts import FactsCache
from jupyter_hybrid.errors import RegistryError

pytestmark = pytest.mark.needs("apt:docker-registry")

SITE = "usr/lib/python3.11/site-packages"
INFO = f"{SITE}/numpy-1.24.4.dist-info"
FILES = [
    {
        "usr/bin/python3.11": b"\x7fELF",
        "usr/lib/x86_64-linux-gnu/libc.so.6": b"GNU C Library stable release version 2.36.",
    },
    {
        f"{INFO}/METADATA": b"Name: numpy\nVersion: 1.24.4\n",
        f"{INFO}/RECORD": b"numpy/__init__.py,,\n",
        f"{SITE}/numpy/__init__.py": b"",
    },
]


async def test_facts_are_read_from_the_layers_once(open_registry: Daemon, tmp_path: Path) -> None:
    put_image(open_registry.host, "lab/python:1", FILES, docker=True)
    cache = FactsCache(tmp_path / "facts")
    async with RegistryClient() as client:
        image = await client.image(parse_reference(f"{open_registry.host}/lab/python:1"))
        facts = await learn_facts(client, image, cache)
        assert (facts.python, facts.libc, facts.executable) == (
            "3.11",
            ("glibc", "2.36"),
            "/usr/bin/python3.11",
        )
        assert {name: p.version for name, p in facts.packages.items()} == {"numpy": "1.24.4"}
        before = open_registry.log.read_text().count("/blobs/")
        assert await learn_facts(client, image, cache) == facts
        assert open_registry.log.read_text().count("/blobs/") == before


async def test_of_several_who_ask_at_once_one_reads_the_layers(
    open_registry: Daemon, tmp_path: Path
) -> None:
    put_image(open_registry.host, "lab/asked:1", FILES, docker=True)
    cache = FactsCache(tmp_path / "facts")
    async with RegistryClient() as client:
        image = await client.image(parse_reference(f"{open_registry.host}/lab/asked:1"))
        first, *others = await asyncio.gather(
            *(learn_facts(client, image, cache) for _ in range(3))
        )
    assert all(facts == first for facts in others)
    log = open_registry.log.read_text()
    for layer in image.manifest.layers:
        assert log.count(f'"GET /v2/lab/asked/blobs/{layer.digest} ') == 1


async def test_a_layer_that_is_not_its_digest_is_refused(
    open_registry: Daemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_image(open_registry.host, "lab/python:1", FILES, docker=True)

    async def other(*arguments: object) -> object:
        yield gzip.compress(bytes(10240))  # an empty tar

    monkeypatch.setattr("jupyter_hybrid.containers.image_facts.read_blob", other)
    async with RegistryClient() as client:
        image = await client.image(parse_reference(f"{open_registry.host}/lab/python:1"))
        with pytest.raises(RegistryError, match="instead of sha256:"):
            await learn_facts(client, image, FactsCache(tmp_path / "facts"))
    assert not [*tmp_path.glob("facts/*")]


async def test_from_a_notebook_to_an_image_that_runs_it(
    open_registry: Daemon, tmp_path: Path
) -> None:
    host = open_registry.host
    put_image(host, "lab/python:1", FILES, docker=True)
    (tmp_path / "requirements.txt").write_text("emcee==3.1.6\n")
    environment = job_environment(["import emcee"], tmp_path)
    async with RegistryClient() as client:
        base = await client.image(parse_reference(f"{host}/lab/python:1"))
        facts = await learn_facts(client, base, FactsCache(tmp_path / "facts"))
        layers = PackageLayers(tmp_path / "layers")
        made = await layers.layer(diff(environment, facts, kernel=False), facts)
        assert made is not None
        assert made.packages == {"emcee": "3.1.6"}
        wish = Append(base, [made.layer], parse_reference(f"{host}/lab/job:1"))
        pushed = await append(client, wish, tmp_path / "locks")
        image = await client.image(pushed.reference)
    assert image.manifest.layers[-1].digest == made.layer.digest
    assert image.config["rootfs"]["diff_ids"][-1] == made.layer.diff_id
    history = json.dumps(image.config["history"][-1])
    assert f"Python packages: 1; lock {made.lock[:16]}" in history
