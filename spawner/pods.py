"""The pod that kubespawner makes, with what NGC's images and a shared storage want."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kubernetes_asyncio.client.models import (
    V1Container,
    V1Toleration,
    V1Volume,
    V1VolumeMount,
)
from kubespawner.utils import get_k8s_model

from jupyter_hybrid.containers.restricted import RESTRICTED

from .identity import Identity
from .parts import Parts


def add(pod: Any, parts: Parts) -> None:
    """Add parts to the pod; what the site has at the same place stays as it is."""
    notebook, spec = pod.spec.containers[0], pod.spec
    taken = {_said(mount, "mountPath", "mount_path") for mount in notebook.volume_mounts or ()}
    mounts = [mount for mount in parts.mounts if mount["mountPath"] not in taken]
    used = {mount["name"] for mount in mounts}
    for container in parts.first:
        used |= {mount["name"] for mount in container["volumeMounts"]}
    notebook.volume_mounts = [
        *(notebook.volume_mounts or ()),
        *(get_k8s_model(V1VolumeMount, dict(mount)) for mount in mounts),
    ]
    spec.volumes = [
        *(spec.volumes or ()),
        *(get_k8s_model(V1Volume, dict(v)) for v in parts.volumes if v["name"] in used),
    ]
    if parts.first:
        own = [get_k8s_model(V1Container, dict(container)) for container in parts.first]
        spec.init_containers = [*own, *(spec.init_containers or ())]


def belong(pod: Any, who: Identity) -> None:
    """Let the pod's processes be the user's; what the site has set itself is the last word."""
    notebook, of_pod = pod.spec.containers[0], dict(pod.spec.security_context or {})
    own = {"runAsUser": who.uid, "runAsGroup": who.gid}
    if who.gid is None and "runAsUser" not in {**of_pod, **(notebook.security_context or {})}:
        # (a process whose group nobody names is in root's)
        own["runAsGroup"] = who.uid
    context = {k: number for k, number in own.items() if number is not None and k not in of_pod}
    if context:
        notebook.security_context = {**context, **(notebook.security_context or {})}
    if who.groups:
        groups = [*of_pod.get("supplementalGroups", ()), *who.groups]
        pod.spec.security_context = {**of_pod, "supplementalGroups": [*dict.fromkeys(groups)]}


def run(pod: Any, words: Sequence[str], *, entrypoint: bool) -> None:
    """Let this be the container's program, or what its image's ENTRYPOINT is to start."""
    notebook = pod.spec.containers[0]
    if entrypoint:
        notebook.args = [*words]
    else:
        notebook.command, notebook.args = [*words], None


def restrict(pod: Any) -> None:
    """Keep to the restricted Pod Security Standard, where the site has not said otherwise.

    A site that makes containers privileged, lets them gain rights, or starts them as root (for
    images that change the user themselves) has said so.
    """
    notebook = pod.spec.containers[0]
    context = dict(notebook.security_context or {})
    # (kubespawner sets it, where a site has not told it to leave that alone)
    asked = context.get("privileged") or context.get("allowPrivilegeEscalation", True)
    user = {**(pod.spec.security_context or {}), **context}.get("runAsUser")
    if asked or user == 0:
        return
    context = {**RESTRICTED, **context}
    if user:
        context.setdefault("runAsNonRoot", True)
    notebook.security_context = context


def tolerate(pod: Any, tolerations: Sequence[Mapping[str, Any]], resource: str) -> None:
    """Let a pod with GPUs onto nodes that are kept for such."""
    if not int(gpus(pod, resource)):
        return
    spec = pod.spec
    own = [get_k8s_model(V1Toleration, dict(toleration)) for toleration in tolerations]
    spec.tolerations = [*(spec.tolerations or ()), *own]


def gpus(pod: Any, resource: str) -> int:
    """How many GPUs the user's container asks for."""
    resources = pod.spec.containers[0].resources
    asked = [_said(resources, kind, kind) or {} for kind in ("limits", "requests")]
    return int(next((found[resource] for found in asked if found.get(resource)), 0))


def _said(model: Any, key: str, attribute: str) -> Any:
    """What a part of the pod says; one of ``extra_container_config`` is as the site wrote it."""
    if isinstance(model, Mapping):
        return model.get(key, model.get(attribute))
    return getattr(model, attribute)
