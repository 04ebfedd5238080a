"""Options of a Kubernetes target, checked when the target is first used."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from ...errors import ConfigError
from ..base import TargetConfig
from .names import job_name

#: How a job's files get into its pod, and its results out of it.
DELIVERIES = ("stream", "volume")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What an administrator decides of a target. Names are those of the configuration."""

    #: Kubeconfig file and its context; without them what kubectl takes, or the pod's own account.
    kubeconfig: str | None = None
    context: str | None = None
    #: None: the context's, or the one that this pod runs in.
    namespace: str | None = None
    #: Image of jobs that name none, and the interpreter in it.
    image: str | None = None
    python: str = "python3"
    image_pull_policy: str | None = None
    pull_secrets: Sequence[str] = ()
    service_account: str | None = None
    #: True where jobs speak with the API server themselves.
    service_account_token: bool = False
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: Sequence[Mapping[str, Any]] = ()
    affinity: Mapping[str, Any] = field(default_factory=dict)
    runtime_class: str | None = None
    priority_class: str | None = None
    #: Each {'mount': path} with one of 'claim', 'nfs' ('server:/path'), 'host_path', 'config_map',
    #: 'secret' or 'empty_dir', and perhaps 'read_only' and 'sub_path'.
    volumes: Sequence[Mapping[str, Any]] = ()
    #: Whether 'host_path' may be used.
    allow_host_path: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    #: Environment variables of the container, and those whose values are in Secrets of the
    #: namespace: {'HF_TOKEN': 'secret-name/key'}.
    env: Mapping[str, str] = field(default_factory=dict)
    secret_env: Mapping[str, str] = field(default_factory=dict)
    security_context: Mapping[str, Any] = field(default_factory=dict)
    #: Whether pods keep to the restricted Pod Security Standard.
    restricted: bool = False
    #: Limits of jobs that ask for nothing, as Kubernetes writes them.
    cpus: str | None = None
    memory: str | None = None
    #: Size of /dev/shm, which data loaders need.
    shm_size: str = "1Gi"
    gpu_resource: str = "nvidia.com/gpu"
    #: Label of nodes that names their model of GPU, and short names for its values.
    gpu_label: str = "nvidia.com/gpu.product"
    gpu_models: Mapping[str, str] = field(default_factory=dict)
    #: Label of nodes that tells where they are; shown in offers.
    location_label: str | None = None
    delivery: str = "stream"
    #: Repository that jobs' images are written to: the base with runner, packages and files on top.
    push: str | None = None
    #: Where jobs leave their results: an fsspec URL (``s3://bucket/jobs``), and options of its file
    #: system. Without it they are taken out of the pod.
    results: str | None = None
    results_options: Mapping[str, Any] = field(default_factory=dict)
    #: Seconds that a pod waits for its files, and with its results for somebody to take them.
    patience: float = 900.0
    linger: float = 3600.0
    #: Seconds that an ended job stays in the cluster.
    keep: int = 3600
    #: With 'volume': where the target's root is in pods, and the volume that holds it.
    root_volume: Mapping[str, Any] = field(default_factory=dict)
    price: float | None = None


def read_settings(target: TargetConfig) -> Settings:
    """The target's options; raises ``ConfigError`` with the one that is wrong."""
    known = {f.name: f for f in fields(Settings)}
    unknown = sorted(set(target.options) - set(known))
    if unknown:
        raise ConfigError(
            f"the target {target.name!r} has the unknown option {unknown[0]!r}; "
            f"one on Kubernetes has: {', '.join(sorted(known))}"
        )
    settings = Settings(**target.options)
    where = f"c.Hybrid.targets[{target.name!r}]"
    for name, value in target.options.items():
        expected = _kind(getattr(Settings(), name))
        if expected and not isinstance(value, expected):
            raise ConfigError(f"{where}[{name!r}] is {value!r}, which is no {expected[0].__name__}")
    if settings.delivery not in DELIVERIES:
        raise ConfigError(
            f"{where}['delivery'] is {settings.delivery!r}; write one of {', '.join(DELIVERIES)}"
        )
    if settings.delivery == "volume" and not settings.root_volume:
        raise ConfigError(f"{where} delivers by a volume and names none; add 'root_volume'")
    if settings.push and settings.delivery == "volume":
        raise ConfigError(f"{where} has both 'push' and a volume; leave one of them out")
    if settings.results is not None:
        _check_results(settings, where)
    for volume in (*settings.volumes, *([settings.root_volume] if settings.root_volume else [])):
        check_volume(volume, where, allow_host_path=settings.allow_host_path)
    return settings


def _check_results(settings: Settings, where: str) -> None:
    if "://" not in str(settings.results):
        raise ConfigError(
            f"{where}['results'] is {settings.results!r}; write a URL as s3://bucket/jobs"
        )
    if settings.delivery == "volume":
        raise ConfigError(
            f"{where} has both 'results' and a volume, on which results lie; leave one of them out"
        )
    secret = [n for n in settings.results_options if n in ("key", "secret", "token", "password")]
    if secret:
        raise ConfigError(
            f"{where}['results_options'] has {secret[0]!r}, which everybody would see in the pod; "
            "name Secrets of the namespace in 'secret_env', and log in here as the store's own "
            "programs do"
        )


#: What a volume may be made of.
SOURCES = ("claim", "nfs", "host_path", "config_map", "secret", "empty_dir")


def check_volume(volume: Mapping[str, Any], where: str, *, allow_host_path: bool) -> None:
    """Raise ``ConfigError`` where a volume is not written as ``Settings.volumes`` says."""
    found = [name for name in SOURCES if name in volume]
    if len(found) != 1 or "mount" not in volume:
        raise ConfigError(
            f"{where}: the volume {dict(volume)!r} needs 'mount' and one of {', '.join(SOURCES)}"
        )
    if found == ["host_path"] and not allow_host_path:
        raise ConfigError(
            f"{where}: the volume at {volume['mount']} is a directory of the node; "
            "set 'allow_host_path' to True if jobs may have it"
        )
    if found == ["nfs"] and ":/" not in str(volume["nfs"]):
        raise ConfigError(f"{where}: write 'nfs' as 'server:/path', not {volume['nfs']!r}")


def _kind(default: Any) -> tuple[type, ...]:
    if isinstance(default, bool):
        return (bool,)
    if isinstance(default, (int, float)):
        return (float, int)
    if isinstance(default, str):
        return (str,)
    if isinstance(default, tuple):
        return (list, tuple)
    return (dict,) if isinstance(default, dict) else ()


#: Packages by which fsspec reaches a store, beside itself.
CLIENTS = {
    **dict.fromkeys(("s3", "s3a"), "s3fs"),
    **dict.fromkeys(("gs", "gcs"), "gcsfs"),
    **dict.fromkeys(("abfs", "abfss", "adl", "az"), "adlfs"),
    **dict.fromkeys(("sftp", "ssh"), "paramiko"),
    **dict.fromkeys(("http", "https"), "aiohttp"),
    "webdav": "webdav4",
    "oss": "ossfs",
}


def clients(url: str) -> tuple[str, ...]:
    """Packages that a pod needs to write there."""
    client = CLIENTS.get(url.partition("://")[0])
    return ("fsspec", client) if client else ("fsspec",)


def results_place(settings: Settings, job_id: str) -> str:
    """Where the results of a job are, as ``runner.depot`` reads it."""
    url = f"{str(settings.results).rstrip('/')}/{job_name(job_id)}.tar"
    return json.dumps({"url": url, "options": dict(settings.results_options)})
