"""Kubernetes' Pod Security Standards, restricted and baseline, as far as pods could violate them.

The rules are those of "Pod Security Standards" in Kubernetes' documentation, which a cluster of
1.25 or newer enforces by itself; older ones ask a server (``kube_admission``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

VOLUMES = {
    *("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral"),
    *("persistentVolumeClaim", "projected", "secret"),
}


#: Capabilities that the baseline lets containers add.
HARMLESS = {
    *("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD"),
    *("NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"),
}


def dangers(pod: Mapping[str, Any]) -> list[str]:
    """What the baseline standard would say: all by which a pod could have its node."""
    spec = pod["spec"]
    found = [name for name in ("hostNetwork", "hostPID", "hostIPC") if spec.get(name)]
    found += ["hostPath volumes" for v in spec.get("volumes") or () if "hostPath" in v]
    for container in (*(spec.get("initContainers") or ()), *spec["containers"]):
        own = container.get("securityContext") or {}
        found += ["privileged"] if own.get("privileged") else []
        added = set((own.get("capabilities") or {}).get("add") or ()) - HARMLESS
        found += [f"capabilities {sorted(added)}"] if added else []
        found += ["hostPort" for port in container.get("ports") or () if port.get("hostPort")]
    return found


def violations(pod: Mapping[str, Any]) -> list[str]:
    """What the restricted standard would say of the pod; empty where it is content."""
    spec = pod["spec"]
    found = [name for name in ("hostNetwork", "hostPID", "hostIPC") if spec.get(name)]
    for volume in spec.get("volumes") or ():
        found += [f"volume of type {kind}" for kind in set(volume) - VOLUMES - {"name"}]
    shared = spec.get("securityContext") or {}
    for container in (*(spec.get("initContainers") or ()), *spec["containers"]):
        name = container["name"]
        found += [f"{said} (container {name!r})" for said in _container(container, shared)]
    return found


def _container(container: Mapping[str, Any], shared: Mapping[str, Any]) -> Iterator[str]:
    own = container.get("securityContext") or {}
    both = {**shared, **own}
    if own.get("privileged"):
        yield "privileged"
    if own.get("allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation != false"
    capabilities = own.get("capabilities") or {}
    if "ALL" not in (capabilities.get("drop") or ()):
        yield "unrestricted capabilities"
    if set(capabilities.get("add") or ()) - {"NET_BIND_SERVICE"}:
        yield f"capabilities {capabilities['add']}"
    if both.get("runAsNonRoot") is not True:
        yield "runAsNonRoot != true"
    if both.get("runAsUser") == 0:
        yield "runAsUser=0"
    if (both.get("seccompProfile") or {}).get("type") not in ("RuntimeDefault", "Localhost"):
        yield "seccompProfile"
    if any(port.get("hostPort") for port in container.get("ports") or ()):
        yield "hostPort"
