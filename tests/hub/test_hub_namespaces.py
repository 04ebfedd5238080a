"""A hub whose users have namespaces of their own, on a cluster that enforces Pod Security."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import hubs
import kube
import kube_admission
import pytest
from jobs import until

# (the first time, the image with the server is made)
pytestmark = [pytest.mark.needs(*hubs.NEEDS), pytest.mark.timeout(600)]


def site(name: str) -> dict[str, Any]:
    """The hub's traits; users' namespaces have a label that the cluster looks at."""
    return {
        "images": [kube.IMAGE],
        "image_python": kube.PYTHON,
        "enable_user_namespaces": True,
        "user_namespace_template": f"{name}-{{username}}",
        "user_namespace_labels": {"policy": name},
        "sizes": {},
        "folders": {},
    }


async def test_a_server_in_its_users_own_namespace_is_restricted(
    kubernetes: kube.Kubernetes, tmp_path: Path
) -> None:
    if kubernetes.shared is None:
        pytest.skip("the hub's tests need the cluster of tests/services")
    name = kubernetes.namespace
    own = f"{name}-uma"
    (tmp_path / "hub").mkdir()

    def refused() -> bool:
        attempt = ("run", "attempt", "--image=none", "--dry-run=server", f"--namespace={own}")
        return not kubernetes.kubectl(*attempt, check=False)

    with kube_admission.asked(kubernetes, tmp_path, "restricted"):
        kubernetes.kubectl("create", "namespace", own)
        kubernetes.kubectl("label", "namespace", own, f"policy={name}")
        try:
            # (the server reads its configuration now and then)
            await until(refused)
            kubernetes.kubectl("delete", "namespace", own)
            with hubs.running(kubernetes, tmp_path / "hub", home={}, **site(name)) as hub:
                async with hub.browser("uma"):
                    # who she is on the storage is known once she has logged in
                    pass
                events = await hub.start("uma", gpu="none")
                assert events[-1].get("ready"), (events, hub.log.read_text())
                (pod,) = kubernetes.get("pods", f"--namespace={own}")["items"]
                assert pod["status"]["phase"] == "Running" and hub.pods() == []
                assert pod["spec"]["containers"][0]["securityContext"]["runAsUser"] == 5003
                await hub.stop("uma")
                assert kubernetes.get("pods", f"--namespace={own}")["items"] == []
        finally:
            kubernetes.kubectl("delete", "namespace", own, "--wait=false", check=False)
