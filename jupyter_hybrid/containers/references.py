"""Names of images, as people write them: ``nvcr.io/nvidia/pytorch:24.01-py3``."""

from __future__ import annotations

import platform as machine
import re
from dataclasses import dataclass, replace

from ..errors import ImageError

#: Grammar of the distribution project's reference package (reference/regexp.go).
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")
_HOST = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:]+\])(?::\d{1,5})?")

DOCKER = "docker.io"
EXAMPLE = "nvcr.io/nvidia/pytorch:24.01-py3"

#: What machines call themselves, in the words of images (Go's GOARCH).
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}


@dataclass(frozen=True)
class Reference:
    """An image in a registry: a tag, a digest, or both (then the digest says which)."""

    #: Host and port: ``nvcr.io``, ``127.0.0.1:5000``.
    registry: str
    #: ``nvidia/pytorch``.
    repository: str
    tag: str = ""
    #: ``sha256:…``.
    digest: str = ""

    @property
    def name(self) -> str:
        """Registry and repository."""
        return f"{self.registry}/{self.repository}"

    @property
    def version(self) -> str:
        """What a registry is asked for: the digest, else the tag."""
        return self.digest or self.tag

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.name}{tag}{digest}"

    def at(self, digest: str) -> Reference:
        """The same image by its digest; the tag stays for people to read."""
        return replace(self, digest=digest)


def parse_reference(text: str) -> Reference:
    """Read an image's name; a registry that is not named is Docker's, a tag ``latest``.

    ``docker://`` in front is allowed, as Apptainer writes it. Raises ``ImageError``.
    """
    name = text.strip().removeprefix("docker://")
    name, at, digest = name.partition("@")
    if at and not _DIGEST.fullmatch(digest):
        raise ImageError(f"{text!r}: {digest!r} is not a digest; write sha256: and 64 hex digits")
    registry, rest = _registry(name)
    repository, colon, tag = rest.partition(":")
    if colon and not _TAG.fullmatch(tag):
        raise ImageError(f"{text!r}: {tag!r} is not a tag (letters, digits, '_', '.' and '-')")
    if not _REPOSITORY.fullmatch(repository) or not _HOST.fullmatch(registry):
        raise ImageError(f"{text!r} is not the name of an image; {_hint(rest)}")
    if registry == DOCKER and "/" not in repository:
        repository = f"library/{repository}"
    return Reference(registry, repository, tag or ("" if digest else "latest"), digest)


def _registry(name: str) -> tuple[str, str]:
    """The registry and the rest: the first part is a host if it looks like one."""
    first, slash, rest = name.partition("/")
    if slash and (any(c in first for c in ".:") or first == "localhost"):
        return first.lower(), rest
    return DOCKER, name


def _hint(rest: str) -> str:
    if rest != rest.lower() and _REPOSITORY.fullmatch(rest.lower().partition(":")[0]):
        return "repositories are written in lower case"
    return f"write, for example, {EXAMPLE}"


def check_digest(text: object) -> str:
    """The text if it is a digest; raises ``ValueError`` otherwise."""
    if not isinstance(text, str) or not _DIGEST.fullmatch(text):
        raise ValueError(f"{text!r} is not a digest")
    return text


@dataclass(frozen=True)
class Platform:
    """What an image runs on, in the words of the OCI image specification (image index)."""

    os: str = "linux"
    architecture: str = "amd64"
    variant: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


#: For whoever wants to look at an image and not to run it.
ANY = Platform("", "")


def this_platform() -> Platform:
    """Linux on this machine's kind of processor."""
    name = machine.machine()
    return Platform(architecture=_ARCHITECTURES.get(name, name))
