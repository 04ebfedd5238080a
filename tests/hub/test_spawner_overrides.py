"""What one start has set is gone with the next."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from spawners import Make, manifest

GPU = {"extra_resource_limits": {"nvidia.com/gpu": "2"}, "node_selector": {"gpu": "v100"}}
PROFILES: list[dict[str, Any]] = [
    {"display_name": "CPU", "slug": "cpu", "kubespawner_override": {"cpu_limit": 1}},
    {"display_name": "GPU", "slug": "gpu", "kubespawner_override": {**GPU, "mem_limit": "8G"}},
]


async def test_a_gpu_that_could_not_be_had_is_not_asked_for_again(make: Make) -> None:
    spawner = make(profile_list=PROFILES, node_selector={"pool": "users"})
    spawner.user_options = {"profile": "gpu"}
    await spawner.load_user_options()
    first = await manifest(spawner)
    assert first["spec"]["nodeSelector"] == {"pool": "users", "gpu": "v100"}
    # the start failed; the hub stops what there is, and the user tries without a GPU
    spawner.clear_state()
    spawner.user_options = {"profile": "cpu"}
    await spawner.load_user_options()
    pod = await manifest(spawner)
    assert pod["spec"]["nodeSelector"] == {"pool": "users"}
    limits = pod["spec"]["containers"][0]["resources"]["limits"]
    assert limits == {"cpu": 1.0}
    assert PROFILES[1]["kubespawner_override"]["extra_resource_limits"] == {"nvidia.com/gpu": "2"}


async def test_what_a_hook_has_set_since_stays(make: Make) -> None:
    spawner = make(profile_list=PROFILES)
    spawner.user_options = {"profile": "gpu"}
    await spawner.load_user_options()
    spawner.node_selector = {"set": "by a hook"}
    spawner.user_options = {"profile": "cpu"}
    await spawner.load_user_options()
    assert spawner.node_selector == {"set": "by a hook"}
    assert spawner.extra_resource_limits == {} and spawner.mem_limit is None


async def test_what_the_site_gives_to_groups_is_there_whatever_is_chosen(make: Make) -> None:
    large = {"mem_limit": "64G", "node_selector": {"pool": "large"}, "environment": {"A": "b"}}
    groups = {"large": {"groups": ["large"], "spawner_override": large}}
    spawner = make(profile_list=PROFILES, group_overrides=groups)
    spawner.user.groups = [SimpleNamespace(name="large")]
    for chosen, memory, labels in (
        ("cpu", 64 << 30, {"pool": "large"}),
        ("gpu", 8 << 30, {"pool": "large", "gpu": "v100"}),
        ("cpu", 64 << 30, {"pool": "large"}),
    ):
        # in the order in which the hub does it
        spawner.user_options = {"profile": chosen}
        spawner.clear_state()
        await spawner.apply_group_overrides()
        await spawner.load_user_options()
        pod = await manifest(spawner)
        assert pod["spec"]["nodeSelector"] == labels
        assert pod["spec"]["containers"][0]["resources"]["limits"]["memory"] == memory
    # who has left the group has nothing of it any more
    spawner.user.groups = []
    spawner.clear_state()
    await spawner.apply_group_overrides()
    await spawner.load_user_options()
    assert spawner.mem_limit is None and spawner.environment == {}
    assert large["node_selector"] == {"pool": "large"}
