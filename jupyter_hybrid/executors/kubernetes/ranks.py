"""Jobs on several nodes: a pod on each, which runs the notebook. Pure functions.

Where the cluster has Indexed Jobs (Kubernetes 1.24) a Job makes all pods, and a service without an
address gives them names. Elsewhere the Job makes the first, and whoever follows it makes the others
once that one has an address: plain pods, which go with the Job. Variables are as on Slurm.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from ...job import Job
from ...spec import Resources
from .names import JOB, MANAGED, RANK, job_name

#: The version of Kubernetes since which Jobs number their pods.
INDEXED = 24
#: Where frameworks of the ranks meet, at rank 0.
MASTER_PORT = "29500"
_INDEX = "batch.kubernetes.io/job-completion-index"


def by_index(resources: Resources, minor: int) -> bool:
    """Whether one Job makes all pods of the job."""
    return resources.nodes > 1 and minor >= INDEXED


def pods(resources: Resources, minor: int) -> dict[str, Any]:
    """Fields of the Job: how many pods it makes."""
    if not by_index(resources, minor):
        return {"completions": 1, "parallelism": 1}
    nodes = resources.nodes
    return {"completionMode": "Indexed", "completions": nodes, "parallelism": nodes}


def service(job: Job, minor: int) -> str:
    """The service that gives the job's pods their names; "" where none does."""
    return job_name(job.id) if by_index(job.spec.resources, minor) else ""


def make_service(job: Job) -> dict[str, Any]:
    """A service without an address: names of the job's pods."""
    name = job_name(job.id)
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "labels": {**MANAGED, JOB: job.id}},
        "spec": {
            "clusterIP": "None",
            "selector": {JOB: job.id},
            # ranks look for one another before they are ready
            "publishNotReadyAddresses": True,
        },
    }


def environment(resources: Resources, minor: int) -> list[dict[str, Any]]:
    """Variables by which a process knows its place among the others; the keeper of a pod of several
    processes gives each its own ``RANK`` and ``LOCAL_RANK``."""
    if resources.ranks == 1:
        return []
    names: list[dict[str, Any]]
    if by_index(resources, minor):
        rank: dict[str, Any] = {"fieldRef": {"fieldPath": f"metadata.annotations['{_INDEX}']"}}
        names = [{"name": n, "valueFrom": rank} for n in ("RANK", "NODE_RANK")]
        name = {"fieldRef": {"fieldPath": f"metadata.labels['{JOB}']"}}
        own = {"name": "JUPYTER_HYBRID_JOB", "valueFrom": name}
        address = "jh-$(JUPYTER_HYBRID_JOB)-0.jh-$(JUPYTER_HYBRID_JOB)"
        names += [own, {"name": "MASTER_ADDR", "value": address}]
    else:
        names = [{"name": n, "value": "0"} for n in ("RANK", "NODE_RANK")]
        where = {"fieldRef": {"fieldPath": "status.podIP"}}
        names.append({"name": "MASTER_ADDR", "valueFrom": where})
    tasks = resources.ntasks_per_node
    fixed = {
        "WORLD_SIZE": str(resources.ranks),
        "LOCAL_RANK": "0",
        "LOCAL_WORLD_SIZE": str(tasks),
        "MASTER_PORT": MASTER_PORT,
    }
    if tasks > 1 and resources.cpus is not None:
        # as on Slurm: libraries would take all cores of the pod for each process
        fixed["OMP_NUM_THREADS"] = str(max(1, resources.cpus // tasks))
    return [*names, *({"name": n, "value": v} for n, v in fixed.items())]


def make_rank(made: Mapping[str, Any], rank: int, address: str) -> dict[str, Any]:
    """The pod of one more rank, from the Job as the server has it and the first pod's address."""
    template, metadata = made["spec"]["template"], made["metadata"]
    spec = copy.deepcopy(template["spec"])
    (container,) = spec["containers"]
    own = {"RANK": str(rank), "NODE_RANK": str(rank), "MASTER_ADDR": address}
    container["env"] = [e for e in container["env"] if e["name"] not in own]
    container["env"] += [{"name": name, "value": value} for name, value in own.items()]
    # its results are rank 0's: nobody comes for them
    words = container["command"]
    words[words.index("--linger") + 1] = "0"
    owner = {key: made[key] for key in ("apiVersion", "kind")}
    owner |= {key: metadata[key] for key in ("name", "uid")}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{metadata['name']}-{rank}",
            "labels": {**metadata["labels"], RANK: str(rank)},
            "ownerReferences": [owner],
        },
        "spec": spec,
    }


def number_of(pod: Mapping[str, Any]) -> int:
    """The pod's rank; that of a job of one is 0."""
    metadata = pod["metadata"]
    made = (metadata.get("annotations") or {}).get(_INDEX, "0")
    return int((metadata.get("labels") or {}).get(RANK, made))


def rank_of(path: PurePosixPath) -> int:
    """Whose file of the job's directory it is: ``ranks/3/events.jsonl`` is rank 3's."""
    parts = path.parts
    return int(parts[1]) if len(parts) == 3 and parts[0] == "ranks" and parts[1].isdigit() else 0
