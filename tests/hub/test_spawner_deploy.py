"""What is shipped for administrators: read as the hub, the chart and kubectl read it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hubs
import jupyter_hybrid_spawner
import kube
import pytest
import yaml
from jupyter_hybrid_spawner import NGCSpawner, prepuller
from jupyter_hybrid_spawner.options import Options
from jupyter_hybrid_spawner.server_image import parser
from pod_security import violations
from spawners import Make, manifest
from traitlets.config import Config, PyFileConfigLoader
from tree import ROOT

DEPLOY = Path(jupyter_hybrid_spawner.__file__).parent / "deploy"


def example() -> Config:
    return PyFileConfigLoader("jupyterhub_config.py", path=str(DEPLOY)).load_config()


#: Keys that values.yaml uses, with the types that the chart's values.schema.yaml gives them.
#: Below hub.config it takes whatever Jupyter's classes have.
CHART: dict[str, tuple[type, ...]] = {
    "hub.image.name": (str,),
    "hub.image.tag": (str,),
    "singleuser.uid": (int, type(None)),
    "singleuser.fsGid": (int, type(None)),
    "singleuser.storage.type": (str,),
    "singleuser.cmd": (list, str, type(None)),
    "singleuser.cloudMetadata.blockWithIptables": (bool,),
    "singleuser.startTimeout": (int, type(None)),
    "cull.enabled": (bool,),
    "cull.timeout": (int, type(None)),
    "prePuller.hook.enabled": (bool,),
    "prePuller.continuous.enabled": (bool,),
    # in comments
    "singleuser.networkPolicy.egressAllowRules.privateIPs": (bool,),
}


def leaves(values: dict[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{path}{key}.")
        else:
            yield path + key, value


def test_the_chart_knows_every_value() -> None:
    text = (DEPLOY / "values.yaml").read_text()
    # what is offered in comments counts too
    offered = re.sub(r"^( *)# (?=( *)[a-zA-Z_]+:( |$))", r"\1", text, flags=re.MULTILINE)
    for written in (text, offered):
        values = yaml.safe_load(written)
        config = values["hub"].pop("config")
        found = dict(leaves(values))
        wrong = {k: v for k, v in found.items() if not isinstance(v, CHART.get(k, ()))}
        assert wrong == {}
        assert found["singleuser.storage.type"] in ("dynamic", "static", "none")
        assert set(config["NGCSpawner"]) <= set(NGCSpawner.class_trait_names(config=True))
    assert found["singleuser.networkPolicy.egressAllowRules.privateIPs"] is True
    assert config["NGCSpawner"]["jobs_service_account"] == "hybrid-jobs"


def chart() -> Config:
    """What zero-to-jupyterhub's configuration makes of the values: hub.config goes to classes."""
    values = yaml.safe_load((DEPLOY / "values.yaml").read_text())
    config = Config({name: Config(options) for name, options in values["hub"]["config"].items()})
    server = values["singleuser"]
    config.KubeSpawner.uid, config.KubeSpawner.fs_gid = server["uid"], server["fsGid"]
    config.Spawner.start_timeout, config.Spawner.cmd = server["startTimeout"], server["cmd"]
    # what it sets by itself for all users' pods
    purpose = {"key": "hub.jupyter.org/node-purpose", "operator": "In", "values": ["user"]}
    term = {"weight": 100, "preference": {"matchExpressions": [purpose]}}
    config.KubeSpawner.node_affinity_preferred = [term]
    dedicated = {"key": "hub.jupyter.org/dedicated", "operator": "Equal", "value": "user"}
    config.KubeSpawner.tolerations = [{**dedicated, "effect": "NoSchedule"}]
    config.KubeSpawner.allow_privilege_escalation = False
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
    assert violations(pod) == ["volume of type nfs"] * 2
    taints = {toleration["key"] for toleration in pod["spec"]["tolerations"]}
    assert taints >= {
        "nvidia.com/gpu",
        *(t["key"] for t in config.KubeSpawner.get("tolerations", ())),
    }


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
    assert spec["tolerations"] == [{"operator": "Exists"}]
    assert spec["initContainers"][0]["image"] == "nvcr.io/nvidia/pytorch:26.08-py3"
    assert prepuller.main(["site/lab:3", "--pause", "site/pause:1"]) == 0
    (pull,) = yaml.safe_load(capsys.readouterr().out)["spec"]["template"]["spec"]["initContainers"]
    assert pull["image"] == "site/lab:3"


@pytest.mark.needs(*kube.NEEDS)
@pytest.mark.timeout(300)
def test_the_prepuller_fills_a_node_that_is_kept_for_gpus(
    kubernetes_alone: kube.Kubernetes, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster = kubernetes_alone
    words = [kube.IMAGE, "--namespace", cluster.namespace, "--pause", "nvcr.io/pause:1"]
    assert prepuller.main(words) == 0
    (node,) = cluster.get("nodes")["items"]
    taint = ("taint", "node", node["metadata"]["name"])
    cluster.kubectl(*taint, "nvidia.com/gpu=present:NoSchedule")
    try:
        cluster.kubectl("apply", "-f", "-", input=capsys.readouterr().out)
        cluster.kubectl("rollout", "status", "daemonset/ngc-prepuller", "--timeout=120s")
        (pod,) = cluster.get("pods", "-l", "app.kubernetes.io/name=ngc-prepuller")["items"]
    finally:
        cluster.kubectl("delete", "daemonset", "ngc-prepuller", "--ignore-not-found")
        cluster.kubectl(*taint, "nvidia.com/gpu-")
    (pulled,) = pod["status"]["initContainerStatuses"]
    assert pulled["image"] == kube.IMAGE and pulled["state"]["terminated"]["exitCode"] == 0


def test_the_servers_image_has_options() -> None:
    options = parser().parse_args(["site/server:1", "--python", "3.12"])
    assert options.target == "site/server:1" and options.python == ["3.12"]


def may(cluster: kube.Kubernetes, account: str, words: str) -> bool:
    who = f"--as=system:serviceaccount:{cluster.namespace}:{account}"
    said = cluster.kubectl("auth", "can-i", *words.split(), who, check=False)
    return said.strip() == "yes"


@pytest.mark.needs(*kube.NEEDS)
def test_the_role_for_hubs_lets_them_look_and_nothing_else(kubernetes: kube.Kubernetes) -> None:
    name = f"ngc-spawner-{kubernetes.namespace}"
    for found in documents("hub-role.yaml"):
        found["metadata"]["name"] = name
        found.get("roleRef", {})["name"] = name
        for subject in found.get("subjects", ()):
            subject["namespace"] = kubernetes.namespace
        kubernetes.apply(found)
    refused = ["get nodes", "watch pods", "create pods", "list secrets", "patch nodes"]
    refused += ["get pods --subresource=log", "delete pods", "list configmaps"]
    try:
        assert may(kubernetes, "hub", "list nodes")
        assert may(kubernetes, "hub", "list pods --all-namespaces")
        assert [words for words in refused if may(kubernetes, "hub", words)] == []
    finally:
        kubernetes.kubectl("delete", "clusterrole,clusterrolebinding", name)


def test_who_may_make_pods_of_jobs_gets_no_node_by_that() -> None:
    (namespace,) = (d for d in documents("jobs-role.yaml") if d["kind"] == "Namespace")
    labels = namespace["metadata"]["labels"]
    assert labels == {"pod-security.kubernetes.io/enforce": "baseline"}


@pytest.mark.needs(*kube.NEEDS)
def test_the_role_for_jobs_allows_them_and_nothing_else(kubernetes: kube.Kubernetes) -> None:
    hubs.allow_jobs(kubernetes)
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
    assert [words for words in allowed if not may(kubernetes, "hybrid-jobs", words)] == []
    assert [words for words in refused if may(kubernetes, "hybrid-jobs", words)] == []
