"""The pod that a choice makes, before any cluster sees it."""

from __future__ import annotations

from typing import Any

import pytest
from jupyter_hybrid_spawner import parts
from jupyter_hybrid_spawner.identity import Identity, identify, read
from kubespawner import KubeSpawner
from pod_security import violations
from spawners import Make, manifest

from jupyter_hybrid.errors import ConfigError

IMAGE = "nvcr.io/nvidia/pytorch:25.06-py3"
NFS = {"nfs": {"server": "nas", "path": "/export/home"}}


def notebook(pod: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = pod["spec"]["containers"][0]
    return found


def environment(pod: dict[str, Any]) -> dict[str, str]:
    return {item["name"]: item.get("value", "") for item in notebook(pod)["env"]}


def mounts(pod: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {mount["mountPath"]: mount for mount in notebook(pod).get("volumeMounts", ())}


def volumes(pod: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {volume["name"]: volume for volume in pod["spec"].get("volumes", ())}


async def test_without_configuration_it_is_kubespawners_pod_with_shared_memory(make: Make) -> None:
    ours, theirs = await manifest(make()), await manifest(make(kind=KubeSpawner))
    assert volumes(ours) == {"jh-shm": {"name": "jh-shm", "emptyDir": {"medium": "Memory"}}}
    assert list(mounts(ours)) == ["/dev/shm"]
    context = notebook(ours).pop("securityContext")
    assert context.items() >= notebook(theirs).pop("securityContext").items()
    assert context["capabilities"] == {"drop": ["ALL"]}
    del ours["spec"]["volumes"], notebook(ours)["volumeMounts"]
    del theirs["spec"]["volumes"]
    notebook(theirs).pop("volumeMounts", None)
    assert ours == theirs


async def test_the_banner_of_an_image_of_nvidias_does_not_run(make: Make) -> None:
    pod = await manifest(make(image=IMAGE))
    assert notebook(pod)["command"] == ["jupyterhub-singleuser"]
    assert "args" not in notebook(pod)
    # nothing lies over what the image has in /workspace, and its working directory is kept
    assert "workingDir" not in notebook(pod)
    assert not any(path.startswith("/workspace") for path in mounts(pod))
    kept = await manifest(make(image=IMAGE, keep_entrypoint=True))
    assert notebook(kept)["args"] == ["jupyterhub-singleuser"] and "command" not in notebook(kept)
    others = await manifest(make(image="quay.io/jupyter/base-notebook"))
    assert "command" not in notebook(others)


async def test_shared_memory_is_as_the_site_says(make: Make) -> None:
    sized = volumes(await manifest(make(shm_size="8Gi")))["jh-shm"]["emptyDir"]
    assert sized == {"medium": "Memory", "sizeLimit": "8Gi"}
    assert not volumes(await manifest(make(shm_size="none")))
    own = {"volumes": [{"name": "own", "emptyDir": {}}]}
    own["volume_mounts"] = [{"name": "own", "mountPath": "/dev/shm"}]
    pod = await manifest(make(**own))
    assert mounts(pod)["/dev/shm"]["name"] == "own" and set(volumes(pod)) == {"own"}


async def test_the_server_runs_as_the_user_with_home_on_the_storage(make: Make) -> None:
    home = {"volume": NFS, "sub_path": "{unescaped_username}"}
    spawner = make(image=IMAGE, home=home)
    await spawner.run_auth_state_hook({"uid": 5001, "gid": "500", "groups": [500, "501", "staff"]})
    pod = await manifest(spawner)
    context = notebook(pod)["securityContext"]
    assert context["runAsUser"] == 5001 and context["runAsGroup"] == 500
    assert context["runAsNonRoot"] is True and context["allowPrivilegeEscalation"] is False
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["spec"]["securityContext"]["supplementalGroups"] == [501]
    assert mounts(pod)["/home/mock@name"]["subPath"] == "mock@name"
    assert volumes(pod)["jh-home"]["nfs"] == NFS["nfs"]
    variables = environment(pod)
    assert variables["HOME"] == "/home/mock@name" and variables["USER"] == "mock@name"
    assert pod["spec"]["automountServiceAccountToken"] is False
    assert "initContainers" not in pod["spec"]


async def test_whose_group_nobody_names_is_in_a_group_of_their_own(make: Make) -> None:
    """Kubernetes would put the user's processes into root's group."""
    spawner = make(image=IMAGE, home={"volume": NFS, "sub_path": "x", "create": True})
    await spawner.run_auth_state_hook({"uid": 5001})
    pod = await manifest(spawner)
    assert notebook(pod)["securityContext"]["runAsGroup"] == 5001
    assert pod["spec"]["initContainers"][0]["command"][-1] == "5001:5001"
    spawner.gid = 77
    assert notebook(await manifest(spawner))["securityContext"]["runAsGroup"] == 77


async def test_nobody_has_the_home_of_another_by_their_name(make: Make) -> None:
    claim = {"persistentVolumeClaim": {"claimName": "home-{username}"}}
    spawner = make(image=IMAGE, home={"volume": claim, "sub_path": "{unescaped_username}"})
    spawner.user.name = "ada-"
    pod = await manifest(spawner)
    assert mounts(pod)["/home/ada-"]["subPath"] == "ada-"
    named = volumes(pod)["jh-home"]["persistentVolumeClaim"]["claimName"]
    assert named.startswith("home-ada-") and named != "home-ada"
    for name in (".", ".."):
        spawner.user.name = name
        with pytest.raises(ConfigError, match="which is not theirs"):
            await manifest(spawner)


async def test_a_home_that_is_not_there_is_made_by_one_who_may_do_just_that(make: Make) -> None:
    spawner = make(image=IMAGE, home={"volume": NFS, "sub_path": "mock", "create": True})
    await spawner.run_auth_state_hook({"uid": 5001, "gid": 500})
    (maker,) = (await manifest(spawner))["spec"]["initContainers"]
    assert maker["command"][-2:] == ["/jh-homes/mock", "5001:500"]
    assert maker["securityContext"]["capabilities"]["drop"] == ["ALL"]
    assert maker["securityContext"]["capabilities"]["add"] == ["CHOWN", "DAC_OVERRIDE"]


async def test_a_user_whom_nobody_numbers_is_not_root_in_images_of_the_list(make: Make) -> None:
    pod = await manifest(make(images=[IMAGE], image=IMAGE))
    assert notebook(pod)["securityContext"]["runAsUser"] == 1000
    assert volumes(pod)["jh-home"] == {"name": "jh-home", "emptyDir": {}}
    sites = await manifest(make(images=[IMAGE], image=IMAGE, uid=77))
    assert notebook(sites)["securityContext"]["runAsUser"] == 77


async def test_pods_keep_to_the_restricted_standard(make: Make) -> None:
    traits = {"image": IMAGE, "server_image": "site/server:1", "ca_bundle": "company/ca.crt"}
    spawner = make(**traits, home={"volume": {"persistentVolumeClaim": {"claimName": "homes"}}})
    await spawner.run_auth_state_hook({"uid": 5001, "gid": 500, "groups": [500, 501]})
    assert violations(await manifest(spawner)) == []
    assert violations(await manifest(make(images=[IMAGE], **traits))) == []
    # what the site itself wants is seen
    assert "volume of type hostPath" in violations(
        await manifest(make(images=[IMAGE], **traits, home={"volume": {"hostPath": {"path": "/"}}}))
    )
    assert violations(await manifest(make(privileged=True)))


async def test_what_a_site_makes_privileged_stays_so(make: Make) -> None:
    unsaid = {"allow_privilege_escalation": None}
    of_pod = {"pod_security_context": {"runAsUser": 0}}
    rights = ({"privileged": True}, {"allow_privilege_escalation": True}, {"uid": 0})
    for traits in (*rights, unsaid, of_pod):
        context = notebook(await manifest(make(**traits))).get("securityContext", {})
        assert "capabilities" not in context and "runAsNonRoot" not in context
    unset = notebook(await manifest(make(restricted=False)))["securityContext"]
    assert unset == {"allowPrivilegeEscalation": False}


async def test_who_the_site_says_a_pod_is_stays(make: Make) -> None:
    spawner = make(pod_security_context={"runAsUser": 77})
    await spawner.run_auth_state_hook({"uid": 5001, "gid": 500})
    context = notebook(await manifest(spawner))["securityContext"]
    assert "runAsUser" not in context and context["runAsGroup"] == 500
    assert context["runAsNonRoot"] is True


async def test_proxy_and_certificate_authorities_are_known_to_all_programs(make: Make) -> None:
    proxy = {"http": "http://proxy:3128", "https": "http://proxy:3128", "none": [".site"]}
    pod = await manifest(make(proxy=proxy, ca_bundle="company/bundle.pem"))
    variables = environment(pod)
    assert variables["HTTPS_PROXY"] == variables["https_proxy"] == "http://proxy:3128"
    none = variables["NO_PROXY"].split(",")
    assert {"hub", ".site", ".svc", "127.0.0.1"} <= set(none)
    assert {variables[name] for name in parts.CA_VARIABLES} == {parts.CA}
    source = volumes(pod)["jh-ca"]["configMap"]
    assert source == {"name": "company", "items": [{"key": "bundle.pem", "path": "ca.crt"}]}
    own = make(proxy=proxy, environment={"http_proxy": "http://mine:1"})
    assert environment(await manifest(own))["http_proxy"] == "http://mine:1"


async def test_a_server_image_is_laid_beside_the_users_image(make: Make) -> None:
    spawner = make(image="ubuntu", server_image="site/server:1")
    pod = await manifest(spawner)
    (copier,) = pod["spec"]["initContainers"]
    assert copier["image"] == "site/server:1"
    assert copier["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert mounts(pod)[parts.SERVER]["readOnly"] is True
    assert notebook(pod)["command"][:2] == ["python3", f"{parts.SERVER}/start.py"]


async def test_a_server_may_be_a_layer_of_the_image(make: Make) -> None:
    pod = await manifest(make(image="site/pytorch:hub", server_inside=True, image_python="python"))
    assert "initContainers" not in pod["spec"] and parts.SERVER not in mounts(pod)
    assert notebook(pod)["command"] == ["python", f"{parts.SERVER}/start.py"]


async def test_gpus_get_past_the_taint_of_their_nodes(make: Make) -> None:
    pod = await manifest(make(extra_resource_limits={"nvidia.com/gpu": "2"}))
    assert pod["spec"]["tolerations"] == [{"key": "nvidia.com/gpu", "operator": "Exists"}]
    assert "tolerations" not in (await manifest(make()))["spec"]


async def test_jobs_need_an_account_and_only_then_is_there_a_token(make: Make) -> None:
    spec = (await manifest(make(jobs_service_account="jobs", hybrid_config="targets")))["spec"]
    assert spec["serviceAccountName"] == "jobs"
    assert spec["automountServiceAccountToken"] is True
    assert environment({"spec": spec})["JUPYTER_CONFIG_PATH"] == parts.CONFIG


async def test_numbers_of_users_come_from_anywhere_in_auth_state() -> None:
    state = {"ldap": {"uidNumber": ["5001"], "gids": "500, 501 0"}}
    source = {"uid": "ldap.uidNumber", "gid": "ldap.gidNumber", "groups": "ldap.gids"}
    assert await identify(source, None, state) == Identity(5001, None, (500, 501))
    assert await identify(source, None, None) == Identity()

    async def ask(spawner: object, auth_state: object) -> dict[str, Any]:
        return {"uid": 7, "gid": 8}

    assert await identify(ask, None, state) == Identity(7, 8)


@pytest.mark.parametrize("found", [{"uid": 0}, {"uid": "root"}, {"uid": -1}, {"gid": True}])
def test_what_is_no_user_is_refused(found: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="the user's"):
        read(found)
