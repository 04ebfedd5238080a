"""Logins by OpenID Connect: a cluster that believes a company's provider, and tokens that end."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jwt
import kube
import oidc_issuer
import pytest
import registries
import yaml
from jobs import until
from kube_jobs import Place, ticking, ticks

from jupyter_hybrid.errors import ConfigError, PlaceError
from jupyter_hybrid.executors.kubernetes import oidc
from jupyter_hybrid.executors.kubernetes.api import Api, ApiError
from jupyter_hybrid.executors.kubernetes.oidc import Provider

pytestmark = pytest.mark.timeout(300)
ISSUER = str(Path(oidc_issuer.__file__))


def kubeconfig(path: Path, issuer: str, authority: Path, **cluster: Any) -> Path:
    """The kubeconfig of a user who logged in some time ago."""
    login = {
        "idp-issuer-url": issuer,
        "client-id": oidc_issuer.CLIENT,
        "client-secret": oidc_issuer.SECRET,
        "idp-certificate-authority": str(authority),
        "refresh-token": oidc_issuer.FIRST,
        "id-token": jwt.encode({"exp": time.time() - 60}, "k" * 32, algorithm="HS256"),
    }
    user = {"auth-provider": {"name": "oidc", "config": login}}
    config = {
        "current-context": "lab",
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "ada"}}],
        "clusters": [{"name": "lab", "cluster": {"server": "https://192.0.2.1", **cluster}}],
        "users": [{"name": "ada", "user": user}],
    }
    path.write_text(yaml.safe_dump(config))
    path.chmod(0o600)
    return path


def tokens(path: Path) -> dict[str, str]:
    found: dict[str, str] = yaml.safe_load(path.read_text())["users"][0]["user"]["auth-provider"]
    return dict(found["config"])  # type: ignore[call-overload]


@pytest.fixture
def issuer(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A provider on this machine, and the kubeconfig of a user."""
    authority = Path(registries.certify(tmp_path))
    words = [sys.executable, ISSUER, str(tmp_path), "127.0.0.1", "3600"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            yield url, kubeconfig(tmp_path / "config", url, authority)
        finally:
            process.terminate()


def test_a_login_is_renewed_and_kept(issuer: tuple[str, Path], tmp_path: Path) -> None:
    _, path = issuer
    ours, others = Provider(path, "ada"), Provider(path, "ada")
    token = ours.token()
    assert ours.fresh and ours.token() == token
    # kubectl, and whoever else reads that file, goes on with it
    assert tokens(path)["id-token"] == token and tokens(path)["refresh-token"] == "refresh-1"
    assert path.stat().st_mode & 0o777 == 0o600
    assert others.token() == token
    assert (tmp_path / "asked").read_text() == "200\n"


def test_a_refresh_token_that_was_used_before(issuer: tuple[str, Path]) -> None:
    url, path = issuer
    old = path.read_text()
    Provider(path, "ada").token()
    path.write_text(old)
    with pytest.raises(ConfigError, match=f"{url} does not renew the login: the refresh token was"):
        Provider(path, "ada").token()


def test_another_process_was_faster(
    issuer: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, path = issuer
    late, renewed = Provider(path, "ada"), oidc.renewed

    def slowly(config: Any, base: Path) -> Any:
        monkeypatch.setattr(oidc, "renewed", renewed)
        Provider(path, "ada").token()
        return renewed(config, base)

    monkeypatch.setattr(oidc, "renewed", slowly)
    assert late.token() == tokens(path)["id-token"]


def test_a_provider_that_does_not_answer_and_one_of_another_authority(
    issuer: tuple[str, Path], tmp_path: Path
) -> None:
    url, path = issuer
    (tmp_path / "other").mkdir()
    foreign = Path(registries.certify(tmp_path / "other"))
    for where, authority in (("https://127.0.0.1:9", foreign), (url, foreign)):
        broken = kubeconfig(path, where, authority)
        with pytest.raises(PlaceError, match=f"{where} does not renew a login") as raised:
            Provider(broken, "ada").token()
        assert raised.value.transient


def test_a_user_without_a_refresh_token_logs_in_again(issuer: tuple[str, Path]) -> None:
    _, path = issuer
    path.write_text(path.read_text().replace("refresh-token:", "unknown:"))
    with pytest.raises(ConfigError, match=r"no refresh token; log in to the cluster again"):
        Provider(path, "ada").token()


@contextmanager
def believed(cluster: kube.Kubernetes, url: str, authority: Path) -> Iterator[None]:
    """Let the API server believe the provider."""
    words = {
        "oidc-issuer-url": url, "oidc-client-id": oidc_issuer.CLIENT,
        "oidc-ca-file": str(authority), "oidc-username-claim": "sub", "oidc-username-prefix": "-",
    }  # fmt: skip
    options = " ".join(f"--{name}={value}" for name, value in words.items())
    cluster.service("kill", "kube-apiserver")
    os.environ["KUBE_APISERVER_OPTIONS"] = options
    try:
        cluster.service("mend")
        yield
    finally:
        del os.environ["KUBE_APISERVER_OPTIONS"]
        cluster.service("kill", "kube-apiserver")


async def is_let_in(place: Place) -> bool:
    """Whether the API server believes who asks."""
    api = Api("cloud", place.executor.settings)
    try:
        await api.get(f"/api/v1/namespaces/{api.namespace}/pods")
    except ApiError:
        return False
    return True


@pytest.mark.needs(*kube.NEEDS)
async def test_a_job_outlives_tokens_that_last_for_seconds(
    place_alone: Place, tmp_path: Path
) -> None:
    place, cluster = place_alone, place_alone.cluster
    address = cluster.registry.partition(":")[0]
    authority = Path(registries.certify(tmp_path, address))
    # (renewed half a minute before its end)
    lasting = str(oidc.EARLY + 4.0)
    with cluster.serving(sys.executable, ISSUER, str(tmp_path), address, lasting) as url:
        known = yaml.safe_load(cluster.kubeconfig.read_text())["clusters"][0]["cluster"]
        path = kubeconfig(tmp_path / "config", url, authority, **known)
        with believed(cluster, url, authority):
            words = ("rolebinding", "ada", "--clusterrole=admin", f"--user={oidc_issuer.USER}")
            cluster.kubectl("create", *words)
            place.executor = place.another(kubeconfig=str(path))
            try:
                # (an API server looks for the provider some seconds after its own start)
                await until(lambda: is_let_in(place))
                job = await place.start(ticking(150))
                assert (await place.ended(job)).state == "COMPLETED"
            finally:
                # back to who asks by the cluster's own tokens
                place.executor = place.another()
    assert place.printed(job) == ticks(150)
    asked = (tmp_path / "asked").read_text().split()
    assert set(asked) == {"200"} and len(asked) >= 2
    await asyncio.to_thread(cluster.service, "mend")
    cluster.kubectl("delete", "rolebinding", "ada")
