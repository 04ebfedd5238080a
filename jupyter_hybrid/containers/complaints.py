"""What registries, networks and certificates say when they refuse, in words of ours."""

from __future__ import annotations

import contextlib
import email.utils
import json
import os
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from ..errors import ConfigError, RegistryError
from .endpoints import Endpoint

if TYPE_CHECKING:
    from .session import Answer

#: Statuses after which the same request may well succeed.
_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})
_PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")


def refused(host: str, user: str, status: int, what: str = "") -> RegistryError:
    """The error for a 401 or 403, with the way out."""
    wanted = f" for {what}" if what else ""
    if status == 403 and user:
        return RegistryError(
            f"{host} does not let {user!r} do that{wanted} (403); "
            "ask its owner for the permission, or log in as somebody else",
            http_status=403,
        )
    ways = f"run 'docker login {host}' or 'podman login {host}'"
    if host == "nvcr.io":
        ways = "set NGC_API_KEY to your NGC API key, or " + ways + " as '$oauthtoken'"
    if user:
        text = f"{host} refuses the login of {user!r}{wanted} ({status}); has it expired? {ways}"
    else:
        text = f"{host} wants a login{wanted} ({status}), and none was found here; {ways}"
    return RegistryError(text, http_status=status)


def of_answer(answer: Answer, endpoint: Endpoint, what: str, user: str) -> RegistryError:
    """The error that an answer of a registry means."""
    status = answer.status
    if status in (401, 403):
        return refused(endpoint.host, user, status, what)
    said = parse_errors(answer.body)
    detail = f": {said}" if said else ""
    retry_after = parse_retry_after(answer.headers.get("Retry-After", ""), time.time())
    text = f"{endpoint.host} answered {status} {phrase(status)} for {what}{detail}"
    if status == 429:
        text = f"{endpoint.host} lets nobody ask so often (429){detail}"
    if retry_after is not None and status in _BUSY:
        text += f"; it asks to wait {retry_after:.0f} s"
    return RegistryError(
        text,
        transient=status in _BUSY,
        http_status=status,
        retry_after=retry_after,
        codes=parse_codes(answer.body),
    )


def phrase(status: int) -> str:
    """The words for a status: ``Not Found``; empty for one that nobody knows."""
    return httpx.codes.get_reason_phrase(status)


def parse_errors(body: bytes) -> str:
    """What a registry's error says: ``CODE: message`` each (OCI distribution, "Error codes")."""
    return "; ".join(
        ": ".join(str(part) for part in (error.get("code"), error.get("message")) if part)
        for error in _errors(body)
    )


def parse_codes(body: bytes) -> frozenset[str]:
    """The codes in a registry's error, such as ``MANIFEST_UNKNOWN``."""
    return frozenset(str(error.get("code")) for error in _errors(body))


def _errors(body: bytes) -> list[dict[str, Any]]:
    try:
        errors = json.loads(body)["errors"]
        return [error for error in errors if isinstance(error, dict)]
    except (ValueError, KeyError, TypeError):
        return []


def parse_retry_after(text: str, now: float) -> float | None:
    """Seconds in a ``Retry-After`` header (RFC 9110, 10.2.3): a number or a date."""
    text = text.strip()
    if text.isdecimal():
        return float(text)
    try:
        then = email.utils.parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError):
        return None
    return max(0.0, then - now)


def of_transport(
    error: httpx.HTTPError | httpx.InvalidURL | ssl.SSLError, url: httpx.URL, endpoint: Endpoint
) -> RegistryError:
    """The error that a failure below HTTP means."""
    host = url.netloc.decode()
    verification = _cause(error, ssl.SSLCertVerificationError)
    if verification is not None:
        return _untrusted(verification, host)
    tls = _cause(error, ssl.SSLError)
    if tls is not None:
        reason = getattr(tls, "reason", None) or str(tls)
        return RegistryError(
            f"{host} does not speak TLS as it should ({reason}); if it speaks plain HTTP, "
            f"add it to c.Hybrid.insecure_registries",
            transient=False,
        )
    names = (name for upper in _PROXIES for name in (upper, upper.lower()))
    proxy = next((name for name in names if os.environ.get(name)), "")
    behind = "" if endpoint.loopback or not proxy else f" (through the proxy of {proxy})"
    if isinstance(error, httpx.TimeoutException):
        return RegistryError(f"{host} did not answer in time{behind}", transient=True)
    if isinstance(error, (httpx.ConnectError, httpx.ProxyError)):
        return RegistryError(
            f"{host} cannot be reached{behind}: {_reason(error)}; "
            "check the name, the network and HTTPS_PROXY",
            transient=True,
        )
    return RegistryError(
        f"the connection to {host} broke{behind}: {_reason(error)}", transient=True
    )


def _untrusted(error: ssl.SSLError, host: str) -> RegistryError:
    reason = getattr(error, "verify_message", "") or str(error)
    if "hostname" in reason.lower() or "ip address" in reason.lower():
        return RegistryError(f"the certificate of {host} is somebody else's: {reason}")
    return RegistryError(
        f"nobody whom this machine trusts vouches for the certificate of {host} ({reason}); name "
        f"the file of your site's authority in c.Hybrid.registry_certificates[{host!r}], or put "
        f"it at /etc/docker/certs.d/{host}/ca.crt"
    )


def _cause(error: BaseException, kind: type[ssl.SSLError]) -> ssl.SSLError | None:
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, kind):
            return seen
        seen = seen.__cause__ or seen.__context__
    return None


def _reason(error: BaseException) -> str:
    return str(error) or type(error).__name__


@contextlib.contextmanager
def reading(url: httpx.URL, endpoint: Endpoint) -> Iterator[None]:
    """Translate what goes wrong while a body is read."""
    try:
        yield
    except httpx.HTTPError as error:
        raise of_transport(error, url, endpoint) from error


def load_trust(context: ssl.SSLContext, endpoint: Endpoint) -> None:
    """Trust the system's authorities and those that are named for the registry."""
    context.load_default_certs()
    if not _system_store():
        # a Python that knows no system store (conda's, python-build-standalone's)
        import certifi

        context.load_verify_locations(certifi.where())
    for path in endpoint.certificates:
        try:
            context.load_verify_locations(path)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(
                f"{path}, the authority of {endpoint.host}, cannot be read "
                f"({getattr(error, 'reason', None) or error}); it must be a PEM file"
            ) from error


def _system_store() -> bool:
    paths = ssl.get_default_verify_paths()
    folder = Path(paths.capath) if paths.capath else None
    return bool(paths.cafile) or (folder is not None and any(folder.iterdir()))
