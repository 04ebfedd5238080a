"""Whatever users send, nothing but what the site offers starts, and no hub ends by it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from jupyter_hybrid_spawner.failures import NotOffered
from spawners import Make

IMAGE, OTHER = "nvcr.io/nvidia/pytorch:25.06-py3", "nvcr.io/nvidia/jax:25.04-py3"
EVIL = "docker.io/evil/x:1"
SITE: dict[str, Any] = {
    "images": [IMAGE],
    "other_images": True,
    "allowed_images": ["nvcr.io/nvidia/*"],
    "gpu_names": {"V100": "V100"},
    "location_label": "where",
    "locations": {"cloud": "Cloud"},
    "folders": {"data": {"mount": "/data", "volume": {"emptyDir": {}}}},
}
#: All that means our profile, or the default one, which is ours.
NO_NAMES: tuple[Any, ...] = ("ngc", "", None, [], {}, 0)
NAMED: list[dict[str, Any]] = [{}, *({"profile": name} for name in NO_NAMES)]
#: A profile of a site's own, with fields of kubespawner's.
COURSE: dict[str, Any] = {
    "display_name": "Course",
    "kubespawner_override": {"image": "course:1"},
    "profile_options": {
        "group": {
            "display_name": "Group",
            "choices": {"a": {"display_name": "A"}, "b": {"display_name": "B"}},
        },
        "image": {
            "display_name": "Image",
            "choices": {"course": {"display_name": "Course"}},
            "unlisted_choice": {
                "enabled": True,
                "validation_regex": "^course:.+$",
                "kubespawner_override": {"image": "{value}"},
            },
        },
        "memory": {
            "display_name": "Memory",
            "choices": {"1": {"display_name": "1"}},
            "unlisted_choice": {"enabled": True, "kubespawner_override": {"mem_limit": "{value}"}},
        },
    },
}


async def refused(spawner: Any, wish: Any) -> str:
    """Why it does not start: the one kind of error that no hub counts."""
    spawner.user_options = wish
    with pytest.raises(NotOffered) as caught:
        await spawner.load_user_options()
    assert "evil" not in spawner.image, wish
    # the hub keeps what it was sent, and the page comes all the same
    spawner.user_options = wish
    assert await spawner.get_options_form()
    return str(caught.value)


@pytest.mark.parametrize("named", NAMED, ids=str)
@pytest.mark.parametrize("image", [EVIL, [EVIL], {"a": EVIL}, [EVIL.encode()], f" {EVIL} ", 5])
@pytest.mark.parametrize("key", ["image", "image--unlisted-choice"])
async def test_an_image_is_one_that_is_allowed_however_it_is_sent(
    make: Make, named: dict[str, Any], image: Any, key: str
) -> None:
    said = await refused(make(**SITE), {**named, key: image})
    assert "allowed_images" in said or "is none of" in said or "not the name of" in said


@pytest.mark.parametrize("named", NAMED, ids=str)
async def test_what_is_allowed_starts_however_it_is_sent(make: Make, named: dict[str, Any]) -> None:
    for key in ("image", "image--unlisted-choice"):
        spawner = make(**SITE)
        spawner.user_options = {**named, key: OTHER, "unknown": [1]}
        await spawner.load_user_options()
        assert spawner.image == OTHER
        # and where nothing is asked, it is the first of the list again
        spawner.user_options = named
        await spawner.load_user_options()
        assert spawner.image == IMAGE


@pytest.mark.parametrize("profile", [["ngc"], {"a": 1}, 5, "NGC", "gone", True, ["course"]])
async def test_a_profile_that_is_none_brings_nothing(make: Make, profile: Any) -> None:
    wish = {"profile": profile, "image--unlisted-choice": EVIL}
    assert "No such profile" in await refused(make(**SITE), wish)


@pytest.mark.parametrize(
    "wish",
    [
        *({"folder-data": value} for value in ("nope", ["yes"], {"a": 1}, 5)),
        {"folder-gone": "yes"},
        *({name: value} for name in ("place", "size") for value in ("x", ["x"], {"a": 1}, 5, True)),
        *({"gpu": value} for value in (["h100"], {"a": 1}, 5, "h100")),
        *({"gpus": value} for value in ({"a": 1}, ["1"], "x", -1)),
        *({f"{name}--unlisted-choice": EVIL} for name in ("gpu", "place", "size", "folder-data")),
        *({"folders": value} for value in (5, {"a": 1}, [["a"]], ["gone"], "gone")),
    ],
    ids=str,
)
async def test_what_no_choice_is_ends_no_hub(make: Make, wish: dict[str, Any]) -> None:
    for named in ({}, {"profile": ""}, {"profile": "ngc"}):
        assert await refused(make(**SITE), {**wish, **named})


async def test_only_images_of_the_list_where_no_others_may_be_named(make: Make) -> None:
    spawner = make(**{**SITE, "other_images": False, "allowed_images": []}, image="site/own:1")
    for wish in ({}, {"profile": ""}, {"profile": "ngc"}):
        assert await refused(spawner, {**wish, "image--unlisted-choice": EVIL})
        assert await refused(spawner, {**wish, "image": EVIL})


async def test_what_an_earlier_start_left_behind_is_checked_as_well(make: Make) -> None:
    """A hub that was restarted gives what it has kept, for servers with names as for the other."""
    for name in ("", "second"):
        saved = {"image--unlisted-choice": EVIL}
        spawner = make(**SITE, user_options=saved)
        spawner.orm_spawner = SimpleNamespace(name=name, server=None)
        spawner.load_state({"pod_name": "jupyter-ada"})
        with pytest.raises(NotOffered, match="allowed_images"):
            await spawner.load_user_options()
        # one that is allowed leaves nothing for the next
        spawner.user_options = {"image": OTHER}
        await spawner.load_user_options()
        spawner.clear_state()
        assert await refused(spawner, {"image--unlisted-choice": EVIL})


def both(first: bool) -> Any:
    async def profiles(spawner: Any) -> list[dict[str, Any]]:
        own = {**COURSE, "default": first}
        ours = await spawner.ngc_profiles()
        return [own, *ours] if first else [*ours, own]

    return profiles


@pytest.mark.parametrize("first", [True, False])
async def test_profiles_of_a_site_are_no_way_around(make: Make, first: bool) -> None:
    spawner = make(**SITE, profile_list=both(first))
    course = {} if first else {"profile": "course"}
    for wish in (
        {"image--unlisted-choice": EVIL, **course},
        {"image--unlisted-choice": EVIL, "profile": ""},
        {"image--unlisted-choice": EVIL, "profile": "ngc"},
        {"image--unlisted-choice": [EVIL], "profile": "course"},
        {"image": EVIL, "profile": "course"},
        {"image": EVIL},
        {"group": "nope", "profile": "course"},
        {"group": ["a"], "profile": "course"},
        {"memory--unlisted-choice": "much", "profile": "course"},
    ):
        assert await refused(spawner, wish), wish
    # the folders of ours mean nothing there, and what it offers is taken
    for wish in ({"image--unlisted-choice": "course:2"}, {"image--unlisted-choice": "course:3"}):
        spawner.user_options = {**wish, "profile": "course", "group": "a", "folder-x": "yes"}
        await spawner.load_user_options()
        assert spawner.image == wish["image--unlisted-choice"]


async def test_a_site_without_our_form_is_not_ended_either(make: Make) -> None:
    spawner = make(profile_list=[COURSE])
    for wish in (
        {"group": "nope"},
        {"profile": "course", "group": {"a": 1}},
        {"image--unlisted-choice": EVIL},
        {"image--unlisted-choice": {"a": 1}, "profile": "course"},
        {"memory--unlisted-choice": "much"},
    ):
        assert "expected string" not in await refused(spawner, wish), wish
    # what it takes no part in is the site's own affair
    spawner.user_options = {"anything": ["x"]}
    await spawner.load_user_options()
    assert spawner.image == "course:1"
    bare = make(image="site/own:1")
    bare.user_options = {"image": EVIL, "image--unlisted-choice": EVIL}
    await bare.load_user_options()
    assert bare.image == "site/own:1"
