"""A job as the objects that Kubernetes runs: plain dicts, made by pure functions."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...containers.restricted import RESTRICTED
from ...job import Job
from ...spec import Resources
from . import ranks
from .names import JOB, MANAGED, job_name
from .settings import Settings, results_place

#: Where the job's things are in its pod.
BASE = "/jupyter-hybrid"
#: Where a small bundle comes as a Secret.
SMALL = "/jupyter-hybrid-bundle"
#: Bytes that the runner itself may need besides what the job asked for.
HEADROOM = 128 << 20
#: Seconds that saving and taking results may need when a pod is being ended.
SAVING = 30
#: The version since which a Job waits for the end of a pod before it makes another.
REPLACEMENT = 28
#: Seconds that a pod may take to begin, for its node's deadline.
STARTING = 3600


@dataclass(frozen=True, kw_only=True)
class Inside:
    """Where a job's things are in its pod: JSON values, kept in the job's directory."""

    #: The interpreter.
    python: str
    #: Directories of the job, of our code and of files by content.
    directory: str
    code: str
    blobs: str
    #: What of these is there before anything is delivered: ``job``, ``code``, ``blobs``.
    there: Sequence[str] = ()
    #: The image; empty: the one that was asked for.
    image: str = ""
    #: Where the client of the site's object store is in it; empty: among its packages.
    client: str = ""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is decided for one job before its objects are made."""

    image: str
    #: Acceptable values of the nodes' label for GPUs, the best first; empty: any.
    gpu_models: Sequence[str] = ()
    #: The program that waits for the job's things and runs it (``receive.py``).
    receiver: str
    #: The bundle comes as the Secret of the job's name.
    small: bool = False
    inside: Inside
    #: The cluster's version: 28 is Kubernetes 1.28.
    minor: int = 0


def make_job(job: Job, settings: Settings, plan: Plan) -> dict[str, Any]:
    """The batch/v1 Job: at most one pod, never started again, removed some time after its end."""
    # (where the cluster does not know it, `Objects.let_go` sees to it)
    once = {"podReplacementPolicy": "Failed"} if plan.minor >= REPLACEMENT else {}
    labels = {**settings.labels, **MANAGED, JOB: job.id}
    notes = {**settings.annotations, "jupyter-hybrid/name": job.spec.name}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": job_name(job.id), "labels": labels, "annotations": notes},
        "spec": {
            "backoffLimit": 0,
            **once,
            **ranks.pods(job.spec.resources, plan.minor),
            "ttlSecondsAfterFinished": settings.keep,
            "template": {
                "metadata": {"labels": labels, "annotations": notes},
                "spec": _pod(job, settings, plan),
            },
        },
    }


def make_secret(job_id: str, bundle: bytes, settings: Settings) -> dict[str, Any]:
    """The Secret that brings a small bundle; owned by the Job once that is there."""
    labels = {**settings.labels, **MANAGED, JOB: job_id}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        "metadata": {"name": job_name(job_id), "labels": labels},
        "data": {"bundle.tar": base64.b64encode(bundle).decode("ascii")},
    }


def owned_by(job: Mapping[str, Any]) -> dict[str, Any]:
    """The patch that makes an object go when this Job (as the server has it) goes."""
    owner = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "name": job["metadata"]["name"],
        "uid": job["metadata"]["uid"],
    }
    return {"metadata": {"ownerReferences": [owner]}}


def to_yaml(made: Mapping[str, Any]) -> str:
    """Objects as YAML for people and kubectl."""
    import yaml

    class Dumper(yaml.SafeDumper):
        """Quotes what YAML 1.1 takes for a truth value (``n``, ``on``), and PyYAML does not."""

    def text(dumper: Any, value: str) -> Any:
        quoted = '"' if value.lower() in ("y", "n", "yes", "no", "on", "off") else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=quoted)

    Dumper.add_representer(str, text)
    written: str = yaml.dump(dict(made), Dumper=Dumper, sort_keys=False, allow_unicode=True)
    return written


def _pod(job: Job, settings: Settings, plan: Plan) -> dict[str, Any]:
    volumes, mounts = _volumes(job, settings, plan)
    container: dict[str, Any] = {
        "name": "job",
        "image": plan.inside.image or plan.image,
        # the image's own entry point (a banner, in NGC's) is passed over
        "command": _command(job, settings, plan),
        "env": [*_environment(settings), *ranks.environment(job.spec.resources, plan.minor)],
        "resources": resources(job.spec.resources, settings),
        "volumeMounts": mounts,
        # what an image or node lacks is said by the runner; a lost log would hide it
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    rights = {**RESTRICTED, "runAsNonRoot": True} if settings.restricted else None
    own: dict[str, Any] = {"securityContext": rights, "imagePullPolicy": settings.image_pull_policy}
    container.update({name: value for name, value in own.items() if value})
    pod: dict[str, Any] = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": settings.service_account_token,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": int(job.spec.grace) + SAVING,
        "containers": [container],
        "volumes": volumes,
    }
    if job.spec.resources.time is not None:
        # the runner ends the job in time; this is for a runner that cannot
        limit = job.spec.resources.time + job.spec.grace + STARTING + settings.linger
        pod["activeDeadlineSeconds"] = int(limit)
    chosen = {
        "subdomain": ranks.service(job, plan.minor),
        "serviceAccountName": settings.service_account,
        "runtimeClassName": settings.runtime_class,
        "priorityClassName": settings.priority_class,
        "nodeSelector": dict(settings.node_selector),
        "tolerations": [dict(t) for t in settings.tolerations],
        "securityContext": dict(settings.security_context),
        "imagePullSecrets": [{"name": name} for name in settings.pull_secrets],
        "affinity": affinity(settings, plan.gpu_models),
    }
    return {**pod, **{name: value for name, value in chosen.items() if value}}


def _command(job: Job, settings: Settings, plan: Plan) -> list[str]:
    inside, spec = plan.inside, job.spec
    words = [inside.python, "-c", plan.receiver, "wait", BASE]
    # what is on a shared volume need not be taken out of the pod
    linger = 0.0 if "job" in inside.there else settings.linger
    words += ["--patience", f"{settings.patience:g}", "--linger", f"{linger:g}"]
    if plan.small:
        words += ["--bundle", f"{SMALL}/bundle.tar"]
    places = {"job": inside.directory, "code": inside.code, "blobs": inside.blobs}
    for name in inside.there:
        words += [f"--{name}", places[name]]
    if settings.results is not None:
        words += ["--results", results_place(settings, job.id)]
        words += ["--client", inside.client] if inside.client else []
    for name, count in (
        ("--nodes", spec.resources.nodes),
        ("--tasks", spec.resources.ntasks_per_node),
    ):
        words += [name, str(count)] if count > 1 else []
    if spec.resources.time is not None:
        words += ["--time", str(spec.resources.time)]
    if spec.resources.mem is not None:
        words += ["--mem", str(spec.resources.mem // spec.resources.ntasks_per_node)]
    # "$(NAME)" would be replaced by the kubelet
    return [word.replace("$(", "$$(") for word in words]


def _environment(settings: Settings) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [{"name": n, "value": v} for n, v in settings.env.items()]
    for name, place in settings.secret_env.items():
        secret, _, key = place.partition("/")
        source = {"secretKeyRef": {"name": secret, "key": key or name}}
        found.append({"name": name, "valueFrom": source})
    return found


def resources(asked: Resources, settings: Settings) -> dict[str, Any]:
    """Requests and limits of the container: memory and GPUs as limits, cores as a request."""
    requests: dict[str, str] = {}
    limits: dict[str, str] = {}
    cpus = str(asked.cpus) if asked.cpus is not None else settings.cpus
    if cpus:
        requests["cpu"] = limits["cpu"] = cpus
    if asked.mem is not None:
        requests["memory"] = limits["memory"] = str(asked.mem + HEADROOM)
    elif settings.memory:
        requests["memory"] = limits["memory"] = settings.memory
    if asked.gpus:
        limits[gpu_resource(asked.gpu_type, settings)] = str(asked.gpus)
    return {"requests": requests, "limits": limits}


def gpu_resource(gpu_type: str | None, settings: Settings) -> str:
    """The extended resource: a part of a GPU (``mig-1g.5gb``) is one of its own."""
    if gpu_type and re.fullmatch(r"mig-\d+g\.\d+gb(\.me)?", gpu_type):
        return f"{settings.gpu_resource.split('/')[0]}/{gpu_type}"
    return settings.gpu_resource


def affinity(settings: Settings, models: Sequence[str]) -> dict[str, Any]:
    """The site's affinity, with only nodes that have one of these models, the first liked best."""
    merged = {key: dict(value) for key, value in settings.affinity.items()}
    if not models:
        return merged
    node = merged.setdefault("nodeAffinity", {})

    def matches(values: Sequence[str]) -> dict[str, Any]:
        return {"key": settings.gpu_label, "operator": "In", "values": list(values)}

    required = "requiredDuringSchedulingIgnoredDuringExecution"
    terms = [dict(t) for t in node.get(required, {}).get("nodeSelectorTerms", [{}])]
    for term in terms:
        term["matchExpressions"] = [*term.get("matchExpressions", []), matches(models)]
    node[required] = {"nodeSelectorTerms": terms}
    if len(models) > 1:
        preferred = "preferredDuringSchedulingIgnoredDuringExecution"
        node[preferred] = [
            *node.get(preferred, []),
            *(
                {"weight": max(1, 100 - 20 * n), "preference": {"matchExpressions": [matches([m])]}}
                for n, m in enumerate(models)
            ),
        ]
    return merged


def _volumes(
    job: Job, settings: Settings, plan: Plan
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    volumes: list[dict[str, Any]] = [
        {"name": "jupyter-hybrid", "emptyDir": {}},
        # the runtime's own 64 MB are too little for PyTorch's data loaders
        {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": settings.shm_size}},
    ]
    mounts: list[dict[str, Any]] = [
        {"name": "jupyter-hybrid", "mountPath": BASE},
        {"name": "shm", "mountPath": "/dev/shm"},
    ]
    if plan.small:
        # optional: it goes once it was read, and the kubelet is not to complain of that
        # (the files are root's: whoever the image or the site lets run must be able to read them)
        source = {"secretName": job_name(job.id), "defaultMode": 0o444, "optional": True}
        volumes.append({"name": "bundle", "secret": source})
        mounts.append({"name": "bundle", "mountPath": SMALL, "readOnly": True})
    named = [*settings.volumes, *([settings.root_volume] if settings.root_volume else [])]
    for number, volume in enumerate(named):
        name = f"volume-{number}"
        volumes.append({"name": name, **_source(volume)})
        mount = {"name": name, "mountPath": volume["mount"]}
        if volume.get("read_only"):
            mount["readOnly"] = True
        if volume.get("sub_path"):
            mount["subPath"] = volume["sub_path"]
        mounts.append(mount)
    return volumes, mounts


def _source(volume: Mapping[str, Any]) -> dict[str, Any]:
    if "claim" in volume:
        return {"persistentVolumeClaim": {"claimName": volume["claim"]}}
    if "nfs" in volume:
        server, _, path = str(volume["nfs"]).partition(":")
        return {"nfs": {"server": server, "path": path}}
    if "host_path" in volume:
        return {"hostPath": {"path": volume["host_path"]}}
    if "config_map" in volume:
        return {"configMap": {"name": volume["config_map"]}}
    if "secret" in volume:
        return {"secret": {"secretName": volume["secret"]}}
    return {"emptyDir": dict(volume["empty_dir"] or {})}
