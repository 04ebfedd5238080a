"""Names of images, as people write them."""

from __future__ import annotations

import pytest
from images import documents, tar

from jupyter_hybrid.containers.compose import MAX_LAYERS, Changes, compose
from jupyter_hybrid.containers.endpoints import Endpoint, RegistrySettings, is_loopback
from jupyter_hybrid.containers.layers import ZSTD, Layer
from jupyter_hybrid.containers.manifests import (
    OCI_MANIFEST,
    Index,
    Manifest,
    parse_config,
    parse_manifest,
)
from jupyter_hybrid.containers.references import (
    Platform,
    Reference,
    parse_reference,
)
from jupyter_hybrid.containers.registry import Image
from jupyter_hybrid.errors import ConfigError, ImageError

SHA = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("nvcr.io/nvidia/pytorch:24.01-py3", ("nvcr.io", "nvidia/pytorch", "24.01-py3", "")),
        ("docker://nvcr.io/nvidia/cuda", ("nvcr.io", "nvidia/cuda", "latest", "")),
        (" NVCR.io/nvidia/cuda:12 \n", ("nvcr.io", "nvidia/cuda", "12", "")),
        ("127.0.0.1:5000/x", ("127.0.0.1:5000", "x", "latest", "")),
        ("[::1]:5000/x:1", ("[::1]:5000", "x", "1", "")),
        ("localhost/x:1", ("localhost", "x", "1", "")),
        ("ubuntu", ("docker.io", "library/ubuntu", "latest", "")),
        ("jupyter/base-notebook:2024", ("docker.io", "jupyter/base-notebook", "2024", "")),
        (f"r.lab/a/b/c@{SHA}", ("r.lab", "a/b/c", "", SHA)),
        (f"r.lab/a:1@{SHA}", ("r.lab", "a", "1", SHA)),
        ("r.lab/a__b/c-d.e:_x", ("r.lab", "a__b/c-d.e", "_x", "")),
    ],
)
def test_names(text: str, parts: tuple[str, str, str, str]) -> None:
    found = parse_reference(text)
    assert found == Reference(*parts)
    assert parse_reference(str(found)) == found


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nvcr.io/nvidia/PyTorch:24.01-py3", "written in lower case"),
        ("", "write, for example, nvcr.io/nvidia/pytorch"),
        ("nvcr.io/", "is not the name of an image"),
        ("nvcr.io/nvidia/pytorch:", "'' is not a tag"),
        ("nvcr.io/nvidia/pytorch:24.01 py3", "not a tag"),
        ("r.lab/a@sha256:12", "'sha256:12' is not a digest"),
        ("r.lab/a@md5:" + "a" * 32, "is not a digest"),
        ("r.lab/../../etc/passwd", "is not the name of an image"),
        ("r.lab/a?b=c", "is not the name of an image"),
        ("user:secret@r.lab/a", "is not a digest"),
        ("https://nvcr.io/nvidia/pytorch", "is not"),
        ("r.lab/a:" + "x" * 129, "is not a tag"),
    ],
)
def test_what_is_no_name(text: str, words: str) -> None:
    with pytest.raises(ImageError, match=words):
        parse_reference(text)


def an_index(*platforms: str) -> Index:
    entries = [
        {
            "mediaType": OCI_MANIFEST,
            "size": 1,
            "digest": f"sha256:{number:064}",
            "platform": dict(
                zip(("os", "architecture", "variant"), platform.split("/"), strict=False)
            ),
        }
        for number, platform in enumerate(platforms)
    ]
    import json

    found = parse_manifest(json.dumps({"manifests": entries}).encode(), "", "x")
    assert isinstance(found, Index)
    return found


@pytest.mark.parametrize(
    ("there", "wanted", "number"),
    [
        (("linux/amd64", "linux/arm64"), "linux/arm64", 1),
        (("linux/arm64/v8",), "linux/arm64", 0),
        (("linux/arm64",), "linux/arm64/v8", 0),
        (("linux/arm/v6", "linux/arm/v7"), "linux/arm/v7", 1),
        (("linux/amd64/v3", "linux/amd64"), "linux/amd64", 1),
        (("windows/amd64", "unknown/unknown", "linux/amd64"), "linux/amd64", 2),
    ],
)
def test_platforms_are_chosen(there: tuple[str, ...], wanted: str, number: int) -> None:
    chosen = an_index(*there).choose(Platform(*wanted.split("/")), "x")
    assert chosen.digest == f"sha256:{number:064}"


def test_attestations_are_no_platforms() -> None:
    with pytest.raises(ImageError, match=r"x is not made for linux/arm64; .* are: linux/amd64$"):
        an_index("linux/amd64", "unknown/unknown").choose(Platform("linux", "arm64"), "x")


# -- endpoints


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("localhost:5000", True),
        ("127.0.0.1:5000", True),
        ("127.8.9.1", True),
        ("[::1]:5000", True),
        ("10.0.0.1", False),
        ("localhost.example", False),
        ("127.0.0.1.example:80", False),
    ],
)
def test_what_is_this_machine(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


def test_plain_http_only_here_or_where_it_is_configured() -> None:
    settings = RegistrySettings(insecure_registries=["old.lab:5000"])
    hosts = ("nvcr.io", "old.lab:5000", "old.lab", "127.0.0.1:5000")
    schemes = [settings.push_to(host).scheme for host in hosts]
    assert schemes == ["https", "http", "https", "http"]


def test_mirrors_serve_pulls_and_never_pushes() -> None:
    settings = RegistrySettings(
        registry_mirrors={"nvcr.io": ["harbor.lab/ngc", "http://old.lab:5000", "nvcr.io"]}
    )
    pulls = settings.pull_from("nvcr.io")
    assert [(e.base, e.prefix) for e in pulls] == [
        ("https://harbor.lab", "ngc/"),
        ("http://old.lab:5000", ""),
        ("https://nvcr.io", ""),
    ]
    assert settings.push_to("nvcr.io").base == "https://nvcr.io"
    assert [e.base for e in settings.pull_from("docker.io")] == ["https://registry-1.docker.io"]


@pytest.mark.parametrize("text", ["", "https://", "ftp://r.lab", "harbor.lab/NGC", "a b"])
def test_mirrors_that_are_none(text: str) -> None:
    with pytest.raises(ConfigError, match=r"registry_mirrors\['nvcr\.io'\] has '.*'; write host"):
        RegistrySettings(registry_mirrors={"nvcr.io": text}).pull_from("nvcr.io")


def test_an_authority_that_is_no_file() -> None:
    settings = RegistrySettings(registry_certificates={"r.lab": "/no/such.crt"})
    with pytest.raises(ConfigError, match=r"registry_certificates\['r\.lab'\] is '/no/such\.crt'"):
        settings.push_to("r.lab")


# -- composing


def a_base(docker: bool = False, **extra: object) -> Image:
    manifest, config = documents([tar({"a": b"a"})], docker=docker, **extra)
    read = parse_manifest(manifest, "", "x")
    assert isinstance(read, Manifest)
    reference = parse_reference("nvcr.io/nvidia/x:1")
    return Image(reference, read, parse_config(config, "x"), Endpoint("nvcr.io"))


def layer(kind: str, number: int = 1, tmp: str = "/nowhere") -> Layer:
    from pathlib import Path

    return Layer(Path(tmp), f"sha256:{number:064}", f"sha256:{number + 1:064}", 9, kind)


def test_the_same_things_make_the_same_image() -> None:
    from jupyter_hybrid.containers.layers import GZIP

    layers = [layer(GZIP)]
    assert compose(a_base(), layers).digest == compose(a_base(), layers).digest
    changed = compose(a_base(), layers, Changes(labels={"a": "b"}))
    assert changed.digest != compose(a_base(), layers).digest


def test_a_kind_of_layer_that_docker_does_not_know_makes_it_oci() -> None:
    import json

    made = compose(a_base(docker=True), [layer(ZSTD)])
    document = json.loads(made.manifest)
    kinds = [entry["mediaType"] for entry in (document, document["config"], *document["layers"])]
    assert kinds == [
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.oci.image.config.v1+json",
        "application/vnd.oci.image.layer.v1.tar+gzip",
        "application/vnd.oci.image.layer.v1.tar+zstd",
    ]
    assert document["annotations"]["org.opencontainers.image.base.name"] == "nvcr.io/nvidia/x"


def test_the_bases_arguments_go_with_the_bases_entry_point() -> None:
    import json

    base = a_base(Entrypoint=["/opt/nvidia/nvidia_entrypoint.sh"], Cmd=["bash"])
    config = json.loads(compose(base, [], Changes(entrypoint=["python3"])).config)["config"]
    assert (config["Entrypoint"], config.get("Cmd")) == (["python3"], None)
    config = json.loads(compose(base, [], Changes(user="1000")).config)["config"]
    assert (config["Cmd"], config["User"]) == (["bash"], "1000")
    # and the record of the base that was read stays as it was
    assert base.config["config"]["Cmd"] == ["bash"]


def test_more_layers_than_an_engine_takes() -> None:
    many = [layer(ZSTD, number) for number in range(MAX_LAYERS)]
    with pytest.raises(ImageError, match=r"would have 128 layers; container engines take 127"):
        compose(a_base(), many)
