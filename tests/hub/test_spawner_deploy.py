"""What is shipped for administrators: read as the hub, the chart and kubectl read it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hubs
import jupyter_hybrid_spawner
import kube
import pytest
import yaml
from jupyter_hybrid_spawner import prepuller
from jupyter_hybrid_spawner.options import Options
from jupyter_hybrid_spawner.server_image import parser
from spawners import Make, manifest
from traitlets.config import Config, PyFileConfigLoader
from tree import ROOT

DEPLOY = Path(jupyter_hybrid_spawner.__file__).parent / "deploy"


def example() -> Config:
    return PyFileConfigLoader("jupyterhub_config.py", path=str(DEPLOY)).load_config()


def chart() -> Config:
    """What zero-to-jupyterhub's configuration makes of the values: hub.config goes to classes."""
    values = yaml.safe_load((DEPLOY / "values.yaml").read_text())
    config = Config({name: Config(options) for name, options in values["hub"]["config"].items()})
    server = values["singleuser"]
    config.KubeSpawner.uid, config.KubeSpawner.fs_gid = server["uid"], server["fsGid"]
    config.Spawner.start_timeout = server["startTimeout"]
    return config


@pytest.mark.parametrize("read", [example, chart])
async def test_both_configurations_make_the_same_server(make: Make, read: Any) -> None:
    config = read()
    assert config.JupyterHub.spawner_class == "ngc"
    spawner = make(config=config)
    known = {name for kind in type(spawner).__mro__ for name in getattr(kind, "_traits", {})}
    for section in ("NGCSpawner", "KubeSpawner", "Spawner"):
        assert set(config[section]) <= known, section
    await spawner.run_auth_state_hook({"uid": 5001, "gid": 500})
    page = await spawner.get_options_form()
    for words in ("26.08", "On premises", "Measurements", "Another image"):
        assert words in page
    spawner.user_options = {"image": "nvcr.io/nvidia/jax:25.04-py3", "gpu": "any:1"}
    await spawner.load_user_options()
    pod = await manifest(spawner)
    notebook = pod["spec"]["containers"][0]
    assert notebook["securityContext"]["runAsUser"] == 5001
    assert notebook["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert {m["mountPath"] for m in notebook["volumeMounts"]} >= {"/home/mock@name", "/data"}
    assert spawner.start_timeout == 300


def test_every_option_is_in_the_documentation() -> None:
    page = (ROOT / "docs" / "hub.md").read_text()
    missing = [name for name in Options.class_own_traits(config=True) if f"`{name}`" not in page]
    assert missing == []


def documents(name: str) -> Iterator[dict[str, Any]]:
    yield from yaml.safe_load_all((DEPLOY / name).read_text())


def test_the_prepuller_is_what_its_program_prints(capsys: pytest.CaptureFixture[str]) -> None:
    assert prepuller.main([]) == 0
    assert (DEPLOY / "prepuller.yaml").read_text().endswith(capsys.readouterr().out)
    (found,) = documents("prepuller.yaml")
    spec = found["spec"]["template"]["spec"]
    assert spec["tolerations"] == [{"operator": "Exists", "effect": "NoSchedule"}]
    assert spec["initContainers"][0]["image"] == "nvcr.io/nvidia/pytorch:26.08-py3"
    assert prepuller.main(["site/lab:3", "--pause", "site/pause:1"]) == 0
    (pull,) = yaml.safe_load(capsys.readouterr().out)["spec"]["template"]["spec"]["initContainers"]
    assert pull["image"] == "site/lab:3"


def test_the_servers_image_has_options() -> None:
    options = parser().parse_args(["site/server:1", "--python", "3.12"])
    assert options.target == "site/server:1" and options.python == ["3.12"]


@pytest.mark.needs(*kube.NEEDS)
def test_the_role_for_jobs_allows_them_and_nothing_else(kubernetes: kube.Kubernetes) -> None:
    hubs.allow_jobs(kubernetes)
    here = kubernetes.namespace
    account = f"--as=system:serviceaccount:{here}:hybrid-jobs"

    def may(*words: str) -> bool:
        return kubernetes.kubectl("auth", "can-i", *words, account, check=False).strip() == "yes"

    allowed = ["create jobs.batch", "delete jobs.batch", "watch pods", "get pods --subresource=log"]
    allowed += ["create pods --subresource=exec", "create secrets", "list events"]
    # jobs on several nodes
    allowed += ["create pods", "create services", "patch services", "delete services"]
    refused = [
        "get secrets",
        "list secrets",
        "list nodes",
        "create deployments.apps",
    ]
    refused += ["get services", "update pods", "delete deployments.apps", "get nodes"]
    refused += ["patch pods", "create rolebindings.rbac.authorization.k8s.io", "get configmaps"]
    refused += ["list pods --namespace=default", "create jobs.batch --namespace=default"]
    refused += [
        "create serviceaccounts --subresource=token",
        "impersonate users",
        "list pods --all-namespaces",
    ]
    assert [words for words in allowed if not may(*words.split())] == []
    assert [words for words in refused if may(*words.split())] == []
