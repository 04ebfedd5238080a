"""What is added to kubespawner's pod, piece by piece: pure functions that give parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jupyter_hybrid.containers.restricted import RESTRICTED
from jupyter_hybrid.errors import ConfigError

from .hardware import slug
from .identity import Identity

#: Where the server and the site's files are in a user's container.
BASE = "/opt/jupyter-hybrid"
SERVER = f"{BASE}/server"
CONFIG = f"{BASE}/config"
CA = f"{BASE}/ca/ca.crt"
#: Who runs what belongs to nobody.
ANYBODY = 65534
#: Variables by which programs find certificate authorities.
CA_VARIABLES = (
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "PIP_CERT",
    "NODE_EXTRA_CA_CERTS",
)
#: What a pod reaches without a proxy, whatever a site says: itself, the cluster, the hub.
NEAR = ("localhost", "127.0.0.1", "::1", ".svc", ".cluster.local", "$(KUBERNETES_SERVICE_HOST)")


@dataclass(frozen=True)
class Parts:
    """Pieces of a pod, as Kubernetes writes them, and variables of the user's container."""

    volumes: tuple[Mapping[str, Any], ...] = ()
    mounts: tuple[Mapping[str, Any], ...] = ()
    first: tuple[Mapping[str, Any], ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)

    def __add__(self, other: Parts) -> Parts:
        """Both; a variable that both have is the other's."""
        return Parts(
            (*self.volumes, *other.volumes),
            (*self.mounts, *other.mounts),
            (*self.first, *other.first),
            {**self.env, **other.env},
        )


def shared_memory(size: str) -> Parts:
    """/dev/shm in memory; it counts as the container's memory. Empty: up to all of that."""
    if size == "none":
        return Parts()
    medium = {"medium": "Memory", **({"sizeLimit": size} if size else {})}
    return Parts(
        ({"name": "jh-shm", "emptyDir": medium},), ({"name": "jh-shm", "mountPath": "/dev/shm"},)
    )


def home(settings: Mapping[str, Any], user: str, identity: Identity, maker: str) -> Parts:
    """HOME on the site's storage; where the site names none, an empty one for a known user.

    ``maker`` is the image that makes it, where the site names none for that. Raises ``ConfigError``
    where it would not be the user's own, or a user's image would make it.
    """
    if not settings and identity.uid is None:
        return Parts()
    path = str(settings.get("mount") or f"/home/{user}")
    inside = str(settings.get("sub_path") or "")
    if {".", ".."} & {*path.split("/"), *inside.split("/")}:
        # a user of that name would have everybody's
        raise ConfigError(f"the home of {user!r} would be {inside or path!r}, which is not theirs")
    volume = {"name": "jh-home", **(settings.get("volume") or {"emptyDir": {}})}
    mount = {"name": "jh-home", "mountPath": path, **({"subPath": inside} if inside else {})}
    first: tuple[Mapping[str, Any], ...] = ()
    if settings.get("create") and inside and identity.uid is not None:
        first = (_home_maker(inside, identity, str(settings.get("create_image") or maker)),)
    env = {
        "HOME": path,
        "USER": user,
        "LOGNAME": user,
        "JUPYTERHUB_ROOT_DIR": "/",
        "JUPYTERHUB_DEFAULT_URL": f"/lab/tree{path}",
    }
    return Parts((volume,), (mount,), first, env)


def _home_maker(inside: str, identity: Identity, image: str) -> Mapping[str, Any]:
    """An init container that makes the user's home where there is none.

    It is the one thing that runs as root, with the right to give files away and no other. It sees
    all homes, so that what it runs is the site's.
    """
    if not image:
        raise ConfigError(
            "the home would be made by root in an image that is not the site's own, with all "
            "homes in sight; set 'create_image' in c.NGCSpawner.home (an image with sh, mkdir and "
            "chown), or c.NGCSpawner.server_image"
        )
    owner = f"{identity.uid}:{identity.uid if identity.gid is None else identity.gid}"
    # one that is there is the user's already: nothing below it is touched
    script = '[ -e "$1" ] || { mkdir -p -m 700 "$1" && chown "$2" "$1"; }'
    return {
        "name": "jh-home",
        "image": image,
        "command": ["/bin/sh", "-c", script, "sh", f"/jh-homes/{inside}", owner],
        "volumeMounts": [{"name": "jh-home", "mountPath": "/jh-homes"}],
        "securityContext": {
            "runAsUser": 0,
            "runAsGroup": 0,
            "runAsNonRoot": False,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"], "add": ["CHOWN", "DAC_OVERRIDE"]},
        },
    }


def folder(name: str, settings: Mapping[str, Any]) -> Parts:
    """A folder that users share."""
    volume = {"name": f"jh-folder-{slug(name)}", **settings["volume"]}
    mount = {"name": f"jh-folder-{slug(name)}", "mountPath": settings["mount"]}
    if settings.get("sub_path"):
        mount["subPath"] = settings["sub_path"]
    if settings.get("read_only"):
        mount["readOnly"] = True
    return Parts((volume,), (mount,))


def server(image: str, policy: str | None, identity: Identity) -> Parts:
    """The hub's single-user server, laid beside the user's image before it starts."""
    # anybody but root may copy what all may read
    who = {"runAsUser": identity.uid or ANYBODY, "runAsNonRoot": True}
    copier = {
        "name": "jh-server",
        "image": image,
        # (not the directory itself: the one that it goes to is root's, and stays as it is)
        "command": ["/bin/sh", "-c", f"cp -a {SERVER}/* /jh-server/"],
        "volumeMounts": [{"name": "jh-server", "mountPath": "/jh-server"}],
        "securityContext": {**RESTRICTED, **who},
    }
    if policy:
        copier["imagePullPolicy"] = policy
    mount = {"name": "jh-server", "mountPath": SERVER, "readOnly": True}
    return Parts(({"name": "jh-server", "emptyDir": {}},), (mount,), (copier,))


def authorities(bundle: str) -> Parts:
    """The company's certificate authorities, for all programs; ``CONFIGMAP/KEY``."""
    if not bundle:
        return Parts()
    name, _, key = bundle.partition("/")
    items = [{"key": key, "path": "ca.crt"}]
    volume = {"name": "jh-ca", "configMap": {"name": name, "items": items}}
    mount = {"name": "jh-ca", "mountPath": CA.rpartition("/")[0], "readOnly": True}
    return Parts((volume,), (mount,), env=dict.fromkeys(CA_VARIABLES, CA))


def proxies(settings: Mapping[str, Any], hub: str) -> Parts:
    """The company's proxy, in both spellings; never for the hub and the cluster."""
    env = {}
    for kind in ("http", "https"):
        if settings.get(kind):
            env[f"{kind}_proxy"] = str(settings[kind])
    if not env:
        return Parts()
    none: Sequence[str] = settings.get("none") or ()
    env["no_proxy"] = ",".join(dict.fromkeys([*NEAR, *([hub] if hub else []), *none]))
    return Parts(env={**env, **{name.upper(): value for name, value in env.items()}})


def configuration(config_map: str) -> Parts:
    """The site's targets, where Jupyter looks for configuration."""
    if not config_map:
        return Parts()
    volume = {"name": "jh-config", "configMap": {"name": config_map}}
    mount = {"name": "jh-config", "mountPath": CONFIG, "readOnly": True}
    return Parts((volume,), (mount,), env={"JUPYTER_CONFIG_PATH": CONFIG})
