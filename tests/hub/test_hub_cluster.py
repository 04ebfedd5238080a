"""Servers of a real hub on the real cluster, by the configuration that is shipped as an example."""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
from collections.abc import Iterator
from typing import Any

import hubs
import kube
import pytest
from hubs import Hub
from jobs import until

# (the first time, the image with the server is made)
pytestmark = [pytest.mark.needs(*hubs.NEEDS), pytest.mark.timeout(600)]

#: Failures in a row after which a hub ends itself; zero-to-jupyterhub's have 5.
LIMIT = 3
SITE: dict[str, Any] = {
    "consecutive_failure_limit": LIMIT,
    "images": [kube.IMAGE],
    "image_python": kube.PYTHON,
    "allowed_images": ["*/none"],
    "folders": {"data": {"mount": "/data", "volume": {"emptyDir": {}}, "read_only": True}},
    "sizes": {"small": {"cpus": 2, "memory": "1G", "default": True}},
}


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Hub]:
    """A hub whose users' homes are on the storage that all pods see."""
    cluster = request.getfixturevalue("_kubernetes")
    if cluster.shared is None:
        pytest.skip("the hub's tests need the cluster of tests/services")
    homes = {"hostPath": {"path": str(cluster.shared)}}
    inside = f"homes-{os.getpid()}/{{unescaped_username}}"
    home = {"volume": homes, "sub_path": inside, "create": True}
    directory = tmp_path_factory.mktemp("hub")
    with hubs.running(cluster, directory, home=home, **SITE) as found:
        yield found
    shutil.rmtree(cluster.shared / f"homes-{os.getpid()}", ignore_errors=True)


@pytest.fixture(autouse=True)
def _one_failure_stays_one(hub: Hub) -> Iterator[None]:
    """What a failed test left running would take the GPUs of the next."""
    yield
    with kube.turn(fcntl.LOCK_SH):  # (the test's is over)
        for pod in hub.pods():
            hub.drop_now(pod["metadata"]["annotations"]["hub.jupyter.org/username"])


def said(events: list[dict[str, Any]]) -> str:
    return "\n".join(str(event.get("message")) for event in events)


async def test_a_user_gets_an_image_as_it_is_with_their_own_files(
    hub: Hub, kubernetes: kube.Kubernetes
) -> None:
    async with hub.browser("ada"):
        # who she is on the storage is known once she has logged in
        pass
    events = await hub.start("ada", gpu="v100", gpus=1, folders=["data"])
    assert events[-1].get("ready"), said(events) + hub.log.read_text()
    # (the kubelet's own words about the container may come after the server has answered)
    assert "Successfully assigned" in said(events)
    assert "The hub's server is laid beside the image." in said(events)
    (pod,) = hub.pods()
    name, spec = pod["metadata"]["name"], pod["spec"]
    assert spec["nodeSelector"] == {"nvidia.com/gpu.product": "Tesla-V100-SXM2-16GB"}
    asked = spec["containers"][0]["resources"]["limits"]
    assert asked["nvidia.com/gpu"] == "1" and asked["cpu"] == "2"
    assert spec["containers"][0]["securityContext"]["runAsNonRoot"] is True
    assert "jh-folder-data" in {volume["name"] for volume in spec["volumes"]}
    # no banner, the image's workspace, no account of the cluster, large shared memory
    log = kubernetes.kubectl("logs", name, "-c", "notebook")
    assert "an image of the tests" not in log
    look = "id -u; id -G; pwd; echo $HOME; touch $HOME/new; ls /var/run/secrets; df -m /dev/shm"
    numbers, groups, directory, home, *rest = hub.run(name, "sh", "-c", f"{look} || :").split("\n")
    assert (numbers, groups, directory, home) == ("5003", "500 501", "/workspace", "/home/ada")
    assert not any("kubernetes.io" in line for line in rest)
    assert int(next(line for line in rest if line.startswith("tmpfs")).split()[1]) > 64
    assert kubernetes.shared is not None
    kept = kubernetes.shared / f"homes-{os.getpid()}" / "ada" / "new"
    assert (kept.stat().st_uid, kept.stat().st_gid) == (5003, 500)
    assert kept.parent.stat().st_mode & 0o777 == 0o700
    async with hub.browser("ada") as browser:
        status = await browser.get("/user/ada/api/status")
        assert status.status_code == 200 and "last_activity" in status.json()
        kernels = (await browser.get("/user/ada/api/kernelspecs")).json()
        argv = kernels["kernelspecs"]["python3"]["spec"]["argv"]
        # the image's own interpreter
        assert argv[0] == kube.PYTHON
    await hub.stop("ada")
    assert hub.pods() == [] and kept.exists()


async def test_an_image_that_is_not_there_ends_the_start_and_is_forgotten(
    hub: Hub, kubernetes: kube.Kubernetes
) -> None:
    async with hub.browser("bob"):
        pass
    none = f"{hub.cluster.registry}/none:1"
    events = await hub.start("bob", image=none, gpu="any", gpus=1)
    assert events[-1].get("failed"), said(events)
    assert f"there is no image {none}" in events[-1]["message"]
    await hub.stop("bob")
    async with hub.browser("bob") as browser:
        page = (await browser.get("/hub/spawn/bob")).text
    # the form remembers the wish; the next server does not
    assert f'value="{none}"' in page
    async with hub.client() as client:
        await client.post("/hub/api/users/bob/server", json={"gpu": "none"})
    (pod,) = hub.wait_for_pods()
    assert pod["spec"]["containers"][0]["image"] == kube.IMAGE
    assert "nvidia.com/gpu" not in pod["spec"]["containers"][0]["resources"]["limits"]
    assert "nodeSelector" not in pod["spec"]
    await hub.drop("bob")


async def test_whoever_waits_is_told_why_and_the_form_told_before(
    hub: Hub, kubernetes_alone: kube.Kubernetes
) -> None:
    taken = {"limits": {"nvidia.com/gpu": "4"}}
    holder = {"name": "all", "image": kube.IMAGE, "command": ["sleep", "600"], "resources": taken}
    kubernetes_alone.apply(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "all-gpus"},
            "spec": {"containers": [holder], "terminationGracePeriodSeconds": 0},
        }
    )
    try:
        kubernetes_alone.kubectl("wait", "--for=condition=Ready", "pod/all-gpus", "--timeout=60s")
        await _until_form_says(hub, "0 of 4 free")
        async with hub.client() as client:
            answer = await client.post("/hub/api/users/eve/server", json={"gpu": "v100:2"})
            assert answer.status_code == 202
            words = ""
            async with client.stream("GET", "/hub/api/users/eve/server/progress") as stream:
                async for line in stream.aiter_lines():
                    words += line
                    if "not enough free nvidia.com/gpu" in line:
                        break
        assert "Waits for a node (of 1)" in words
    finally:
        kubernetes_alone.kubectl("delete", "pod", "all-gpus", "--force", "--grace-period=0")
    await hub.drop("eve")


async def test_a_start_that_is_asked_for_twice_and_then_cancelled(
    hub: Hub, kubernetes: kube.Kubernetes
) -> None:
    async with hub.client() as client:
        await client.post("/hub/api/users/zoe")
        path = "/hub/api/users/zoe/server"
        both = await asyncio.gather(*(client.post(path, json={"gpu": "v100:1"}) for _ in range(2)))
        assert [answer.status_code for answer in both] == [202, 202]
        (pod,) = hub.wait_for_pods()
        assert pod["metadata"]["annotations"]["hub.jupyter.org/username"] == "zoe"
        # in the middle of it
        await client.delete(path)
        events = await hub.progress("zoe")
        assert not any(event.get("ready") for event in events)
        await until(lambda: hub.pods() == [])
        await hub.stop("zoe")
        # what it had asked for is not asked for by the next, which has its own time
        answer = await client.post(path, json={"gpu": "none"})
        assert answer.status_code == 202, answer.text
    (pod,) = hub.wait_for_pods()
    assert "nvidia.com/gpu" not in pod["spec"]["containers"][0]["resources"]["limits"]
    await hub.drop("zoe")


async def test_a_quota_is_said_in_words(hub: Hub, kubernetes: kube.Kubernetes) -> None:
    quota = {"hard": {"requests.nvidia.com/gpu": "0"}}
    name = {"name": "gpus"}
    kubernetes.apply({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": name, "spec": quota})
    try:
        events = await hub.start("kim", gpu="v100:1")
    finally:
        kubernetes.kubectl("delete", "resourcequota", "gpus")
    assert events[-1].get("failed"), said(events)
    assert "there is no room left in the namespace's quota 'gpus'" in events[-1]["message"]
    await hub.stop("kim")


async def test_what_is_not_offered_is_refused_by_rest(
    hub: Hub, kubernetes: kube.Kubernetes
) -> None:
    # (the hub ends itself after so many failures in a row, if they are its own)
    for _ in range(LIMIT + 1):
        async with hub.client() as client:
            await client.post("/hub/api/users/lea")
            # (the hub may have heard of the failure before it answers, and says no more of it then)
            wish = {"image": "docker.io/evil:1"}
            answer = await client.post("/hub/api/users/lea/server", json=wish)
            assert answer.status_code in (201, 202, 400), answer.text
        events = await hub.progress("lea")
        assert events[-1].get("failed") and hub.pods() == []
        assert "evil is not on this site's list of images" in events[-1]["message"]
        await hub.stop("lea")


async def _until_form_says(hub: Hub, words: str) -> None:
    async with hub.browser("eve") as browser:
        for _ in range(60):
            page = (await browser.get("/hub/spawn/eve")).text
            if words in page:
                assert "would wait" in page
                return
            await asyncio.sleep(0.5)
    raise AssertionError(page)
