"""NGC's catalogue, by its documented answers; tags and sizes from a real registry in its place."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from impatience import QUICK
from liar import Asked, Liar, Reply
from registries import Daemon

from jupyter_hybrid.config import Hybrid
from jupyter_hybrid.containers import ngc_releases
from jupyter_hybrid.containers.endpoints import Endpoint, RegistrySettings
from jupyter_hybrid.containers.ngc import Catalogue, Entry, check_allowed, parse_search
from jupyter_hybrid.containers.ngc_releases import Release, release_of, releases, unfit
from jupyter_hybrid.containers.references import parse_reference
from jupyter_hybrid.containers.registry import RegistryClient
from jupyter_hybrid.errors import ImageError, RegistryError

PATH = "/v2/search/catalog/resources/CONTAINER"
#: The shape is the one that NVIDIA's own client reads (ngcbase, transformer search); what is in it
#: is made up, because no test may ask NVIDIA.
RESOURCES = [
    {
        "resourceId": f"nvidia/{name}",
        "name": name,
        "displayName": title,
        "description": f"{title} is\n\ta framework. " * 3,
        "attributes": [{"key": "latestTag", "value": latest}, {"key": "isPublic"}],
        "labels": [{"key": "general", "values": ["Deep Learning", title]}],
    }
    for name, title, latest in (
        ("pytorch", "PyTorch", "24.01-py3"),
        ("tensorflow", "TensorFlow", "24.01-tf2-py3"),
        ("cuda", "CUDA", "12.3.2-base-ubuntu22.04"),
    )
]


def page(*resources: dict[str, Any], pages: int = 1) -> bytes:
    other = {"groupValue": "MODEL", "resources": [{"resourceId": "nvidia/a-model"}]}
    results = [other, {"groupValue": "CONTAINER", "resources": list(resources)}]
    return json.dumps({"results": results, "resultPageTotal": pages}).encode()


@pytest.fixture
def api() -> Iterator[Liar]:
    """What stands for api.ngc.nvidia.com; it serves one entry a page."""

    def answer(asked: Asked) -> Reply:
        (query,) = parse_qs(urlsplit(asked.path).query)["q"]
        wish = json.loads(query)
        assert wish["query"] == "orgName:nvidia"
        return Reply(200, page(RESOURCES[wish["page"]], pages=len(RESOURCES)))

    with Liar() as server:
        server.say("GET", PATH, answer)
        yield server


class Clock:
    now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def endpoint(api: Liar) -> Endpoint:
    return Endpoint(api.host, "http", plain=True)


async def test_search_reads_all_pages(api: Liar, clock: Clock, tmp_path: Path) -> None:
    async with RegistryClient(patience=QUICK) as client:
        catalogue = Catalogue(client, tmp_path, endpoint(api), clock)
        found = await catalogue.search()
        assert [entry.name for entry in found.items] == [
            "nvcr.io/nvidia/pytorch",
            "nvcr.io/nvidia/tensorflow",
            "nvcr.io/nvidia/cuda",
        ]
        (one,) = (await catalogue.search("deep TORCH")).items
        assert one == Entry(
            "nvcr.io/nvidia/pytorch",
            "PyTorch",
            "PyTorch is a framework. PyTorch is a framework. PyTorch is a framework.",
            "24.01-py3",
            ("Deep Learning", "PyTorch"),
        )
        assert (await catalogue.search("nothing such")).items == ()
    # what is fresh is not asked for again
    assert len(api.asked) == 3


async def test_offline_it_tells_what_it_knows_and_how_old_that_is(
    api: Liar, clock: Clock, tmp_path: Path
) -> None:
    async with RegistryClient(patience=QUICK) as client:
        await Catalogue(client, tmp_path, endpoint(api), clock).search()
        clock.now += 3 * 86400
        gone = Endpoint("127.0.0.1:9", "http", plain=True)
        found = await Catalogue(client, tmp_path, gone, clock).search("cuda")
        assert [entry.name for entry in found.items] == ["nvcr.io/nvidia/cuda"]
        assert found.note.startswith("as it was 3 d 0 h ago, because 127.0.0.1:9 cannot be reached")
        # and where it knows nothing it says so
        with pytest.raises(RegistryError, match="cannot be reached"):
            await Catalogue(client, tmp_path / "new", gone, clock).search()


async def test_after_an_hour_it_asks_again(api: Liar, clock: Clock, tmp_path: Path) -> None:
    async with RegistryClient(patience=QUICK) as client:
        catalogue = Catalogue(client, tmp_path, endpoint(api), clock)
        await catalogue.search()
        RESOURCES[0]["displayName"], old = "PyTorch of today", RESOURCES[0]["displayName"]
        clock.now += 3601
        try:
            found = await catalogue.search("today")
        finally:
            RESOURCES[0]["displayName"] = old
    assert len(found.items) == 1
    assert found.note == ""


@pytest.mark.parametrize("kept", ["", "{}", "[]", '{"time": 1, "items": 3}', "\0"])
async def test_a_damaged_cache_is_learned_anew(
    api: Liar, clock: Clock, tmp_path: Path, kept: str
) -> None:
    (tmp_path / "search-nvidia.json").write_text(kept)
    async with RegistryClient(patience=QUICK) as client:
        assert (await Catalogue(client, tmp_path, endpoint(api), clock).search()).items


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"<html>", "something else than JSON"),
        (b'{"requestStatus": {}}', "in another way than it used to"),
        (b'{"results": [{"groupValue": "CONTAINER", "resources": [{}]}]}', "in another way"),
        (b"[]", "in another way"),
    ],
)
async def test_other_answers(
    api: Liar, clock: Clock, tmp_path: Path, body: bytes, words: str
) -> None:
    api.say("GET", PATH, Reply(200, body))
    async with RegistryClient(patience=QUICK) as client:
        with pytest.raises(RegistryError, match=words):
            await Catalogue(client, tmp_path, endpoint(api), clock).search()


def test_no_results_are_none() -> None:
    assert parse_search({"results": None}) == ([], 1)
    assert parse_search({"results": [], "resultPageTotal": 0}) == ([], 1)


@pytest.mark.needs("apt:docker-registry")
async def test_tags_and_sizes_from_the_registry(
    mirror: Daemon, clock: Clock, tmp_path: Path
) -> None:
    settings = RegistrySettings(registry_mirrors={"nvcr.io": mirror.host})
    async with RegistryClient(settings, QUICK) as client:
        catalogue = Catalogue(client, tmp_path, clock=clock)
        tags = await catalogue.tags("nvcr.io/nvidia/pytorch")
        assert tags.items[:2] == ("24.01-py3", "23.12-py3")
        details = await catalogue.details("nvcr.io/nvidia/pytorch:24.01-py3")
    assert details.labels == {"vendor": "a lab"}
    assert list(details.sizes) == ["linux/amd64"]
    assert details.reference.digest.startswith("sha256:")
    assert details.release == releases()["24.01"]
    clock.now += 7200
    away = RegistrySettings(registry_mirrors={"nvcr.io": "127.0.0.1:9"})
    async with RegistryClient(away, QUICK) as client:
        old = await Catalogue(client, tmp_path, clock=clock).tags("nvcr.io/nvidia/pytorch")
    assert old.items == tags.items
    assert old.note.startswith("as it was 2 h 00 min ago, because")


# -- releases


def test_the_table_is_in_order_and_whole() -> None:
    names = list(releases())
    assert names == sorted(names)
    for release in releases().values():
        assert release.cuda.count(".") == 2
        assert release.oldest_driver <= release.driver
        assert release.capability in ("", "6.0", "7.5")
    # a driver never becomes older
    drivers = [release.driver for release in releases().values()]
    assert drivers == sorted(drivers)


@pytest.mark.parametrize(
    ("image", "release"),
    [
        ("nvidia/pytorch:24.01-py3", Release("24.01", "12.3.2", 545, "6.0")),
        ("nvidia/pytorch:25.03-py3-igpu", Release("25.03", "12.8.1", 570, "7.5", "3.12")),
        ("nvidia/tensorflow:24.10-tf2-py3", Release("24.10", "12.6.2", 560, "6.0", "3.10")),
        ("nvidia/pytorch:31.01-py3", Release("31.01")),
        ("nvidia/cuda:12.3.2-devel-ubuntu22.04", Release(cuda="12.3.2")),
        ("nvidia/cuda:13.0.1-cudnn-runtime-ubi9", Release(cuda="13.0.1")),
        ("nvidia/rapidsai/base:24.04-cuda12.2-py3.11", Release("24.04", "12.2", python="3.11")),
        ("nvidia/rapidsai/notebooks:25.12-cuda13-py3.12", Release("25.12", "13", python="3.12")),
        ("nvidia/pytorch:latest", None),
        ("lab/job:1", None),
    ],
)
def test_what_a_tag_says(image: str, release: Release | None) -> None:
    repository, _, tag = image.partition(":")
    assert release_of(repository, tag) == release


def test_what_does_not_run_on_a_machine_and_what_does_instead() -> None:
    new = releases()["25.08"]
    assert unfit(new, driver="535.104.05").startswith(
        "its CUDA 13.0.0 needs driver 580 or newer, and the driver there is 535.104.05; "
        "the newest release that runs there is 25.07"
    )
    # CUDA 12 of any minor version runs with a driver of any CUDA 12
    assert unfit(releases()["25.03"], driver="535.104.05") == ""
    assert unfit(releases()["25.03"], driver="470.82.01").startswith("its CUDA 12.8.1 needs driver")
    # a V100 has 7.0, a P100 6.0
    assert unfit(new, capability="7.0").endswith("the newest release that runs there is 24.10")
    assert unfit(releases()["24.10"], "560.35.03", "6.0") == ""
    # nothing is claimed of what nobody says
    assert unfit(releases()["24.12"], capability="6.0") == ""
    assert unfit(Release("31.01"), "1.0", "1.0") == ""
    assert unfit(new) == ""
    assert ngc_releases.OLDEST_DRIVERS[12] == 525


# -- a site's decisions


def test_images_outside_the_list_are_refused() -> None:
    allowed = ["nvcr.io/nvidia/*", "registry.lab:5000/base:1.*"]
    for name in ("nvcr.io/nvidia/pytorch:24.01-py3", "registry.lab:5000/base:1.2"):
        check_allowed(parse_reference(name), allowed)
        check_allowed(parse_reference(name), [])
    for name in ("nvcr.io/nvidia.evil/x:1", "ubuntu:22.04", "registry.lab:5000/base:2.0"):
        with pytest.raises(ImageError, match=r"not on this site's list .*nvcr\.io/nvidia/\*"):
            check_allowed(parse_reference(name), allowed)
    # a digest is what runs, whatever tag stands beside it
    digest = f"sha256:{'a' * 64}"
    known = f"registry.lab:5000/base:1.2@{digest}"
    for allowed in ([known], ["registry.lab:5000/*"], [f"registry.lab:5000/base@{digest}"]):
        check_allowed(parse_reference(known), allowed)
    for allowed in (["registry.lab:5000/base:1.*"], ["registry.lab:5000/base:1.2"]):
        with pytest.raises(ImageError):
            check_allowed(parse_reference(known), allowed)


def test_the_configuration_knows_registries() -> None:
    config = Hybrid(registry_mirrors={"nvcr.io": "m:1"}, insecure_registries=["m:1"])
    (found,) = config.registries.pull_from("nvcr.io")
    assert found.base == "http://m:1"
