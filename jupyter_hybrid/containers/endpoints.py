"""Where a registry is reached: mirrors, plain HTTP and certificates, as a site has decided.

::

    c.Hybrid.registry_mirrors = {"nvcr.io": "harbor.lab.example/ngc"}    # a proxy project of Harbor
    c.Hybrid.registry_mirrors = {"nvcr.io": ["mirror.lab:5000", "nvcr.io"]}    # one after the other
    c.Hybrid.insecure_registries = ["mirror.lab:5000"]                   # plain HTTP
    c.Hybrid.registry_certificates = {"harbor.lab.example": "/etc/lab/ca.crt"}
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import ConfigError, ImageError
from .references import DOCKER, parse_reference

#: Docker's own registry answers under another name than its images have.
_HOSTS = {DOCKER: "registry-1.docker.io", "index.docker.io": "registry-1.docker.io"}
#: Where docker and podman look for a registry's authorities (docker "Verify repository client with
#: certificates", containers-certs.d(5)).
_CERTIFICATES = ("/etc/docker/certs.d", "/etc/containers/certs.d", "~/.config/containers/certs.d")


@dataclass(frozen=True)
class Endpoint:
    """One address at which images of a registry are had."""

    #: Host and port, the key of its login.
    host: str
    scheme: str = "https"
    #: What stands before a repository there: ``ngc/`` for a proxy project of Harbor.
    prefix: str = ""
    #: Files of authorities (PEM) that may vouch for it, besides the system's.
    certificates: tuple[Path, ...] = ()
    #: True where plain HTTP is allowed.
    plain: bool = False

    @property
    def base(self) -> str:
        """``https://nvcr.io``."""
        return f"{self.scheme}://{self.host}"

    @property
    def loopback(self) -> bool:
        """True where it is this machine."""
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """True for ``localhost`` and the addresses of this machine, with or without a port."""
    name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True)
class RegistrySettings:
    """What a site has decided about registries; the names are those of ``c.Hybrid``."""

    #: Registry to the place or places (``host[:port][/project]``) asked instead of it, in turn.
    registry_mirrors: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    #: Registries (``host[:port]``) that are spoken to without TLS.
    insecure_registries: Sequence[str] = ()
    #: Registry to the file of its authority.
    registry_certificates: Mapping[str, str] = field(default_factory=dict)

    def pull_from(self, registry: str) -> list[Endpoint]:
        """The endpoints to ask for its images, one after the other."""
        mirrors = self.registry_mirrors.get(registry, ())
        named = [mirrors] if isinstance(mirrors, str) else list(mirrors)
        return [self._mirror(registry, text) for text in named] or [self.push_to(registry)]

    def push_to(self, registry: str) -> Endpoint:
        """The registry itself: nothing is pushed to a mirror."""
        return self._endpoint(_HOSTS.get(registry, registry), "")

    def _mirror(self, registry: str, text: str) -> Endpoint:
        scheme, mark, rest = text.strip().rstrip("/").rpartition("://")
        host, _, project = rest.partition("/")
        try:
            if mark and scheme not in ("http", "https"):
                raise ImageError(f"{scheme!r} is not a scheme")
            parse_reference(f"{host}/{project}/x" if project else f"{host}/x")
        except ImageError:
            raise ConfigError(
                f"c.Hybrid.registry_mirrors[{registry!r}] has {text!r}; "
                "write host, host:port or host/project"
            ) from None
        endpoint = self._endpoint(_HOSTS.get(host, host), f"{project}/" if project else "")
        if scheme == "http":
            return Endpoint(host, "http", endpoint.prefix, plain=True)
        return endpoint

    def _endpoint(self, host: str, prefix: str) -> Endpoint:
        plain = host in self.insecure_registries or is_loopback(host)
        certificates = tuple(self._certificates(host))
        # who names an authority for a host wants TLS, on this machine as well
        scheme = "http" if plain and not certificates else "https"
        return Endpoint(host, scheme, prefix, certificates, plain)

    def _certificates(self, host: str) -> list[Path]:
        named = self.registry_certificates.get(host)
        if named is not None:
            path = Path(named).expanduser()
            if not path.is_file():
                raise ConfigError(
                    f"c.Hybrid.registry_certificates[{host!r}] is {named!r}, which is no file"
                )
            return [path]
        folders = (Path(place).expanduser() / host for place in _CERTIFICATES)
        return [path for folder in folders for path in sorted(folder.glob("*.crt"))]
