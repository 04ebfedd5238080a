"""Who makes homes: it runs as root and sees everybody's, so it is no image of a user's."""

from __future__ import annotations

from typing import Any

import pytest
from spawners import Make, manifest

from jupyter_hybrid.errors import ConfigError

LISTED, OTHER = "nvcr.io/nvidia/pytorch:25.06-py3", "docker.io/ada/own:1"
NFS = {"nfs": {"server": "nas", "path": "/export/home"}}
HOME = {"volume": NFS, "sub_path": "{unescaped_username}", "create": True}
SITE: dict[str, Any] = {"images": [LISTED], "other_images": True, "home": HOME}


async def started(spawner: Any, **wish: Any) -> dict[str, Any]:
    await spawner.run_auth_state_hook({"uid": 5001, "gid": 500})
    spawner.user_options = wish
    await spawner.load_user_options()
    return await manifest(spawner)


async def makers(spawner: Any, **wish: Any) -> list[str]:
    """The images of what runs as root."""
    spec = (await started(spawner, **wish))["spec"]
    assert all(
        c["name"] != "notebook" or c["securityContext"]["runAsUser"] for c in spec["containers"]
    )
    return [c["image"] for c in spec["initContainers"] if c["securityContext"]["runAsUser"] == 0]


async def test_an_image_of_a_users_makes_no_homes(make: Make) -> None:
    for traits in ({}, {"allowed_images": ["docker.io/*"]}, {"server_inside": True}):
        with pytest.raises(ConfigError, match=r"'create_image'.*c\.NGCSpawner\.server_image"):
            await started(make(**SITE, **traits), image=OTHER)
    # the hub's own does, whatever is chosen, and before that the one that the site names for it
    for image in (OTHER, LISTED):
        assert await makers(make(**SITE, server_image="site/server:1"), image=image) == [
            "site/server:1"
        ]
        home = {**HOME, "create_image": "site/tools:1"}
        own = make(**{**SITE, "home": home}, server_image="site/server:1")
        assert await makers(own, image=image) == ["site/tools:1"]
    # who needs nobody to make it is not kept from it
    for home in ({**HOME, "create": False}, {"volume": NFS, "create": True}):
        assert (await started(make(**{**SITE, "home": home}), image=OTHER))["spec"]["containers"]


async def test_images_that_the_site_has_chosen_make_them_as_before(make: Make) -> None:
    assert await makers(make(**SITE), image=LISTED) == [LISTED]
    assert await makers(make(**SITE)) == [LISTED]
    assert await makers(make(home=HOME, image="site/lab:3")) == ["site/lab:3"]
    course = {"display_name": "Course", "kubespawner_override": {"image": "course:1"}}
    assert await makers(make(home=HOME, profile_list=[course])) == ["course:1"]
    grouped = make(home=HOME)
    grouped._apply_overrides({"image": "group:1"})
    assert await makers(grouped) == ["group:1"]


async def test_what_may_come_from_users_by_the_sites_own_code_makes_none(make: Make) -> None:
    def asked(spawner: Any) -> list[Any]:
        return [OTHER]

    other = {"enabled": True, "kubespawner_override": {"image": "{value}"}}
    written = {"image": {"display_name": "Image", "unlisted_choice": other}}
    field = {"display_name": "Own", "profile_options": written}
    called = {"display_name": "Own", "kubespawner_override": {"image": lambda _: OTHER}}
    for traits, wish in (
        ({"images": asked}, {}),
        ({"profile_list": [field]}, {"image--unlisted-choice": OTHER}),
        ({"profile_list": [called]}, {}),
        ({"profile_list": lambda _: [{**called, "kubespawner_override": {"image": OTHER}}]}, {}),
        ({"image": "site/of-{username}:1"}, {}),
    ):
        with pytest.raises(ConfigError, match="create_image"):
            await started(make(home=HOME, **traits), **wish)
    hooked = make(home=HOME)
    hooked.image = OTHER
    with pytest.raises(ConfigError, match="create_image"):
        await started(hooked)
