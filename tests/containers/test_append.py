"""Layers on a base: what travels, what is mounted, and that others read what was pushed."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from images import a_layer, digest, put_image
from impatience import QUICK
from registries import Daemon

from jupyter_hybrid.containers.append import Append, Pushed, append
from jupyter_hybrid.containers.compose import Changes
from jupyter_hybrid.containers.endpoints import RegistrySettings
from jupyter_hybrid.containers.layers import Layer
from jupyter_hybrid.containers.references import Reference, parse_reference
from jupyter_hybrid.containers.registry import RegistryClient
from jupyter_hybrid.containers.session import Call
from jupyter_hybrid.errors import ImageError

pytestmark = pytest.mark.needs("apt:docker-registry")


async def push(
    base: str, target: str, layers: list[Layer], locks: Path, changes: Changes | None = None
) -> Pushed:
    async with RegistryClient(patience=QUICK) as client:
        image = await client.image(parse_reference(base))
        wish = Append(image, layers, parse_reference(target), changes or Changes())
        return await append(client, wish, locks)


def log_since(daemon: Daemon, before: int) -> list[tuple[str, str]]:
    """Method and path of the requests that the registry has logged since."""
    found = []
    for line in daemon.log.read_text()[before:].splitlines():
        # the access log, in Apache's combined format
        if '] "' in line:
            method, path, _ = line.partition('] "')[2].split(" ", 2)
            found.append((method, path))
    return found


async def test_only_what_is_missing_travels(open_registry: Daemon, tmp_path: Path) -> None:
    host = open_registry.host
    base, target = f"{host}/nvidia/pytorch:24.01-py3", f"{host}/lab/job:1"
    layer = a_layer(tmp_path, {"job/notebook.ipynb": os.urandom(200_000)})
    before = len(open_registry.log.read_text())
    first = await push(base, target, [layer], tmp_path)
    hows = [blob.how for blob in first.blobs]
    assert hows == ["mounted", "mounted", "mounted", "sent", "sent"]
    config = first.blobs[-1]
    assert first.sent == layer.size + config.size
    # nothing of the base was downloaded but what says what it is
    asked = log_since(open_registry, before)
    read = [path for method, path in asked if method == "GET" and "/blobs/" in path]
    assert len(read) == 1
    # again: nothing travels, nothing changes
    before = len(open_registry.log.read_text())
    second = await push(base, target, [layer], tmp_path)
    assert second == replace(first, blobs=())
    assert {method for method, _ in log_since(open_registry, before)} == {"GET", "HEAD"}


async def test_another_job_on_the_same_layer_sends_its_code_alone(
    open_registry: Daemon, tmp_path: Path
) -> None:
    host = open_registry.host
    environment = a_layer(tmp_path, {"env/numpy": os.urandom(100_000)})
    code = [a_layer(tmp_path, {"job/a.py": os.urandom(100)}) for _ in range(2)]
    base, target = f"{host}/nvidia/pytorch:24.01-py3", f"{host}/lab/same"
    await push(base, f"{target}:1", [environment, code[0]], tmp_path)
    second = await push(base, f"{target}:2", [environment, code[1]], tmp_path)
    by_digest = {blob.digest: blob.how for blob in second.blobs}
    assert by_digest[environment.digest] == "there"
    assert by_digest[code[1].digest] == "sent"
    assert second.sent < 5_000


async def test_the_same_image_under_another_tag_only_gets_the_tag(
    open_registry: Daemon, tmp_path: Path
) -> None:
    host = open_registry.host
    layer = a_layer(tmp_path, {"a": b"tagged twice"})
    base = f"{host}/nvidia/pytorch:24.01-py3"
    first = await push(base, f"{host}/lab/tags:1", [layer], tmp_path)
    second = await push(base, f"{host}/lab/tags:2", [layer], tmp_path)
    assert second.blobs == ()
    assert second.reference.digest == first.reference.digest
    async with RegistryClient(patience=QUICK) as client:
        assert sorted(await client.tags(parse_reference(f"{host}/lab/tags"))) == ["1", "2"]


async def test_one_question_tells_that_the_base_is_there(
    open_registry: Daemon, tmp_path: Path
) -> None:
    host = open_registry.host
    base, target = f"{host}/nvidia/pytorch:24.01-py3", f"{host}/lab/often"
    await push(base, f"{target}:1", [a_layer(tmp_path, {"a": b"1"})], tmp_path)
    before = len(open_registry.log.read_text())
    second = await push(base, f"{target}:2", [a_layer(tmp_path, {"a": b"2"})], tmp_path)
    assert [blob.how for blob in second.blobs] == ["there"] * 3 + ["sent"] * 2
    assert not [path for _, path in log_since(open_registry, before) if "mount=" in path]


async def test_a_registry_that_lost_the_bases_layers_gets_them_again(
    open_registry: Daemon, tmp_path: Path
) -> None:
    host = open_registry.host
    base, target = f"{host}/nvidia/pytorch:24.01-py3", f"{host}/lab/loses"
    await push(base, f"{target}:1", [a_layer(tmp_path, {"a": b"1"})], tmp_path)
    async with RegistryClient(patience=QUICK) as client:
        layers = (await client.image(parse_reference(base))).manifest.layers
        session = client.session(client.settings.push_to(host))
        for lost in layers[:2]:
            path = f"/v2/lab/loses/blobs/{lost.digest}"
            await session.send(Call("DELETE", path, frozenset(), "", expect=frozenset({202})))
    layer = a_layer(tmp_path, {"a": b"2"})
    second = await push(base, f"{target}:2", [layer], tmp_path)
    assert [blob.how for blob in second.blobs] == ["mounted"] * 3 + ["sent"] * 2
    # the layer was there when the base's were brought, and had travelled all the same
    assert second.blobs[3].sent == layer.size
    async with RegistryClient(patience=QUICK) as client:
        await client.image(parse_reference(f"{target}:2"))


async def test_into_the_bases_own_repository(open_registry: Daemon, tmp_path: Path) -> None:
    host = open_registry.host
    put_image(host, "lab/own:base", [{"a": b"a"}])
    layer = a_layer(tmp_path, {"b": b"b"})
    pushed = await push(f"{host}/lab/own:base", f"{host}/lab/own:job", [layer], tmp_path)
    assert [blob.how for blob in pushed.blobs] == ["there", "sent", "sent"]


async def test_a_base_behind_a_mirror_passes_through_once(
    open_registry: Daemon, mirror: Daemon, tmp_path: Path
) -> None:
    put_image(open_registry.host, "nvidia/far:1", [{"far": os.urandom(300_000)}], docker=True)
    settings = RegistrySettings(registry_mirrors={"nvcr.io": mirror.host})
    target = parse_reference(f"{open_registry.host}/lab/far:1")
    async with RegistryClient(settings, QUICK) as client:
        base = await client.image(parse_reference("nvcr.io/nvidia/far:1"))
        wish = Append(base, [a_layer(tmp_path, {"x": b"x"})], target, copy=False)
        with pytest.raises(ImageError, match=r"lacks a layer \(29\d kB\) of nvcr\.io/nvidia/far"):
            await append(client, wish, tmp_path)
        assert await client.digest(target) is None
        pushed = await append(client, replace(wish, copy=True), tmp_path)
        found = await client.image(target)
    assert [blob.how for blob in pushed.blobs] == ["sent"] * 3
    assert found.labels["org.opencontainers.image.base.name"] == "nvcr.io/nvidia/far"
    assert found.labels["org.opencontainers.image.base.digest"] == base.manifest.digest


async def test_a_layer_that_is_not_what_it_says_leaves_no_image(
    open_registry: Daemon, tmp_path: Path
) -> None:
    host = open_registry.host
    good, bad = a_layer(tmp_path, {"a": b"good"}), a_layer(tmp_path, {"a": b"was good"})
    bad.path.write_bytes(b"something else")
    target = f"{host}/lab/half:1"
    with pytest.raises(ImageError, match="is something else by now"):
        await push(f"{host}/nvidia/pytorch:24.01-py3", target, [good, bad], tmp_path)
    async with RegistryClient(patience=QUICK) as client:
        assert await client.digest(parse_reference(target)) is None


async def test_what_waits_for_its_turn_ends_without_a_word_after_an_error(
    open_registry: Daemon, tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    host = open_registry.host
    layers = [a_layer(tmp_path, {"a": b"%d" % number}) for number in range(20)]
    layers[0].path.write_bytes(b"something else")
    # (what tests before have left is none of this one's)
    gc.collect()
    recwarn.clear()
    with pytest.raises(ImageError, match="is something else by now"):
        await push(f"{host}/nvidia/pytorch:24.01-py3", f"{host}/lab/many:1", layers, tmp_path)
    # a coroutine that nobody has awaited says so when it goes
    gc.collect()
    assert not [str(warning.message) for warning in recwarn]


async def test_a_submit_that_was_killed_half_way_is_no_hindrance(
    open_registry: Daemon, tmp_path: Path
) -> None:
    host = open_registry.host
    layers = [a_layer(tmp_path, {"a": os.urandom(500_000)}) for _ in range(3)]
    base, target = f"{host}/nvidia/pytorch:24.01-py3", f"{host}/lab/killed:1"
    work = asyncio.ensure_future(push(base, target, layers, tmp_path))
    # somewhere between its first request and its last one
    while not log_since(open_registry, 0)[-1][1].startswith("/v2/lab/killed/"):
        await asyncio.sleep(0.001)
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    pushed = await push(base, target, layers, tmp_path)
    async with RegistryClient(patience=QUICK) as client:
        assert await client.digest(parse_reference(target)) == pushed.reference.digest


SUBMIT = """
import asyncio, sys
from pathlib import Path
sys.path[:0] = {path!r}
from test_append import push
from jupyter_hybrid.containers.layers import Layer
base, target, file, digest, diff_id, size, locks = sys.argv[1:]
layer = Layer(Path(file), digest, diff_id, int(size))
pushed = asyncio.run(push(base, target, [layer], Path(locks)))
print(sum(blob.how == "sent" and blob.digest == digest for blob in pushed.blobs))
"""


async def test_of_many_processes_one_sends_the_layer(open_registry: Daemon, tmp_path: Path) -> None:
    host = open_registry.host
    layer = a_layer(tmp_path, {"env": os.urandom(3_000_000)})
    words = [f"{host}/nvidia/pytorch:24.01-py3", "", str(layer.path), layer.digest]
    words += [layer.diff_id, str(layer.size), str(tmp_path / "locks")]
    processes = []
    for number in range(4):
        words[1] = f"{host}/lab/crowd:{number}"
        command = [sys.executable, "-c", SUBMIT.format(path=sys.path), *words]
        processes.append(
            await asyncio.create_subprocess_exec(
                *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
            )
        )
    said = [await process.communicate() for process in processes]
    assert sorted(said) == [(b"0\n", b"")] * 3 + [(b"1\n", b"")]


# -- what others read


@pytest.mark.needs("apt:skopeo")
@pytest.mark.parametrize("docker", [True, False])
async def test_skopeo_copies_and_verifies_what_was_pushed(
    open_registry: Daemon, tmp_path: Path, docker: bool
) -> None:
    host, name = open_registry.host, f"read/{'docker' if docker else 'oci'}"
    put_image(host, f"{name}:base", [{"a": b"a"}, {"b": b"b"}], docker=docker)
    changes = Changes(
        labels={"job": "1"},
        env={"PATH": "/opt/bin:/usr/bin", "LAB": "x"},
        entrypoint=[],
        command=["python3", "-m", "jupyter_hybrid.runner"],
        workdir="/job",
    )
    layer = a_layer(tmp_path, {"c": b"c"}, comment="the job")
    target = f"{host}/{name}:job"
    pushed = await push(f"{host}/{name}:base", target, [layer], tmp_path, changes)
    copy = tmp_path / "copy"
    skopeo("copy", "--src-tls-verify=false", f"docker://{target}", f"dir:{copy}")
    manifest = (copy / "manifest.json").read_bytes()
    assert digest(manifest) == pushed.reference.digest
    (one,) = {x["mediaType"].split(".")[1] for x in json.loads(manifest)["layers"]}
    assert one == ("docker" if docker else "oci")
    said = json.loads(skopeo("inspect", "--config", "--tls-verify=false", f"docker://{target}"))
    assert said["config"]["Env"] == ["PATH=/opt/bin:/usr/bin", "LAB=x"]
    assert said["config"]["Cmd"] == ["python3", "-m", "jupyter_hybrid.runner"]
    assert (said["config"]["WorkingDir"], said["config"]["Labels"]["job"]) == ("/job", "1")
    assert said["history"][-1]["comment"] == "the job"
    assert said["rootfs"]["diff_ids"][-1] == layer.diff_id


def skopeo(*words: str) -> str:
    command = ["skopeo", "--insecure-policy", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.needs("root", "apt:podman", "apt:runc")
async def test_podman_pulls_and_sees_the_files(
    open_registry: Daemon, tmp_path: Path, podman: list[str]
) -> None:
    host = open_registry.host
    layer = a_layer(tmp_path, {"job/here": b"from the layer"})
    target = f"{host}/lab/podman:1"
    pushed = await push(f"{host}/nvidia/pytorch:24.01-py3", target, [layer], tmp_path)
    name = f"{host}/lab/podman@{pushed.reference.digest}"
    run(*podman, "pull", "--quiet", "--tls-verify=false", name)
    mounted = Path(run(*podman, "image", "mount", name).strip())
    assert (mounted / "job/here").read_bytes() == b"from the layer"
    assert (mounted / "usr/lib/base2").stat().st_size == 70_000
    run(*podman, "image", "unmount", name)


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_references_are_what_the_api_takes() -> None:
    assert parse_reference("a.b/c:d") == Reference("a.b", "c", "d")
