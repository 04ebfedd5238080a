"""A real registry: open, behind TLS and a password, behind a token service, behind a mirror."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from images import a_layer, digest, documents, put_blob, put_image, put_manifest
from impatience import QUICK
from registries import PASSWORD, USER, Daemon
from token_service import TokenService

from jupyter_hybrid.containers.append import Append, append
from jupyter_hybrid.containers.endpoints import RegistrySettings
from jupyter_hybrid.containers.references import Platform, parse_reference
from jupyter_hybrid.containers.registry import RegistryClient
from jupyter_hybrid.errors import ImageError, RegistryError

pytestmark = pytest.mark.needs("apt:docker-registry")
Login = Callable[[str, str, str], None]


def a_client(settings: RegistrySettings | None = None) -> RegistryClient:
    return RegistryClient(settings, QUICK)


async def test_an_image_by_tag_and_by_digest(open_registry: Daemon) -> None:
    name = f"{open_registry.host}/nvidia/pytorch"
    async with a_client() as client:
        image = await client.image(parse_reference(f"{name}:24.01-py3"))
        again = await client.image(parse_reference(f"{name}@{image.manifest.digest}"))
    assert image.manifest == again.manifest
    assert image.reference.digest == image.manifest.digest
    assert len(image.manifest.layers) == 3
    assert image.labels == {"vendor": "a lab"}


async def test_all_tags_over_several_pages(open_registry: Daemon) -> None:
    for number in range(150):
        put_image(open_registry.host, f"many/tags:{number:03}", [{"a": b"a"}])
    async with a_client() as client:
        tags = await client.tags(parse_reference(f"{open_registry.host}/many/tags"))
    assert sorted(tags) == [f"{number:03}" for number in range(150)]


async def test_a_tag_that_does_not_exist_and_those_that_do(open_registry: Daemon) -> None:
    async with a_client() as client:
        with pytest.raises(ImageError, match=r"no tag '24\.1-py3'.*come near: 24\.01-py3"):
            await client.image(parse_reference(f"{open_registry.host}/nvidia/pytorch:24.1-py3"))
        with pytest.raises(ImageError, match=r"has no image .*/nvidia/pytroch; check its name"):
            await client.image(parse_reference(f"{open_registry.host}/nvidia/pytroch:24.01-py3"))


async def test_an_index_is_entered_by_the_platform(open_registry: Daemon) -> None:
    import json

    entries = []
    for architecture in ("amd64", "arm64"):
        manifest = put_image(
            open_registry.host,
            f"multi/arch:{architecture}",
            [{"a": b"a"}],
            architecture=architecture,
        )
        entries.append(
            {
                "mediaType": json.loads(manifest)["mediaType"],
                "digest": digest(manifest),
                "size": len(manifest),
                "platform": {"os": "linux", "architecture": architecture},
            }
        )
    index = {"mediaType": "application/vnd.oci.image.index.v1+json", "manifests": entries}
    data = json.dumps({"schemaVersion": 2, **index}).encode()
    put_manifest(open_registry.host, "multi/arch:1", data)
    reference = parse_reference(f"{open_registry.host}/multi/arch:1")
    async with a_client() as client:
        found = await client.image(reference, Platform("linux", "arm64"))
        assert found.reference.digest == entries[1]["digest"]
        assert found.config["architecture"] == "arm64"
        with pytest.raises(
            ImageError, match=r"not made for linux/ppc64le; .* linux/amd64, linux/ar"
        ):
            await client.image(reference, Platform("linux", "ppc64le"))


async def test_an_image_of_another_platform_is_refused(open_registry: Daemon) -> None:
    put_image(open_registry.host, "for/arm:1", [{"a": b"a"}], architecture="arm64")
    async with a_client() as client:
        with pytest.raises(ImageError, match="is made for linux/arm64, not for linux/amd64"):
            reference = parse_reference(f"{open_registry.host}/for/arm:1")
            await client.image(reference, Platform("linux", "amd64"))


async def test_tls_by_a_private_authority_and_a_password(
    secure_registry: Daemon,
    open_registry: Daemon,
    trusting: RegistrySettings,
    login: Login,
    tmp_path: Path,
) -> None:
    login(secure_registry.host, USER, PASSWORD)
    base = parse_reference(f"{open_registry.host}/nvidia/pytorch:24.01-py3")
    target = parse_reference(f"{secure_registry.host}/lab/job:1")
    async with a_client(trusting) as client:
        wish = Append(await client.image(base), [a_layer(tmp_path, {"job.py": b"1"})], target)
        pushed = await append(client, wish, tmp_path / "locks")
        found = await client.image(target)
    assert found.reference == pushed.reference
    assert len(found.manifest.layers) == 4


async def test_an_unknown_authority_is_told_with_the_way_out(
    secure_registry: Daemon, login: Login
) -> None:
    login(secure_registry.host, USER, PASSWORD)
    async with a_client() as client:
        with pytest.raises(RegistryError, match=r"nobody whom .* trusts .*registry_certif"):
            await client.image(parse_reference(f"{secure_registry.host}/lab/job:1"))


async def test_without_a_login_and_with_a_wrong_one(
    secure_registry: Daemon, trusting: RegistrySettings, login: Login
) -> None:
    reference = parse_reference(f"{secure_registry.host}/lab/job:1")
    async with a_client(trusting) as client:
        with pytest.raises(RegistryError, match=r"wants a login .*none was found.*docker login"):
            await client.image(reference)
    login(secure_registry.host, USER, "wrong-sesame")
    async with a_client(trusting) as client:
        with pytest.raises(RegistryError, match="refuses the login of 'ada'") as caught:
            await client.image(reference)
    assert "wrong-sesame" not in str(caught.value)


async def test_a_token_service_grants_what_is_asked_for(
    token_registry: Daemon, token_service: TokenService, login: Login, tmp_path: Path
) -> None:
    login(token_registry.host, USER, PASSWORD)
    base = await seed(token_registry, tmp_path)
    token_service.asked.clear()
    target = parse_reference(f"{token_registry.host}/lab/job:1")
    async with a_client() as client:
        wish = Append(await client.image(base), [a_layer(tmp_path, {"job.py": b"2"})], target)
        pushed = await append(client, wish, tmp_path / "locks")
    assert [blob.how for blob in pushed.blobs].count("mounted") == 1
    # a token serves many requests: pull, push, and push with the right to mount
    assert len(token_service.asked) <= 4
    assert all(user == USER for user, _ in token_service.asked)


async def seed(registry: Daemon, tmp_path: Path) -> object:
    """Put a base image into a registry that wants tokens, by our own hand."""
    import gzip

    from images import tar

    from jupyter_hybrid.containers.blobs import BytesSource
    from jupyter_hybrid.containers.manifests import Descriptor
    from jupyter_hybrid.containers.uploads import Upload

    layer = tar({"usr/lib/base": b"b" * 1000})
    manifest, config = documents([layer])
    reference = parse_reference(f"{registry.host}/private/base:1")
    async with a_client() as client:
        session = client.session(client.settings.push_to(registry.host))
        for data in (gzip.compress(layer, 1, mtime=0), config):
            source = BytesSource(Descriptor("", digest(data), len(data)), data)
            await Upload(session, "private/base", source).run()
        kind = "application/vnd.oci.image.manifest.v1+json"
        await client.put_manifest(reference, manifest, kind)
    return reference


async def test_a_guest_may_read_what_is_public_and_push_nothing(
    token_registry: Daemon, token_service: TokenService, login: Login, tmp_path: Path
) -> None:
    login(token_registry.host, USER, PASSWORD)
    base = await seed(token_registry, tmp_path)
    login(token_registry.host, "guest", "guest")
    async with a_client() as client:
        with pytest.raises(RegistryError, match=r"refuses the login of 'guest'|not let 'guest'"):
            await client.image(base)


async def test_a_token_that_ran_out_is_replaced(
    token_registry: Daemon,
    token_service: TokenService,
    login: Login,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    login(token_registry.host, USER, PASSWORD)
    base = await seed(token_registry, tmp_path)
    monkeypatch.setattr(token_service, "life", 1)
    async with a_client() as client:
        token_service.asked.clear()
        await client.image(base)
        first = len(token_service.asked)
        await client.image(base)
    assert len(token_service.asked) > first


async def test_a_refresh_token_of_docker_login(
    token_registry: Daemon, login: Login, tmp_path: Path
) -> None:
    import json

    login(token_registry.host, USER, PASSWORD)
    base = await seed(token_registry, tmp_path)
    entry = {"auth": "", "identitytoken": "a-refresh-token"}
    config = {"auths": {token_registry.host: entry}}
    (tmp_path / ".docker" / "config.json").write_text(json.dumps(config))
    async with a_client() as client:
        assert (await client.image(base)).manifest.layers


async def test_a_mirror_stands_for_nvcr(
    mirror: Daemon, open_registry: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NGC_API_KEY", "nvapi-of-ada")
    settings = RegistrySettings(registry_mirrors={"nvcr.io": mirror.host})
    async with a_client(settings) as client:
        image = await client.image(parse_reference("nvcr.io/nvidia/pytorch:24.01-py3"))
        data = await client.read(image, image.manifest.layers[0])
    assert str(image.reference).startswith("nvcr.io/nvidia/pytorch:24.01-py3@sha256:")
    assert image.endpoint.host == mirror.host
    assert digest(data) == image.manifest.layers[0].digest


async def test_mirrors_are_asked_in_turn(open_registry: Daemon, mirror: Daemon) -> None:
    put_image(open_registry.host, "second/only:1", [{"a": b"a"}])
    mirrors = [f"http://{open_registry.host}/empty", f"http://{mirror.host}"]
    settings = RegistrySettings(registry_mirrors={"nvcr.io": mirrors})
    async with a_client(settings) as client:
        image = await client.image(parse_reference("nvcr.io/second/only:1"))
        assert image.endpoint.host == mirror.host
        with pytest.raises(ImageError, match=r"no mirror of nvcr\.io has .*empty|no mirror"):
            await client.image(parse_reference("nvcr.io/nobody/has:1"))


async def test_a_project_of_harbor_stands_in_front(open_registry: Daemon) -> None:
    put_image(open_registry.host, "ngc-proxy/nvidia/cuda:12", [{"a": b"a"}])
    settings = RegistrySettings(registry_mirrors={"nvcr.io": f"{open_registry.host}/ngc-proxy"})
    async with a_client(settings) as client:
        image = await client.image(parse_reference("nvcr.io/nvidia/cuda:12"))
        assert image.repository == "ngc-proxy/nvidia/cuda"
        assert await client.tags(parse_reference("nvcr.io/nvidia/cuda")) == ["12"]


async def test_a_mirror_that_is_away_is_said(tmp_path: Path) -> None:
    settings = RegistrySettings(registry_mirrors={"nvcr.io": "127.0.0.1:9"})
    async with a_client(settings) as client:
        with pytest.raises(RegistryError, match=r"127\.0\.0\.1:9 cannot be reached"):
            await client.image(parse_reference("nvcr.io/nvidia/cuda:12"))


async def test_no_secret_reaches_a_log(
    secure_registry: Daemon,
    token_registry: Daemon,
    trusting: RegistrySettings,
    login: Login,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    import base64

    login(secure_registry.host, USER, PASSWORD)
    login(token_registry.host, USER, PASSWORD)
    with caplog.at_level(logging.DEBUG):
        base = await seed(token_registry, tmp_path)
        async with a_client(trusting) as client:
            target = parse_reference(f"{secure_registry.host}/lab/logged:1")
            layer = a_layer(tmp_path, {"job.py": b"3"})
            await append(client, Append(await client.image(base), [layer], target), tmp_path)
    text = caplog.text
    assert f"PUT https://{secure_registry.host}/v2/lab/logged/manifests/1: 201" in text
    basic = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    for secret in (PASSWORD, basic, "Bearer", "_state=", "eyJ"):
        assert secret not in text


async def test_blobs_put_by_hand_are_found(open_registry: Daemon) -> None:
    from jupyter_hybrid.containers.blobs import has_blob
    from jupyter_hybrid.containers.manifests import Descriptor

    put_blob(open_registry.host, "some/blobs", b"content")
    async with a_client() as client:
        session = client.session(client.settings.push_to(open_registry.host))
        there = Descriptor("", digest(b"content"), 7)
        assert await has_blob(session, "some/blobs", there)
        assert not await has_blob(session, "other/blobs", there)


async def test_ping_says_who_answers(secure_registry: Daemon, trusting: RegistrySettings) -> None:
    async with a_client(trusting) as client:
        assert await client.ping(secure_registry.host) == f"https://{secure_registry.host} answers"
