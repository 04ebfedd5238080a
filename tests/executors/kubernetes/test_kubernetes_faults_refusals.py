"""What a cluster refuses: said at once, in plain words, and nothing is left of it."""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
import sys
from pathlib import Path

import kube
import kube_admission
import pytest
import registries
import yaml
from jobs import until
from kube import Kubernetes
from kube_jobs import Place

from jupyter_hybrid.errors import PlaceError, UsageError
from jupyter_hybrid.spec import Cause

pytestmark = [pytest.mark.needs(*kube.NEEDS), pytest.mark.timeout(300)]

#: The lab's registry once more, for those who log in (``settings.sh``).
PRIVATE = "private.lab/base:1"


@pytest.mark.skipif(bool(kube.FOREIGN), reason="the registry is the lab's own")
async def test_images_that_cannot_be(place: Place, tmp_path: Path) -> None:
    registry = place.cluster.registry
    # the head of a program for arm64 (ELF, e_machine 183)
    python = tmp_path / "tree" / kube.PYTHON.lstrip("/")
    python.parent.mkdir(parents=True)
    python.write_bytes(b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\0\xb7\0\x01\0\0\0" + bytes(40))
    python.chmod(0o755)
    archive = [str(tmp_path / "tree"), str(tmp_path / "foreign.tar"), "foreign:1", "{}", "arm64"]
    program = [sys.executable, str(kube.SERVICE / "archive.py")]
    await asyncio.to_thread(subprocess.run, [*program, *archive], check=True)
    place.cluster.service("import", "foreign:1", archive[1])
    missing = await place.start("1", image=f"{registry}/nothing:1")
    foreign = await place.start("1", image=f"{registry}/foreign:1")
    record = await place.ended(missing)
    assert (record.state, record.cause) == ("FAILED", Cause.IMAGE_NOT_PULLED), record
    assert f"there is no image {registry}/nothing:1" in record.message
    record = await place.ended(foreign)
    assert (record.state, record.cause) == ("FAILED", Cause.REFUSED), record
    assert f"{registry}/foreign:1 is for another kind of processor" in record.message
    # the Jobs of what never ran go at once; nobody's quota is held by them
    await until(lambda: not any(missing.id in name for name in place.cluster.left()))


@pytest.mark.skipif(bool(kube.FOREIGN), reason="the registry is the lab's own")
async def test_an_image_that_needs_a_login(place: Place, tmp_path: Path) -> None:
    directory = place.cluster.service("directory").strip()
    (tmp_path / "htpasswd").write_text(registries.HTPASSWD)
    config = {
        "version": "0.1",
        "storage": {"filesystem": {"rootdirectory": f"{directory}/registry"}},
        "http": {"addr": "127.0.0.1:5001", "secret": "of the tests"},
        "auth": {"htpasswd": {"realm": "private", "path": str(tmp_path / "htpasswd")}},
    }
    (tmp_path / "registry.json").write_text(json.dumps(config))
    with place.cluster.serving("docker-registry", "serve", str(tmp_path / "registry.json")):
        # (the image may be on the node since an earlier test)
        place.options["image_pull_policy"] = "Always"
        place.executor = place.another()
        record = await place.ended(await place.start("1", image=PRIVATE))
        assert record.cause == Cause.IMAGE_NOT_PULLED
        assert f"the registry does not give {PRIVATE} to the node" in record.message
        assert "pull_secrets" in record.message
        login = f"{registries.USER}:{registries.PASSWORD}"
        given = {"auth": base64.b64encode(login.encode()).decode()}
        place.cluster.kubectl(
            *("create", "secret", "generic", "login", "--type=kubernetes.io/dockerconfigjson"),
            f"--from-literal=.dockerconfigjson={json.dumps({'auths': {'private.lab': given}})}",
        )
        place.executor = place.another(pull_secrets=["login"])
        job = await place.start("print('in')", image=PRIVATE)
        assert (await place.ended(job)).state == "COMPLETED"


async def test_a_quota_that_is_used_up_is_waited_for(place: Place) -> None:
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "team"},
        "spec": {"hard": {"pods": "0"}},
    }
    place.cluster.apply(quota)
    try:
        job = await place.start("print('at last')")
        status = await place.says(job, "quota")
        assert status.state == "PENDING"
        assert "the namespace's quota 'team': it asks for pods=1, pods=0 is used" in status.reason
    finally:
        place.cluster.kubectl("delete", "resourcequota", "team")
    assert (await place.ended(job)).state == "COMPLETED"
    assert place.printed(job) == "at last\n"


async def test_limits_of_the_namespace(place: Place) -> None:
    most = [{"type": "Container", "max": {"memory": "64Mi"}}]
    metadata = {"name": "small"}
    limits = {
        "apiVersion": "v1", "kind": "LimitRange", "metadata": metadata, "spec": {"limits": most},
    }  # fmt: skip
    place.cluster.apply(limits)
    try:
        record = await place.ended(await place.start("1", mem=1 << 30))
    finally:
        place.cluster.kubectl("delete", "limitrange", "small")
    assert record.cause == Cause.REFUSED
    assert "the cluster does not admit the job's pod: maximum memory usage" in record.message
    assert "64Mi" in record.message


@pytest.mark.skipif(bool(kube.FOREIGN), reason="asks a server of the lab")
async def test_a_policy_that_refuses_the_pod(place: Place, tmp_path: Path) -> None:
    name = place.cluster.namespace
    with kube_admission.asked(place.cluster, tmp_path):
        place.cluster.kubectl("label", "namespace", name, f"policy={name}")
        # (the server reads its configuration now and then)
        attempt = ("run", "attempt", "--image=none", "--dry-run=server")
        await until(lambda: not place.cluster.kubectl(*attempt, check=False))
        record = await place.ended(await place.start("1"))
    assert record.cause == Cause.REFUSED
    assert "the cluster does not admit the job's pod" in record.message
    assert kube_admission.WORDS in record.message


async def test_a_namespace_that_does_not_exist(place: Place) -> None:
    place.executor = place.another(namespace="nowhere")
    with pytest.raises(PlaceError, match='namespaces "nowhere" not found'):
        await place.start("1")


def user(cluster: Kubernetes, file: Path, token: Path, **role: list[str]) -> None:
    """A kubeconfig of an account ``user`` with that role, whose token is in another file."""
    name = cluster.namespace
    cluster.kubectl("delete", "serviceaccount,rolebinding,role", "user", "--ignore-not-found")
    metadata = {"name": "user", "namespace": name}
    rules = [
        {"apiGroups": ["", "batch"], "resources": [kind.replace("_", "/")], "verbs": verbs}
        for kind, verbs in role.items()
    ]
    who = {"kind": "ServiceAccount", **metadata}
    group = "rbac.authorization.k8s.io"
    cluster.apply(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata},
        {"apiVersion": f"{group}/v1", "kind": "Role", "metadata": metadata, "rules": rules},
        {
            "apiVersion": f"{group}/v1",
            "kind": "RoleBinding",
            "metadata": metadata,
            "roleRef": {"apiGroup": group, "kind": "Role", "name": "user"},
            "subjects": [who],
        },
    )
    config = yaml.safe_load(cluster.kubeconfig.read_text())
    config["users"][0]["user"] = {"tokenFile": str(token)}
    file.write_text(json.dumps(config))


async def test_a_token_that_expires_in_the_middle(place: Place, tmp_path: Path) -> None:
    cluster, token = place.cluster, tmp_path / "token"
    every = ["create", "get", "list", "watch", "patch", "delete"]
    kinds = ("jobs", "pods", "pods_log", "pods_exec", "secrets", "events")
    user(cluster, tmp_path / "kubeconfig", token, **dict.fromkeys(kinds, every))
    old, content = await _token(cluster, "user")
    token.write_text(content)
    place.executor = place.another(kubeconfig=str(tmp_path / "kubeconfig"))
    job = await place.start("import time\nprint('first')\ntime.sleep(1)\nprint('second')")
    await place.prints(job, "first")
    cluster.kubectl("delete", "secret", old)
    status = None
    while status := await place.look(job):
        assert status.exit is None or status.state == "COMPLETED"
        if status.exit is not None:
            break
        await asyncio.sleep(0.1)
    token.write_text((await _token(cluster, "user", but=old))[1])
    assert (await place.ended(job)).state == "COMPLETED"
    assert place.printed(job) == "first\nsecond\n"


async def test_what_an_account_may_not_do(place: Place, tmp_path: Path) -> None:
    """Without rights to Secrets and events files are streamed; without pods, there is one node."""
    cluster, token = place.cluster, tmp_path / "token"
    role = {
        "jobs": ["create", "get", "delete"],
        "pods": ["list", "watch", "get", "delete"],
        "pods_log": ["get"],
        "pods_exec": ["create", "get"],
    }
    user(cluster, tmp_path / "kubeconfig", token, **role)
    token.write_text((await _token(cluster, "user"))[1])
    place.executor = place.another(kubeconfig=str(tmp_path / "kubeconfig"))
    job = await place.start("print('streamed')")
    assert (await place.ended(job)).state == "COMPLETED"
    assert place.printed(job) == "streamed\n"
    with pytest.raises(UsageError, match="in a Secret"):
        await place.start("1", nodes=2)
    user(cluster, tmp_path / "kubeconfig", token, **role, secrets=["create", "patch", "delete"])
    token.write_text((await _token(cluster, "user"))[1])
    place.executor = place.another(kubeconfig=str(tmp_path / "kubeconfig"))
    record = await place.ended(await place.start("import time; time.sleep(600)", nodes=2))
    assert record.cause == Cause.REFUSED
    assert "the pods beside the first cannot be made" in record.message
    assert "cannot create resource" in record.message


async def _token(cluster: Kubernetes, account: str, but: str = "") -> tuple[str, str]:
    """The Secret that the cluster made for the account, and the token in it."""

    def find() -> tuple[str, str] | None:
        for secret in cluster.get("secrets")["items"]:
            metadata = secret["metadata"]
            of = metadata.get("annotations", {}).get("kubernetes.io/service-account.name")
            if of == account and metadata["name"] != but and secret.get("data"):
                return metadata["name"], base64.b64decode(secret["data"]["token"]).decode()
        return None

    found: tuple[str, str] = await until(find)
    return found


async def test_five_megabytes_of_environment(place: Place) -> None:
    """More than an object of the cluster may have; and more than a process may have."""
    many = {f"VARIABLE_{n}": "x" * 100_000 for n in range(50)}
    job = await place.start("import os\nprint(len(os.environ))", env=many)
    record = await place.ended(job)
    assert record.state == "FAILED" and "environment variables are too large" in record.message
    job = await place.start("import os\nprint(len(os.environ['BIG']))", env={"BIG": "x" * 100_000})
    assert (await place.ended(job)).state == "COMPLETED"
    assert place.printed(job) == "100000\n"
