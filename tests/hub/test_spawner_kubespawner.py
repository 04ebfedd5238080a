"""Whatever a site sets of KubeSpawner's means the same here, and nothing of it is lost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from kubernetes_asyncio.client.models import V1Container, V1SecurityContext
from kubespawner import KubeSpawner
from spawners import Make, manifest

CLAIM = {"name": "own", "persistentVolumeClaim": {"claimName": "claim-{username}"}}
MOUNT = {"name": "own", "mountPath": "/own"}
TERM = {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]}
NEAR = {"labelSelector": {"matchLabels": {"a": "b"}}, "topologyKey": "zone"}
GPU = {"limits": {"nvidia.com/gpu": "2"}}
ROOT = {"runAsUser": 0}


async def seven(spawner: Any) -> int:
    return 7


def hook(spawner: Any) -> dict[str, Any]:
    return {"runAsUser": 8, "runAsGroup": 9}


#: Traits of a site, by what they are about.
SITES: dict[str, dict[str, Any]] = {
    "nothing": {},
    "command": {"cmd": ["start", "--x"], "args": ["--y"]},
    "arguments of the image's own command": {"args": ["--y"]},
    "another command in the container": {
        "cmd": ["start"],
        "extra_container_config": {"command": ["tini", "--"], "args": ["other"]},
    },
    "numbers": {"uid": 7, "gid": 8, "fs_gid": 9, "supplemental_gids": [10, 11]},
    "numbers by callables": {"uid": seven, "gid": seven, "supplemental_gids": lambda _: [7]},
    "root": {"uid": 0},
    "security of the container": {"container_security_context": {"readOnlyRootFilesystem": True}},
    "security of the container by a callable": {"container_security_context": hook},
    "security of the pod": {"pod_security_context": {"runAsUser": 77, "runAsNonRoot": True}},
    "root of the pod": {"pod_security_context": ROOT},
    "may gain rights": {"allow_privilege_escalation": True},
    "may gain rights, unsaid": {"allow_privilege_escalation": None},
    "privileged": {"privileged": True},
    "volumes": {"volumes": [CLAIM], "volume_mounts": [MOUNT]},
    "volumes in dicts": {"volumes": {"b": CLAIM}, "volume_mounts": {"a": MOUNT}},
    "its own shared memory": {
        "volumes": [{"name": "m", "emptyDir": {"medium": "Memory"}}],
        "volume_mounts": [{"name": "m", "mountPath": "/dev/shm"}],
    },
    "mounts of the container": {
        "extra_container_config": {
            "volumeMounts": [MOUNT], "envFrom": [{"secretRef": {"name": "s"}}],
        },
        "extra_pod_config": {"volumes": [CLAIM]},
    },
    "resources": {
        "cpu_limit": 2, "cpu_guarantee": 0.5, "mem_limit": "2G", "mem_guarantee": "1G",
        "extra_resource_guarantees": {"example.org/x": "1"},
    },
    "resources of the container": {"extra_container_config": {"resources": {"limits": {"cpu": 3}}}},
    "containers": {
        "init_containers": [
            {"name": "first", "image": "i"},
            V1Container(
                name="second", image="i", security_context=V1SecurityContext(run_as_user=0)
            ),
        ],
        "extra_containers": {"b": {"name": "beside", "image": "i"}},
    },
    "accounts": {"service_account": "me-{username}", "automount_service_account_token": True},
    "scheduling": {
        "node_selector": {"pool": "users"}, "scheduler_name": "ours", "priority_class_name": "low",
        "tolerations": [{"key": "k", "operator": "Exists"}],
    },
    "scheduling of the pod": {
        "extra_pod_config": {
            "tolerations": [{"key": "k", "operator": "Exists"}], "runtimeClassName": "nvidia",
        },
    },
    "affinity": {
        "node_affinity_required": [TERM], "pod_affinity_required": [NEAR],
        "node_affinity_preferred": [{"weight": 1, "preference": TERM}],
        "pod_anti_affinity_preferred": {"a": {"weight": 1, "podAffinityTerm": NEAR}},
    },
    "labels": {
        "extra_labels": {"team": "{username}"}, "extra_annotations": {"a": "b"},
        "common_labels": {"app": "x"}, "component_label": "c",
    },
    "environment": {"environment": {"A": "{username}", "B": lambda s: s.user.name, "HOME": "/h"}},
    "the rest": {
        "image": "site/lab:{username}", "image_pull_policy": "Always", "port": 9999,
        "image_pull_secrets": ["one", "two"], "working_dir": "/w",
        "lifecycle_hooks": {"preStop": {"exec": {"command": ["true"]}}},
        "notebook_dir": "~/x", "default_url": "/lab", "pod_name_template": "own-{username}",
    },
}  # fmt: skip


def sites() -> Any:
    return pytest.mark.parametrize("traits", SITES.values(), ids=SITES)


@sites()
async def test_the_same_pod_where_nothing_is_to_be_added(
    make: Make, traits: dict[str, Any]
) -> None:
    ours = await manifest(make(**traits, shm_size="none", restricted=False))
    assert ours == await manifest(make(kind=KubeSpawner, **traits))


@sites()
async def test_nothing_is_taken_from_a_pod_to_which_something_is_added(
    make: Make, traits: dict[str, Any]
) -> None:
    spawner = make(**traits, ca_bundle="company/ca.crt", proxy={"https": "http://proxy:1"})
    await spawner.run_auth_state_hook({"uid": 5001, "gid": 500, "groups": [500, 501]})
    # (a home, shared memory, certificates, a proxy and numbers are added)
    missing = [*_missing(await manifest(make(kind=KubeSpawner, **traits)), await manifest(spawner))]
    assert missing == []


def _missing(theirs: Any, ours: Any, path: str = "") -> list[str]:
    """Where something of theirs is not as it was."""
    if isinstance(theirs, Mapping):
        found = [f"{path}.{key}" for key in theirs if key not in ours]
        for key in set(theirs) & set(ours):
            found += _missing(theirs[key], ours[key], f"{path}.{key}")
        return found
    if isinstance(theirs, list):
        return [
            f"{path}: {item}" for item in theirs if not any(not _missing(item, o) for o in ours)
        ]
    return [] if theirs == ours else [f"{path}: {theirs} is {ours}"]
