"""Images in registries: looked up, listed, read and written through the OCI distribution API.

::

    async with RegistryClient(settings) as client:
        image = await client.image(parse_reference("nvcr.io/nvidia/pytorch:24.01-py3"))

No daemon and no root: HTTP is all it takes. Every digest is checked when something is read, and
when something was written.
"""

from __future__ import annotations

import difflib
import json
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from ..credentials import Login, registry_login
from ..errors import ImageError, RegistryError
from ..files import replacing
from .authentication import pull, push
from .blobs import read_blob
from .endpoints import Endpoint, RegistrySettings
from .manifests import (
    ACCEPT,
    MAX_CONFIG,
    MAX_MANIFEST,
    Descriptor,
    Index,
    Manifest,
    digest_of,
    parse_config,
    parse_manifest,
)
from .patience import Patience
from .references import ANY, Platform, Reference, this_platform
from .session import Answer, Call, Session

log = logging.getLogger(__name__)

T = TypeVar("T")
#: Pages of tags that are read at most; nvcr.io's largest repositories have a few hundred tags.
_PAGES = 100
_NEXT = re.compile(r'<([^>]+)>\s*;\s*rel="?next"?')


@dataclass(frozen=True)
class Image:
    """An image for one platform, as a registry has it."""

    #: With the digest of the manifest for the platform.
    reference: Reference
    manifest: Manifest
    #: The image's configuration (OCI image specification, config).
    config: dict[str, Any]
    #: Where it was found: the registry or a mirror of it.
    endpoint: Endpoint

    @property
    def labels(self) -> dict[str, str]:
        """The image's labels."""
        return dict((self.config.get("config") or {}).get("Labels") or {})

    @property
    def platform(self) -> Platform:
        """What it runs on."""
        return platform_of(self.config)

    @property
    def repository(self) -> str:
        """The repository at the endpoint."""
        return self.endpoint.prefix + self.reference.repository


class RegistryClient:
    """Speaks to any number of registries; an asynchronous context manager.

    ``cache`` is a directory in which the configurations of images are kept, by their digests.
    """

    def __init__(
        self,
        settings: RegistrySettings | None = None,
        patience: Patience | None = None,
        find_login: Callable[[str], Awaitable[Login | None]] = registry_login,
        cache: Path | None = None,
    ) -> None:
        self._cache = cache
        self.settings = settings or RegistrySettings()
        self._patience = patience or Patience()
        self._find_login = find_login
        self._sessions: dict[Endpoint, Session] = {}

    async def __aenter__(self) -> RegistryClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        for session in self._sessions.values():
            await session.aclose()
        self._sessions.clear()

    def session(self, endpoint: Endpoint) -> Session:
        """The connection to an endpoint, opened at the first call."""
        if endpoint not in self._sessions:
            self._sessions[endpoint] = Session(endpoint, self._patience, self._find_login)
        return self._sessions[endpoint]

    async def image(self, reference: Reference, platform: Platform | None = None) -> Image:
        """The image for the platform (default: this machine's), from an index where there is one.

        Raises ``ImageError`` where it is not there or not made for the platform.
        """
        wanted = platform or this_platform()
        return await self._anywhere(reference, lambda e: self._image(e, reference, wanted))

    async def manifest(self, reference: Reference) -> Manifest | Index:
        """What the reference names; raises ``ImageError`` where it is not there."""
        return await self._anywhere(reference, lambda e: self._manifest(e, reference))

    async def tags(self, reference: Reference) -> list[str]:
        """All tags of the repository, in the registry's order."""
        return await self._anywhere(reference, lambda e: self._tags(e, reference))

    async def read(self, image: Image, descriptor: Descriptor) -> bytes:
        """A small blob of the image, checked; raises ``RegistryError`` above 8 MB."""
        if descriptor.size > MAX_CONFIG:
            raise RegistryError(
                f"{descriptor.digest} has {descriptor.size} bytes, which is no text"
            )
        session = self.session(image.endpoint)
        parts = read_blob(session, image.repository, descriptor)
        return await _whole(parts, descriptor, image.endpoint.host)

    async def put_manifest(
        self, reference: Reference, raw: bytes, media_type: str, version: str = ""
    ) -> str:
        """Give a manifest the reference's tag (or ``version``); returns its digest.

        All that it names must be in the repository.
        """
        endpoint = self.settings.push_to(reference.registry)
        digest = digest_of(raw)
        call = Call(
            "PUT",
            f"/v2/{reference.repository}/manifests/{version or reference.tag or digest}",
            push(reference.repository),
            str(reference),
            {"Content-Type": media_type},
            raw,
            frozenset({201, 200}),
        )
        answer = await self.session(endpoint).send(call)
        said = answer.headers.get("Docker-Content-Digest", digest)
        if said != digest:
            raise RegistryError(
                f"{endpoint.host} took the manifest {digest} of {reference} for {said}; "
                "something between here and there changes what is sent"
            )
        return digest

    async def digest(self, reference: Reference) -> str | None:
        """The digest that a tag at the registry itself (not a mirror) names; None for no tag."""
        endpoint = self.settings.push_to(reference.registry)
        call = self._manifest_call("HEAD", reference.repository, reference, frozenset({200, 404}))
        answer = await self.session(endpoint).send(call)
        return answer.headers.get("Docker-Content-Digest") if answer.status == 200 else None

    async def ping(self, registry: str) -> str:
        """Who answers for the registry, in words; raises ``RegistryError`` where nobody does."""

        async def ask(endpoint: Endpoint) -> str:
            call = Call("GET", "/v2/", frozenset(), endpoint.host, expect=frozenset({200, 401}))
            await self.session(endpoint).once(call)
            return f"{endpoint.base} answers"

        return await self._anywhere(Reference(registry, "x"), ask)

    async def _anywhere(self, reference: Reference, ask: Callable[[Endpoint], Awaitable[T]]) -> T:
        """The first endpoint's answer that is one; the errors of all where none is."""
        errors: list[ImageError | RegistryError] = []
        for endpoint in self.settings.pull_from(reference.registry):
            try:
                return await ask(endpoint)
            except (ImageError, RegistryError) as error:
                errors.append(error)
        if len(errors) > 1:
            text = f"no mirror of {reference.registry} has {reference}: "
            raise type(errors[-1])(text + "; ".join(map(str, errors))) from errors[-1]
        raise errors[0]

    async def _image(self, endpoint: Endpoint, reference: Reference, wanted: Platform) -> Image:
        found = await self._manifest(endpoint, reference)
        if isinstance(found, Index):
            chosen = found.choose(wanted, str(reference))
            reference = reference.at(chosen.digest)
            found = await self._manifest(endpoint, reference)
        if isinstance(found, Index):
            raise ImageError(f"{reference} is an index within an index, which cannot be run")
        raw = await self._config(endpoint, reference, found.config)
        config = parse_config(raw, str(reference))
        platform = platform_of(config)
        made_for = (platform.os, platform.architecture)
        if wanted != ANY and made_for != (wanted.os, wanted.architecture):
            raise ImageError(f"{reference} is made for {platform}, not for {wanted}")
        return Image(reference.at(found.digest), found, config, endpoint)

    async def _config(
        self, endpoint: Endpoint, reference: Reference, descriptor: Descriptor
    ) -> bytes:
        """The image's configuration, which never changes: the digest is in the manifest."""
        kept = self._cache / descriptor.digest.replace(":", "-") if self._cache else None
        try:
            raw = kept.read_bytes() if kept is not None else b""
        except OSError:
            raw = b""
        if raw and digest_of(raw, descriptor.digest) == descriptor.digest:
            return raw
        repository = endpoint.prefix + reference.repository
        parts = read_blob(self.session(endpoint), repository, descriptor)
        raw = await _whole(parts, descriptor, endpoint.host)
        if kept is not None:
            _keep(kept, raw)
        return raw

    async def _manifest(self, endpoint: Endpoint, reference: Reference) -> Manifest | Index:
        repository = endpoint.prefix + reference.repository
        call = self._manifest_call("GET", repository, reference, frozenset({200, 404}))
        answer = await self.session(endpoint).send(call)
        if answer.status == 404:
            raise await self._unknown(endpoint, reference)
        said = answer.headers.get("Docker-Content-Digest", "")
        for digest in filter(None, (reference.digest, said)):
            check(answer.body, digest, str(reference), endpoint.host)
        return parse_manifest(answer.body, answer.headers.get("Content-Type", ""), str(reference))

    def _manifest_call(
        self, method: str, repository: str, reference: Reference, expect: frozenset[int]
    ) -> Call:
        return Call(
            method,
            f"/v2/{repository}/manifests/{reference.version}",
            pull(repository),
            str(reference),
            {"Accept": ACCEPT},
            expect=expect,
            limit=MAX_MANIFEST,
        )

    async def _unknown(self, endpoint: Endpoint, reference: Reference) -> ImageError:
        """The error for a 404: no such tag, and which ones there are, or no such repository."""
        try:
            tags = await self._tags(endpoint, reference)
        except (ImageError, RegistryError):
            tags = []
        if not tags:
            return ImageError(
                f"{endpoint.host} has no image {reference.name}; check its name", http_status=404
            )
        near = difflib.get_close_matches(reference.version, tags, n=3, cutoff=0.5) or tags[-3:]
        return ImageError(
            f"{reference.name} has no {'digest' if reference.digest else 'tag'} "
            f"{reference.version!r}; of its {len(tags)} tags these come near: {', '.join(near)}",
            http_status=404,
        )

    async def _tags(self, endpoint: Endpoint, reference: Reference) -> list[str]:
        repository = endpoint.prefix + reference.repository
        path, tags = f"/v2/{repository}/tags/list", list[str]()
        for _ in range(_PAGES):
            call = Call("GET", path, pull(repository), reference.name, expect=frozenset({200, 404}))
            answer = await self.session(endpoint).send(call)
            if answer.status == 404:
                raise ImageError(f"{endpoint.host} has no image {reference.name}; check its name")
            tags += _parse_tags(answer, reference.name)
            following = _NEXT.search(answer.headers.get("Link", ""))
            if following is None:
                break
            path = self.session(endpoint).resolve(following[1])
        return tags


def _keep(path: Path, raw: bytes) -> None:
    """Write a file of the cache, which is a convenience: where it cannot be, it is not."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with replacing(path) as file:
            file.write(raw)
    except OSError as error:
        log.debug("%s is not kept: %s", path, error)


async def _whole(parts: AsyncIterator[bytes], descriptor: Descriptor, host: str) -> bytes:
    if descriptor.size > MAX_CONFIG:
        raise RegistryError(
            f"{host} says that {descriptor.digest} has {descriptor.size} bytes; "
            f"at most {MAX_CONFIG} are read into memory"
        )
    data = b"".join([part async for part in parts])
    check(data, descriptor.digest, descriptor.digest, host)
    return data


def check(data: bytes, digest: str, name: str, host: str) -> None:
    """Raise ``RegistryError`` unless the data has the digest."""
    found = digest_of(data, digest)
    if found != digest:
        raise RegistryError(
            f"{host} sent something else for {name}: its digest is {found} instead of {digest}; "
            "the registry, or something in between, is broken or lies"
        )


def platform_of(config: dict[str, Any]) -> Platform:
    """What an image's configuration says it runs on."""
    os, architecture = str(config.get("os") or "linux"), str(config.get("architecture") or "")
    return Platform(os, architecture, str(config.get("variant") or ""))


def _parse_tags(answer: Answer, name: str) -> list[str]:
    try:
        # a repository whose tags were all deleted has null
        return [str(tag) for tag in json.loads(answer.body)["tags"] or ()]
    except (ValueError, KeyError, TypeError):
        raise RegistryError(f"the list of {name}'s tags is damaged") from None
