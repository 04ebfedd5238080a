"""What users may choose, what it makes of the pod, and the page on which they do so."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import pytest
from jupyter_hybrid_spawner import images
from jupyter_hybrid_spawner.failures import NotOffered
from jupyter_hybrid_spawner.hardware import Cluster, Hardware, View, seen, slug
from spawners import Make, manifest

from jupyter_hybrid.containers.nodes import Room
from jupyter_hybrid.errors import ConfigError

IMAGE = "nvcr.io/nvidia/pytorch:25.06-py3"
V100, A100 = "Tesla-V100-SXM2-16GB", "NVIDIA-A100-SXM4-80GB"
FOLDERS = {
    "data": {"mount": "/data", "volume": {"nfs": {"server": "nas", "path": "/d"}}, "default": True},
    "my models": {"mount": "/models", "volume": {"emptyDir": {}}, "read_only": True},
}
SITE = {
    "images": [IMAGE, {"image": "site/lab:3", "name": "Lab", "python": "3.11", "note": "small"}],
    "location_label": "site/where",
    "locations": {"onprem": "On premises"},
    "folders": FOLDERS,
    "gpu_names": {V100: "V100 16 GB"},
}


def room(name: str, model: str, location: str, gpus: int, free: int) -> Room:
    return Room(name, model, location, 64, 1e12, gpus, 32, 5e11, free)


ROOMS = [
    room("a", V100, "onprem", 4, 1),
    room("b", V100, "cloud", 4, 4),
    room("c", A100, "cloud", 8, 0),
    room("d", "", "onprem", 0, 0),
]


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster that has ``ROOMS``."""

    async def hardware(self: Cluster, api: Any, view: View, seconds: float) -> Hardware:
        return seen(ROOMS)

    monkeypatch.setattr(Cluster, "hardware", hardware)


class Fields(HTMLParser):
    """What a browser without JavaScript would send of a form, and all that it shows."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.sent: dict[str, list[str]] = {}
        self.values: dict[str, list[str]] = {}
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        assert tag != "script"
        name, value = found.get("name"), found.get("value") or ""
        if tag != "input" or not name:
            return
        self.values.setdefault(name, []).append(value)
        if found.get("type") not in ("radio", "checkbox") or "checked" in found:
            self.sent.setdefault(name, []).append(value)

    def handle_data(self, data: str) -> None:
        self.text += data


async def test_the_form_as_it_comes_starts_the_first_image_without_gpu(
    make: Make, cluster: None
) -> None:
    spawner = make(**SITE)
    page = Fields(await spawner.get_options_form())
    for words in (
        "25.06",
        "PyTorch 2.8.0",
        "Python 3.12",
        "CUDA 12.9.0",
        "Lab",
        "small",
        "V100 16 GB",
    ):
        assert words in page.text
    assert "5 of 8 free: 4 of 4 cloud, 1 of 4 On premises" in page.text
    spawner.user_options = spawner.options_from_form(page.sent)
    assert spawner.user_options["image"] == "pytorch-25.06-py3"
    await spawner.load_user_options()
    pod = await manifest(spawner)
    (container,) = pod["spec"]["containers"]
    assert container["image"] == IMAGE
    assert container["resources"]["limits"] == {"cpu": 2.0, "memory": 8 * 2**30}
    assert "nodeSelector" not in pod["spec"]
    assert [m["mountPath"] for m in container["volumeMounts"]][-1] == "/data"


async def test_one_wish_in_the_words_of_form_address_and_rest(make: Make, cluster: None) -> None:
    field = "profile-option-ngc--"
    form = {
        "profile": ["ngc"],
        f"{field}image": ["lab-3"],
        f"{field}gpu": [f"{slug(V100)}:2"],
        f"{field}place": ["cloud"],
        f"{field}size": ["large"],
        f"{field}folder-data": ["no"],
        f"{field}folder-my-models": ["yes", "no"],
        f"{field}image--unlisted-choice": [""],
    }
    address = {"image": ["site/lab:3"], "gpu": ["v100"], "gpus": ["2"], "place": ["Cloud"]}
    address |= {"size": ["large"], "folders": ["my models"]}
    rest = {"image": "lab-3", "gpu": "V100:2", "place": "cloud", "size": "large"}
    found = []
    for options in (
        make(**SITE).options_from_form(form),
        make(**SITE).options_from_query(address),
        {**rest, "folders": ["my-models"]},
    ):
        spawner = make(**SITE)
        spawner.user_options = options
        await spawner.load_user_options()
        found.append(await manifest(spawner))
    assert found[0] == found[1] == found[2]
    spec = found[0]["spec"]
    assert spec["nodeSelector"] == {"nvidia.com/gpu.product": V100, "site/where": "cloud"}
    limits = spec["containers"][0]["resources"]["limits"]
    assert limits["nvidia.com/gpu"] == "2" and limits["cpu"] == 16.0
    mounts = {m["mountPath"]: m for m in spec["containers"][0]["volumeMounts"]}
    assert mounts["/models"]["readOnly"] is True and "/data" not in mounts


async def test_the_last_choice_is_ticked_and_what_is_gone_is_not(make: Make, cluster: None) -> None:
    spawner = make(**SITE, other_images=True)
    spawner.user_options = {"gpu": "v100", "gpus": 4, "image": "nvcr.io/mine:1", "folders": []}
    page = Fields(await spawner.get_options_form())
    assert page.sent["profile-option-ngc--gpu"] == [f"{slug(V100)}:4"]
    assert page.sent["profile-option-ngc--image--unlisted-choice"] == ["nvcr.io/mine:1"]
    assert page.sent["profile-option-ngc--folder-data"] == ["no"]
    spawner.user_options = {"profile": "ngc", "image": "gone", "gpu": "gone:1", "size": 7}
    page = Fields(await spawner.get_options_form())
    assert page.sent["profile-option-ngc--gpu"] == ["none"]
    assert page.sent["profile-option-ngc--image"] == ["pytorch-25.06-py3"]


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"image": "evil/image:1"}, "image: 'evil/image:1' is none of pytorch-25.06-py3, lab-3"),
        ({"gpu": "h100"}, "gpus: 'h100:1' is none of none, any:1"),
        ({"gpu": "a100", "gpus": 64}, "gpus: 'nvidia-a100-sxm4-80gb:64' is none of"),
        ({"place": "moon"}, "place: 'moon' is none of anywhere, onprem, cloud"),
        ({"size": ["large"]}, "size: .* is none of small, medium, large"),
        ({"folders": ["etc"], "size": "small"}, "there is no shared folder 'etc'"),
        ({"profile": "ngc", "image--unlisted-choice": "evil:1"}, "without being enabled"),
        ({"gpu": {"a": 1}}, "gpus: .* is none of"),
        ({"folders": 5}, "folders: 5 is no list of names"),
        ({"folders": [{"a": 1}]}, "there is no shared folder"),
        ({"profile": ["ngc"]}, "No such profile"),
    ],
)
async def test_what_is_not_on_offer_is_refused(
    make: Make, cluster: None, wish: dict[str, Any], said: str
) -> None:
    spawner = make(**SITE)
    spawner.user_options = wish
    with pytest.raises(NotOffered, match=said):
        await spawner.load_user_options()
    # the hub keeps what it was sent: the page comes all the same
    spawner.user_options = wish
    page = Fields(await spawner.get_options_form())
    assert page.sent["profile-option-ngc--image"] == ["pytorch-25.06-py3"]


async def test_another_image_is_what_the_site_allows(make: Make, cluster: None) -> None:
    spawner = make(**SITE, other_images=True, allowed_images=["nvcr.io/nvidia/*"])
    spawner.user_options = {"image": "nvcr.io/nvidia/jax:25.04-py3"}
    await spawner.load_user_options()
    assert spawner.image == "nvcr.io/nvidia/jax:25.04-py3"
    wish: Any
    for image, said in (
        ("docker.io/evil:1", "allowed_images"),
        ("Not An Image", "not the name"),
        (["nvcr.io/nvidia/jax:25.04-py3"], "none of|not the name"),
    ):
        for wish in ({"image": image}, {"profile": "ngc", "image--unlisted-choice": image}):
            spawner.user_options = wish
            with pytest.raises(NotOffered, match=said):
                await spawner.load_user_options()
    # nodes get the name that was checked, and one of the list may be written there as well
    for text, image in (
        (" docker://nvcr.io/nvidia/jax:25.04-py3\n", "nvcr.io/nvidia/jax:25.04-py3"),
        ("site/lab:3", "site/lab:3"),
        ("  ", IMAGE),
    ):
        spawner.user_options = {"profile": "ngc", "image--unlisted-choice": text}
        await spawner.load_user_options()
        assert spawner.image == image


async def test_numbers_of_gpus_and_parts_of_their_names(make: Make, cluster: None) -> None:
    spawner = make(**SITE, gpu_counts=[1, 4, 8])
    for wish, asked, label in (
        ({"gpu": "v100", "gpus": 0}, None, None),
        ({"gpus": 0}, None, None),
        ({"gpu": "none", "gpus": 4}, None, None),
        # both models have an S in their names: the first has one free, the second has eight at all
        ({"gpu": "sxm"}, "1", V100),
        ({"gpu": "sxm", "gpus": 8}, "8", A100),
    ):
        spawner.user_options = wish
        await spawner.load_user_options()
        assert spawner.extra_resource_limits.get("nvidia.com/gpu") == asked, wish
        assert spawner.node_selector.get("nvidia.com/gpu.product") == label, wish


async def test_nothing_that_a_user_wrote_is_html(make: Make, cluster: None) -> None:
    spawner = make(**SITE, other_images=True)
    spawner.user_options = {"image": '"><script>alert(1)</script>{{ 7 * 7 }}'}
    html = await spawner.get_options_form()
    assert "<script" not in html and "{{ 7 * 7 }}" in html


async def test_a_site_may_add_profiles_of_its_own(make: Make, cluster: None) -> None:
    async def both(spawner: Any) -> list[dict[str, Any]]:
        own = {"display_name": "Course", "kubespawner_override": {"image": "course:1"}}
        choices = {"a": {"display_name": "A"}, "b": {"display_name": "B", "default": True}}
        own["profile_options"] = {"group": {"display_name": "Group", "choices": choices}}
        return [*await spawner.ngc_profiles(), own]

    spawner = make(**SITE, profile_list=both)
    page = Fields(await spawner.get_options_form())
    assert page.values["profile"] == ["ngc", "course"] and page.sent["profile"] == ["ngc"]
    spawner.user_options = spawner.options_from_form({"profile": ["course"]})
    await spawner.load_user_options()
    assert spawner.image == "course:1"
    # one of them is ticked also where the last one is not there any more
    spawner.user_options = {"profile": "gone", "image": "lab-3"}
    assert Fields(await spawner.get_options_form()).sent["profile"] == ["ngc"]


async def test_a_cluster_that_does_not_answer_costs_the_form_nothing(make: Make) -> None:
    html = await make(**SITE).get_options_form()
    page = Fields(html)
    assert "What is free is not known: the cluster cannot be reached" in page.text
    # what the site names may be there
    assert f"{slug(V100)}:8" in page.values["profile-option-ngc--gpu"]


def test_images_say_what_they_hold() -> None:
    found = {image.key: image for image in images.nvidias(3)}
    # (nobody says which PyTorch it is)
    assert found["pytorch-26.08-py3"].holds == [("Python", "3.12"), ("CUDA", "13.4.1")]
    (known,) = images.listed([IMAGE])
    assert known.holds == [("PyTorch", "2.8.0"), ("Python", "3.12"), ("CUDA", "12.9.0")]
    assert [i.framework for i in found.values()] == ["PyTorch"] * 3 + ["TensorFlow"] * 3
    assert [i.name for i in found.values()][:3] == ["26.08", "26.07", "26.06"]
    (rapids,) = images.listed(["nvcr.io/nvidia/rapidsai/notebooks:25.08-cuda12.9-py3.12"])
    assert rapids.python == "3.12" and rapids.cuda == "12.9"


@pytest.mark.parametrize(
    ("items", "said"),
    [
        ([{"name": "x"}], "names no 'image'"),
        (["a:1", "a:1"], "twice"),
        ([{"image": "a", "colour": "red"}], "'colour'"),
    ],
)
def test_a_list_that_makes_no_sense_is_refused(items: list[Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        images.listed(items)
