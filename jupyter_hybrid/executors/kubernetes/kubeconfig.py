"""What a kubeconfig, or a pod's own account, says of a cluster and of who asks it.

The common kinds are read here: tokens, files of tokens, certificates, OpenID Connect (``oidc``).
All others (programs, clouds, several files) are kubernetes_asyncio's, whose import takes as long as
a job's start.
"""

from __future__ import annotations

import base64
import os
import ssl
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...errors import ConfigError
from . import oidc
from .settings import Settings

#: Where a pod finds its own account.
ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
#: What is understood here of a user, and of a cluster.
_USER = {"token", "tokenFile"} | {
    f"client-{what}{form}" for what in ("certificate", "key") for form in ("", "-data")
}
_CLUSTER = {
    *("server", "certificate-authority", "certificate-authority-data", "tls-server-name"),
    *("insecure-skip-tls-verify", "extensions"),
}


@dataclass(frozen=True, kw_only=True)
class Access:
    """How to reach a cluster."""

    server: str
    tls: ssl.SSLContext | None = None
    #: Whom the certificate must name, where that is not the address.
    hostname: str | None = None
    token: str = ""
    #: Where the token is that counts now.
    token_file: Path | None = None
    #: Who gives a new one in time.
    provider: oidc.Provider | None = None

    def read_token(self) -> str:
        """The token that counts now; raises ``OSError``, and ``HybridError`` for a provider's."""
        if self.provider is not None:
            return self.provider.token()
        if self.token_file is None:
            return self.token
        return self.token_file.read_text(encoding="utf-8").strip()


def in_cluster(settings: Settings) -> bool:
    """Whether the pod's own account is meant."""
    if settings.kubeconfig is not None or settings.context is not None:
        return False
    mine = os.environ.get("KUBECONFIG") or Path("~/.kube/config").expanduser().exists()
    return not mine and "KUBERNETES_SERVICE_HOST" in os.environ and (ACCOUNT / "token").exists()


def kubeconfig_path(settings: Settings) -> str:
    """The file, or several with colons between them."""
    file = settings.kubeconfig or os.environ.get("KUBECONFIG") or "~/.kube/config"
    return os.path.expanduser(file)  # noqa: PTH111  (several, with colons)


def own_namespace(settings: Settings) -> str:
    """The namespace of the context or of this pod."""
    if in_cluster(settings):
        return (ACCOUNT / "namespace").read_text(encoding="utf-8").strip()
    for path in kubeconfig_path(settings).split(os.pathsep):
        try:
            config = _read(Path(path))
        except (OSError, ConfigError):
            continue
        context = _named(config, "context", settings.context or config.get("current-context"))
        if context is not None:
            return str(context.get("namespace") or "default")
    return "default"


def find_access(settings: Settings) -> Access | None:
    """How to reach the cluster; None where kubernetes_asyncio has to find out.

    Raises ``ConfigError`` and ``OSError``.
    """
    if in_cluster(settings):
        host, port = (os.environ[f"KUBERNETES_SERVICE_{n}"] for n in ("HOST", "PORT"))
        return Access(
            server=f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}",
            tls=ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt")),
            token_file=ACCOUNT / "token",
        )
    path = kubeconfig_path(settings)
    if os.pathsep in path or not Path(path).exists():
        return None
    config = _read(Path(path))
    context = _named(config, "context", settings.context or config.get("current-context"))
    if context is None:
        return None
    cluster = _named(config, "cluster", context.get("cluster"))
    user = _named(config, "user", context.get("user")) or {}
    provider = oidc.Provider(Path(path), context["user"]) if oidc.is_login(user) else None
    known = _USER | {"auth-provider"} if provider else _USER
    if cluster is None or not set(user) <= known or not set(cluster) <= _CLUSTER:
        return None
    return replace(_access(cluster, user, Path(path).parent), provider=provider)


def _access(cluster: Mapping[str, Any], user: Mapping[str, Any], base: Path) -> Access:
    server = str(cluster["server"]).rstrip("/")
    file = user.get("tokenFile")
    return Access(
        server=server,
        tls=_tls(cluster, user, base) if server.startswith("https:") else None,
        hostname=cluster.get("tls-server-name"),
        token=str(user.get("token") or ""),
        token_file=base / file if file else None,
    )


def _tls(cluster: Mapping[str, Any], user: Mapping[str, Any], base: Path) -> ssl.SSLContext:
    authority = _content(cluster, "certificate-authority", base)
    context = ssl.create_default_context(cadata=authority.decode() if authority else None)
    if cluster.get("insecure-skip-tls-verify"):
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    certificate = _content(user, "client-certificate", base)
    if certificate:
        with tempfile.TemporaryDirectory() as scratch:
            # (Python reads certificates from files only)
            paths = [Path(scratch, name) for name in ("certificate", "key")]
            paths[0].write_bytes(certificate)
            paths[1].write_bytes(_content(user, "client-key", base))
            context.load_cert_chain(*map(str, paths))
    return context


def _content(found: Mapping[str, Any], name: str, base: Path) -> bytes:
    if found.get(f"{name}-data"):
        return base64.b64decode(found[f"{name}-data"])
    return (base / found[name]).read_bytes() if found.get(name) else b""


def _read(path: Path) -> Mapping[str, Any]:
    import yaml

    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is no kubeconfig: {error}") from error
    if not isinstance(config, dict):
        raise ConfigError(f"{path} is no kubeconfig: it holds nothing")
    return config


def _named(config: Mapping[str, Any], kind: str, name: Any) -> Mapping[str, Any] | None:
    for entry in config.get(f"{kind}s") or ():
        if entry.get("name") == name:
            return entry.get(kind) or {}
    return None
