"""Objects as newer clusters want them, and which of them a cluster gets by its version.

The lab's cluster is Kubernetes 1.20. What newer ones know is what kubernetes_asyncio's models have,
which are made from the OpenAPI document of the version in its number (36.1: Kubernetes 1.36).
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes_asyncio.client import models

from jupyter_hybrid.executors.base import TargetConfig
from jupyter_hybrid.executors.kubernetes import manifest, ranks
from jupyter_hybrid.executors.kubernetes.executor import KubernetesExecutor
from jupyter_hybrid.executors.kubernetes.settings import Settings
from jupyter_hybrid.job import Job
from jupyter_hybrid.spec import JobSpec, Resources

ID = "01m89w43ce0c4evwa9v7wy2sck"
MODELS = {"Job": models.V1Job, "Pod": models.V1Pod, "Secret": models.V1Secret}
MODELS |= {"Service": models.V1Service}
SIMPLE = {"str": str, "int": int, "bool": bool, "float": (int, float), "datetime": str}


def complaints(kind: str, data: Any, path: str = "") -> list[str]:
    """What a schema has against the data: unknown fields, wrong types, and what is missing."""
    if found := re.fullmatch(r"list\[(.*)\]", kind):
        inner = [complaints(found[1], item, f"{path}[{n}]") for n, item in enumerate(data)]
        return [line for lines in inner for line in lines]
    if found := re.fullmatch(r"dict\(str, (.*)\)", kind):
        return [line for key in data for line in complaints(found[1], data[key], f"{path}.{key}")]
    if kind in SIMPLE:
        return [] if isinstance(data, SIMPLE[kind]) else [f"{path} is {data!r}, no {kind}"]
    model = getattr(models, kind, None)
    if model is None or not isinstance(data, Mapping):
        return [] if kind == "object" else [f"{path} is {data!r}, no {kind}"]
    named = {
        written: (name, model.openapi_types[name]) for name, written in model.attribute_map.items()
    }
    lines = [f"{path} has an unknown field {key!r}" for key in data if key not in named]
    for key in set(data) & set(named):
        lines += complaints(named[key][1], data[key], f"{path}.{key}")
    try:
        model(**{named[key][0]: data[key] for key in data if key in named})
    except ValueError as error:
        lines.append(f"{path}: {error}")
    return lines


def job(**resources: Any) -> Job:
    spec = JobSpec(name="n", target="c", kind="notebook", resources=Resources(**resources))
    return Job(id=ID, spec=spec, directory="", created_at=0.0)


SITE = Settings(
    volumes=[
        {"mount": "/data", "nfs": "nas:/export/data", "read_only": True},
        {"mount": "/scratch", "claim": "scratch", "sub_path": "jobs"},
        {"mount": "/node", "host_path": "/node"},
        {"mount": "/config", "config_map": "c"},
        {"mount": "/keys", "secret": "s"},
        {"mount": "/tmp/more", "empty_dir": {"sizeLimit": "1Gi"}},
    ],
    allow_host_path=True,
    secret_env={"TOKEN": "wandb/key"},
    env={"A": "b"},
    pull_secrets=["ngc"],
    runtime_class="nvidia",
    priority_class="low",
    service_account="jobs",
    tolerations=[{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}],
    node_selector={"pool": "gpu"},
    security_context={"runAsUser": 5001, "runAsNonRoot": True, "fsGroup": 500},
    labels={"team": "x"},
    annotations={"note": "y"},
    image_pull_policy="Always",
)


@pytest.mark.parametrize("minor", [0, 20, 23, 24, 28, 36])
@pytest.mark.parametrize("nodes", [1, 3])
@pytest.mark.parametrize("settings", [Settings(), SITE], ids=["plain", "site"])
def test_newer_clusters_know_every_field(minor: int, nodes: int, settings: Settings) -> None:
    asked = job(nodes=nodes, ntasks_per_node=2, gpus=2, cpus=4, mem=1 << 30, time=60)
    inside = manifest.Inside(python="python3", directory="/j", code="/c", blobs="/b")
    plan = manifest.Plan(
        image="i:1",
        gpu_models=["V100", "P100"],
        receiver="",
        inside=inside,
        minor=minor,
        small=True,
    )
    made = manifest.make_job(asked, settings, plan)
    objects = [made, manifest.make_secret(ID, b"x", settings), ranks.make_service(asked)]
    made["metadata"]["uid"] = "u"
    objects.append(ranks.make_rank(made, 1, "10.0.0.7"))
    for each in objects:
        assert complaints(MODELS[each["kind"]].__name__, each, each["kind"]) == []
    owners = manifest.owned_by(made)["metadata"]
    assert complaints("V1ObjectMeta", owners) == []


def test_the_schema_sees_what_is_wrong() -> None:
    inside = manifest.Inside(python="python3", directory="/j", code="/c", blobs="/b")
    plan = manifest.Plan(image="i:1", receiver="", inside=inside, minor=24)
    made = manifest.make_job(job(nodes=2), Settings(), plan)
    made["spec"]["completion_mode"] = made["spec"].pop("completionMode")
    made["spec"]["completions"] = "2"
    del made["spec"]["template"]["spec"]["containers"][0]["name"]
    found = complaints("V1Job", made, "Job")
    assert "Job.spec has an unknown field 'completion_mode'" in found
    assert "Job.spec.completions is '2', no int" in found
    assert any("`name`" in line and "containers[0]" in line for line in found)


@contextmanager
def a_server(status: int, **version: Any) -> Iterator[str]:
    """An API server that tells its version, and nothing else."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.path == "/version"
            self.send_response(status if known else 404)
            self.end_headers()
            self.wfile.write(json.dumps(version if known else {}).encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("status", "version", "indexed", "replaces"),
    [
        (200, {"major": "1", "minor": "20"}, False, False),
        (200, {"major": "1", "minor": "23"}, False, False),
        (200, {"major": "1", "minor": "24"}, True, False),
        (200, {"major": "1", "minor": "27+"}, True, False),
        (200, {"major": "1", "minor": "28+"}, True, True),
        (200, {"major": "1", "minor": "36"}, True, True),
        (200, {}, False, False),
        (403, {}, False, False),
    ],
    ids=["1.20", "1.23", "1.24", "1.27+", "1.28+", "1.36", "untold", "forbidden"],
)
async def test_a_cluster_gets_what_its_version_has(
    tmp_path: Path, status: int, version: dict[str, str], indexed: bool, replaces: bool
) -> None:
    with a_server(status, **version) as address:
        config = {
            "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {"server": address}}],
            "users": [{"name": "u", "user": {"token": "t"}}],
        }
        (tmp_path / "config").write_text(json.dumps(config))
        options = {"kubeconfig": str(tmp_path / "config"), "image": "i:1", "namespace": "x"}
        target = TargetConfig(name="c", executor="kubernetes", root=tmp_path, options=options)
        made = yaml.safe_load(await KubernetesExecutor(target).describe(job(nodes=2).spec))
    assert (made["spec"].get("completionMode") == "Indexed") is indexed
    assert made["spec"]["completions"] == (2 if indexed else 1)
    assert ("subdomain" in made["spec"]["template"]["spec"]) is indexed
    assert (made["spec"].get("podReplacementPolicy") == "Failed") is replaces
