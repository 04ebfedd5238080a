"""Jobs as objects, options of targets, and offers: pure functions."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from pod_security import dangers, violations

from jupyter_hybrid.containers.nodes import parse_quantity, rooms
from jupyter_hybrid.errors import ConfigError, UsageError
from jupyter_hybrid.executors.base import TargetConfig
from jupyter_hybrid.executors.kubernetes import manifest
from jupyter_hybrid.executors.kubernetes.mirror import Mirror, events_of
from jupyter_hybrid.executors.kubernetes.offers import make_offers, models
from jupyter_hybrid.executors.kubernetes.settings import Settings, read_settings
from jupyter_hybrid.job import Job
from jupyter_hybrid.spec import JobSpec, Resources

ID = "01m89w43ce0c4evwa9v7wy2sck"


DELIVERED = manifest.Inside(python="python3", directory="/d/job", code="/d/code", blobs="/d/blobs")


def made(
    settings: Settings | None = None,
    models: Any = (),
    inside: manifest.Inside | None = None,
    minor: int = 20,
    **resources: Any,
) -> dict[str, Any]:
    spec = JobSpec(
        name="n", target="cloud", kind="notebook", resources=Resources(**resources), grace=7.0
    )
    job = Job(id=ID, spec=spec, directory="/scratch/jobs", created_at=0.0)
    plan = manifest.Plan(
        image="i:1",
        gpu_models=models,
        receiver="pass # $(HOME)",
        inside=inside or DELIVERED,
        minor=minor,
    )
    return manifest.make_job(job, settings or Settings(), plan)


def pod(made: dict[str, Any]) -> dict[str, Any]:
    return dict(made["spec"]["template"]["spec"])


def test_a_job_starts_at_most_once_and_is_removed_some_time_after() -> None:
    job = made()
    assert job["metadata"]["name"] == f"jh-{ID}"
    spec = job["spec"]
    assert (spec["backoffLimit"], pod(job)["restartPolicy"]) == (0, "Never")
    assert (spec["completions"], spec["parallelism"]) == (1, 1)
    assert "podReplacementPolicy" not in spec
    assert made(minor=28)["spec"]["podReplacementPolicy"] == "Failed"
    assert spec["ttlSecondsAfterFinished"] == 3600
    assert pod(job)["automountServiceAccountToken"] is False
    assert pod(job)["terminationGracePeriodSeconds"] >= 7
    # each name is a DNS label, each label value has its form
    assert len(job["metadata"]["name"]) <= 63
    json.dumps(job)


def test_the_kubelet_replaces_nothing_in_the_command() -> None:
    (container,) = pod(made())["containers"]
    assert "$$(HOME)" in container["command"][2]


def test_what_is_in_the_image_is_not_waited_for() -> None:
    image = "r.lab/jobs@sha256:1"
    inside = replace(DELIVERED, python="/opt/python", image=image, there=("code",))
    (container,) = pod(made(inside=inside))["containers"]
    assert container["image"] == image
    assert container["command"][0] == "/opt/python"
    assert container["command"][-2:] == ["--code", "/d/code"]


def test_resources() -> None:
    (container,) = pod(made(gpus=2, cpus=3, mem=1 << 30))["containers"]
    limits = container["resources"]["limits"]
    assert limits["nvidia.com/gpu"] == "2" and limits["cpu"] == "3"
    # the runner has some memory of its own, so that it can say that there was too little
    assert int(limits["memory"]) == (1 << 30) + manifest.HEADROOM
    assert container["command"][-2:] == ["--mem", str(1 << 30)]
    (container,) = pod(made(gpus=1, gpu_type="mig-1g.5gb"))["containers"]
    assert container["resources"]["limits"] == {"nvidia.com/mig-1g.5gb": "1"}


def test_models_of_gpus_are_required_and_the_first_is_liked_best() -> None:
    affinity = pod(made(models=["V100", "P100"], gpus=1))["affinity"]["nodeAffinity"]
    (term,) = affinity["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    (rule,) = term["matchExpressions"]
    assert (rule["key"], rule["values"]) == ("nvidia.com/gpu.product", ["V100", "P100"])
    liked = affinity["preferredDuringSchedulingIgnoredDuringExecution"]
    assert [(x["weight"], x["preference"]["matchExpressions"][0]["values"]) for x in liked] == [
        (100, ["V100"]),
        (80, ["P100"]),
    ]


def test_the_sites_own_affinity_stays_and_is_not_changed() -> None:
    own = {"key": "zone", "operator": "In", "values": ["a"]}
    term = {"nodeSelectorTerms": [{"matchExpressions": [own]}]}
    required = "requiredDuringSchedulingIgnoredDuringExecution"
    settings = Settings(affinity={"nodeAffinity": {required: term}})
    for _ in range(2):
        affinity = pod(made(settings, ["V100"], gpus=1))["affinity"]["nodeAffinity"]
        (merged,) = affinity[required]["nodeSelectorTerms"]
        assert [x["key"] for x in merged["matchExpressions"]] == ["zone", "nvidia.com/gpu.product"]


def test_volumes_secrets_and_the_rest_of_the_configuration() -> None:
    settings = Settings(
        volumes=[
            {"mount": "/data", "nfs": "nas:/export/data", "read_only": True},
            {"mount": "/scratch", "claim": "scratch", "sub_path": "jobs"},
        ],
        secret_env={"TOKEN": "wandb/key"},
        env={"HTTPS_PROXY": "http://proxy:3128"},
        pull_secrets=["ngc"],
        runtime_class="nvidia",
        priority_class="low",
        service_account="jobs",
        tolerations=[{"key": "gpu", "operator": "Exists"}],
        node_selector={"pool": "gpu"},
        shm_size="8Gi",
        labels={"team": "x"},
    )
    job = made(settings)
    spec = pod(job)
    (container,) = spec["containers"]
    nfs = {"server": "nas", "path": "/export/data"}
    assert {"name": "volume-0", "nfs": nfs} in spec["volumes"]
    assert container["volumeMounts"][-1] == {
        "name": "volume-1",
        "mountPath": "/scratch",
        "subPath": "jobs",
    }
    (token,) = [e for e in container["env"] if e["name"] == "TOKEN"]
    assert token["valueFrom"] == {"secretKeyRef": {"name": "wandb", "key": "key"}}
    assert spec["imagePullSecrets"] == [{"name": "ngc"}]
    assert (spec["runtimeClassName"], spec["priorityClassName"]) == ("nvidia", "low")
    (shm,) = [v for v in spec["volumes"] if v["name"] == "shm"]
    assert shm["emptyDir"] == {"medium": "Memory", "sizeLimit": "8Gi"}
    assert job["metadata"]["labels"]["team"] == "x"


def test_pods_keep_to_the_restricted_standard_where_the_site_wants_that() -> None:
    settings = Settings(restricted=True, security_context={"runAsUser": 5001})
    assert violations({"spec": pod(made(settings, gpus=1))}) == []
    assert violations({"spec": pod(made())}) and dangers({"spec": pod(made())}) == []
    # whoever it runs as can read what its Secret brings
    spec = JobSpec(name="n", target="cloud", kind="notebook", resources=Resources())
    job = Job(id=ID, spec=spec, directory="/scratch/jobs", created_at=0.0)
    plan = manifest.Plan(image="i:1", receiver="", inside=DELIVERED, small=True)
    volumes = pod(manifest.make_job(job, settings, plan))["volumes"]
    assert [v["secret"]["defaultMode"] for v in volumes if "secret" in v] == [0o444]


def test_yaml_keeps_what_yaml_1_1_takes_for_truth() -> None:
    text = manifest.to_yaml({"a": "n", "b": "on", "c": "x"})
    assert text == 'a: "n"\nb: "on"\nc: x\n'
    assert yaml.safe_load(text) == {"a": "n", "b": "on", "c": "x"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"nmespace": "x"}, r"unknown option 'nmespace'; one on Kubernetes has: .*namespace"),
        ({"patience": "long"}, r"\['patience'\] is 'long', which is no float"),
        ({"delivery": "pigeon"}, "write one of stream, volume"),
        ({"delivery": "volume"}, "add 'root_volume'"),
        ({"volumes": [{"mount": "/x"}]}, "needs 'mount' and one of claim"),
        ({"volumes": [{"mount": "/x", "host_path": "/"}]}, "set 'allow_host_path' to True"),
        ({"volumes": [{"mount": "/x", "nfs": "nas"}]}, "write 'nfs' as 'server:/path'"),
    ],
)
def test_wrong_options_are_named(options: dict[str, Any], words: str) -> None:
    target = TargetConfig(name="c", executor="kubernetes", root=Path("/x"), options=options)
    with pytest.raises(ConfigError, match=words):
        read_settings(target)


def node(name: str, gpus: int = 0, model: str = "", **more: Any) -> dict[str, Any]:
    labels = {"nvidia.com/gpu.product": model, "where": more.get("where", "")}
    return {
        "metadata": {"name": name, "labels": labels},
        "spec": {"taints": more.get("taints", [])},
        "status": {
            "allocatable": {"cpu": "7500m", "memory": "64Gi", "nvidia.com/gpu": str(gpus)},
            "conditions": [{"type": "Ready", "status": more.get("ready", "True")}],
        },
    }


def running(where: str, gpus: int, phase: str = "Running") -> dict[str, Any]:
    limits = {"nvidia.com/gpu": str(gpus), "memory": "1Gi"}
    container = {"resources": {"limits": limits, "requests": {"cpu": "500m"}}}
    return {"spec": {"nodeName": where, "containers": [container]}, "status": {"phase": phase}}


def offers(asked: Resources, settings: Settings, nodes: list[Any], pods: list[Any]) -> list[Any]:
    resource = manifest.gpu_resource(asked.gpu_type, settings)
    found = rooms(nodes, pods, settings, resource)
    liked = models(asked.gpu_type, settings, [room.model for room in found])
    return make_offers("cloud", asked, settings, found, liked)


def test_offers_tell_what_is_free_by_model_and_location() -> None:
    nodes = [
        node("a", 4, "Tesla-V100-SXM2-16GB", where="cloud"),
        node("b", 2, "Tesla-P100-PCIE-16GB", where="on-prem"),
        node("c"),
        node("d", 8, "H100", taints=[{"key": "x", "effect": "NoSchedule"}]),
        node("e", 8, "H100", ready="Unknown"),
    ]
    pods = [running("a", 3), running("b", 2), running("a", 1, "Succeeded")]
    settings = Settings(location_label="where", gpu_models={"p100": "Tesla-P100-PCIE-16GB"})
    found = offers(Resources(gpus=1), settings, nodes, pods)
    said = {offer.gpu_type: (offer.free_now, offer.note) for offer in found}
    assert said == {
        "Tesla-V100-SXM2-16GB": (True, "cloud, 1 node"),
        "Tesla-P100-PCIE-16GB": (False, "on-prem, 1 node"),
    }
    assert found[0].hardware.startswith("2 × Tesla-P100") or "1 free" in found[0].hardware
    # the user's order of preference
    found = offers(Resources(gpus=1, gpu_type="v100,p100"), settings, nodes, pods)
    assert [offer.gpu_type[:10] for offer in found] == ["Tesla-V100", "Tesla-P100"]


def test_what_never_can_be_is_refused_with_numbers() -> None:
    nodes = [node("a", 4, "V100")]
    with pytest.raises(UsageError, match="has 5 GPUs, the largest has 4"):
        offers(Resources(gpus=5), Settings(), nodes, [])
    with pytest.raises(UsageError, match=r"has 64 cores, the largest has 7\.5"):
        offers(Resources(cpus=64), Settings(), nodes, [])
    with pytest.raises(UsageError, match="no GPU of the model 'a100'; the cluster has: V100"):
        offers(Resources(gpus=1, gpu_type="a100"), Settings(), nodes, [])
    with pytest.raises(UsageError, match="no node of 'cloud' takes such jobs now"):
        offers(Resources(), Settings(node_selector={"pool": "x"}), nodes, [])


@pytest.mark.parametrize(
    ("text", "value"),
    [("2", 2), ("500m", 0.5), ("16Gi", 16 * 2**30), ("1e3", 1000), ("5M", 5e6), ("", 0), ("x", 0)],
)
def test_quantities(text: str, value: float) -> None:
    assert parse_quantity(text) == value


def line(seq: int, text: str = "") -> bytes:
    return json.dumps({"text": text, "seq": seq, "time": 1.5, "kind": "note"}).encode() + b"\n"


def test_a_mirror_keeps_each_event_once_and_sees_what_is_missing(tmp_path: Path) -> None:
    mirror = Mirror(tmp_path)
    assert mirror.take(line(1)) and not mirror.take(line(1)) and mirror.take(line(2, "x" * 99))
    assert not mirror.take(b"not one of ours\n")
    assert mirror.missing(line(4)) and not mirror.missing(line(3))
    assert mirror.path.read_bytes() == line(1) + line(2, "x" * 99)
    # another process goes on from there, and a half-written line does not count
    with mirror.path.open("ab") as file:
        file.write(line(3)[:10])
    again = Mirror(tmp_path)
    assert (again.seq, again.size) == (2, mirror.size)
    again.take_all(line(3) + line(4) + line(5)[:7])
    assert again.path.read_bytes() == line(1) + line(2, "x" * 99) + line(3) + line(4)
    record = {"state": "COMPLETED", "cause": None}
    again.take(json.dumps({"kind": "exit", "record": record}).encode() + b"\n")
    assert again.ended and again.record is not None and again.record.state == "COMPLETED"


@pytest.mark.parametrize(
    "printed", [b'{"seq": 1e999}', b'{"seq": 2, "data": ' + b"[" * 5000 + b"]" * 5000 + b"}"]
)
def test_a_mirror_passes_over_what_no_runner_writes(tmp_path: Path, printed: bytes) -> None:
    mirror = Mirror(tmp_path)
    mirror.take(line(1))
    assert not mirror.missing(printed + b"\n") and not mirror.take(printed + b"\n")
    assert mirror.take(line(2)) and mirror.path.read_bytes() == line(1) + line(2)
    # it may stand in the file as well: another process begins before it
    mirror.path.write_bytes(line(1) + printed + b"\n" + line(2))
    assert Mirror(tmp_path).seq == 1
    assert events_of(line(1) + printed + b"\n") == line(1)
