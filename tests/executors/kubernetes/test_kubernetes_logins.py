"""Who asks a cluster: each kind of credentials, on the real thing and as files."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import Any

import kube
import pytest
import yaml
from kube import Kubernetes

from jupyter_hybrid.errors import ConfigError
from jupyter_hybrid.executors.kubernetes import kubeconfig
from jupyter_hybrid.executors.kubernetes.api import Api, ApiError
from jupyter_hybrid.executors.kubernetes.settings import Settings

pytestmark = pytest.mark.timeout(300)


def written(path: Path, user: dict[str, Any], **cluster: Any) -> Settings:
    """A kubeconfig with that user."""
    config = {
        "current-context": "other",
        "contexts": [
            {"name": "lab", "context": {"cluster": "c", "user": "u", "namespace": "team"}},
            {"name": "other", "context": {"cluster": "c", "user": "u"}},
        ],
        "clusters": [{"name": "c", "cluster": {"server": "https://192.0.2.1:6443/", **cluster}}],
        "users": [{"name": "u", "user": user}],
    }
    path.write_text(yaml.safe_dump(config))
    return Settings(kubeconfig=str(path), context="lab")


@pytest.mark.needs(*kube.NEEDS)
@pytest.mark.parametrize("kind", ["token", "tokenFile", "data", "program"])
async def test_kinds_of_credentials(kubernetes: Kubernetes, tmp_path: Path, kind: str) -> None:
    lab = yaml.safe_load(kubernetes.kubeconfig.read_text())
    if "token" not in lab["users"][0]["user"]:
        pytest.skip("the cluster's administrator has no token")
    token = lab["users"][0]["user"]["token"]
    (tmp_path / "token").write_text(f"{token}\n")
    cluster = dict(lab["clusters"][0]["cluster"])
    if kind == "data":
        authority = Path(cluster.pop("certificate-authority")).read_bytes()
        cluster["certificate-authority-data"] = base64.b64encode(authority).decode()
    answer = {"apiVersion": "client.authentication.k8s.io/v1beta1", "kind": "ExecCredential"}
    said = json.dumps({**answer, "status": {"token": token}})
    program = {"apiVersion": answer["apiVersion"], "command": sys.executable}
    user = {
        "token": {"token": token},
        "data": {"token": token},
        "tokenFile": {"tokenFile": "token"},
        "program": {"exec": {**program, "args": ["-c", f"print({said!r})"]}},
    }[kind]
    settings = written(tmp_path / "config", user, **cluster)
    assert (kubeconfig.find_access(settings) is None) == (kind == "program")
    found = await Api("cloud", settings).get(f"/api/v1/namespaces/{kubernetes.namespace}/pods")
    assert found["kind"] == "PodList"


@pytest.mark.needs(*kube.NEEDS)
@pytest.mark.skipif(bool(kube.FOREIGN), reason="its API server may not be reached like this")
async def test_a_pods_own_account(
    kubernetes: Kubernetes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = yaml.safe_load(kubernetes.kubeconfig.read_text())
    cluster = lab["clusters"][0]["cluster"]
    host, _, port = cluster["server"].removeprefix("https://").rpartition(":")
    monkeypatch.setattr(kubeconfig, "ACCOUNT", tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", port)
    (tmp_path / "ca.crt").write_bytes(Path(cluster["certificate-authority"]).read_bytes())
    (tmp_path / "namespace").write_text(kubernetes.namespace)
    (tmp_path / "token").write_text("no such token")
    api = Api("cloud", Settings())
    path = f"/api/v1/namespaces/{api.namespace}/pods"
    with pytest.raises(ApiError, match="log in to the cluster again"):
        await api.get(path)
    # a token that was replaced is read again when the old one is refused
    (tmp_path / "token").write_text(lab["users"][0]["user"]["token"])
    assert api.namespace == kubernetes.namespace
    assert (await api.get(path))["kind"] == "PodList"


def test_what_is_read_here_and_what_is_not(tmp_path: Path) -> None:
    settings = written(tmp_path / "a", {"token": "t"}, **{"insecure-skip-tls-verify": True})
    access = kubeconfig.find_access(settings)
    assert access is not None
    assert (access.server, access.token) == ("https://192.0.2.1:6443", "t")
    assert kubeconfig.own_namespace(settings) == "team"
    assert kubeconfig.own_namespace(Settings(kubeconfig=settings.kubeconfig)) == "default"
    rare: list[dict[str, Any]] = [
        {"auth-provider": {}},
        {"exec": {}},
        {"username": "x"},
        {"as": "y"},
    ]
    for user in rare:
        assert kubeconfig.find_access(written(tmp_path / "b", user)) is None
    proxied = written(tmp_path / "c", {"token": "t"}, **{"proxy-url": "http://proxy:1"})
    assert kubeconfig.find_access(proxied) is None
    several = Settings(kubeconfig=f"{tmp_path / 'a'}:{tmp_path / 'b'}", context="lab")
    assert kubeconfig.find_access(several) is None
    assert kubeconfig.own_namespace(several) == "team"


async def test_what_is_no_kubeconfig_is_named(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("a: [")
    with pytest.raises(ConfigError, match="config is no kubeconfig"):
        await Api("cloud", Settings(kubeconfig=str(tmp_path / "config"), namespace="x")).get("/api")
    with pytest.raises(ConfigError, match="name a kubeconfig that kubectl can use"):
        await Api("cloud", Settings(kubeconfig=str(tmp_path / "none"), namespace="x")).get("/api")
    settings = written(tmp_path / "config", {"tokenFile": "gone"})
    with pytest.raises(ConfigError, match="gone"):
        await Api("cloud", settings).get("/api")
