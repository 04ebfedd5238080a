"""Blobs, read: from a registry, a file or memory.

A connection that breaks is taken up where it broke ("Pulling blobs" of the OCI distribution
specification 1.1).
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import httpx

from ..errors import ImageError, RegistryError
from . import complaints
from .authentication import pull
from .manifests import Descriptor
from .session import Call, Session

_BLOCK = 1 << 20
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")


class Source(Protocol):
    """Content on its way to a registry."""

    @property
    def descriptor(self) -> Descriptor:
        """What it is."""

    def read(self) -> AsyncIterator[bytes]:
        """All of it, from the beginning; may be asked for again."""


@dataclass(frozen=True)
class BytesSource:
    """Content in memory."""

    descriptor: Descriptor
    data: bytes = field(repr=False)

    async def read(self) -> AsyncIterator[bytes]:
        """The data."""
        yield self.data


@dataclass(frozen=True)
class FileSource:
    """Content in a file."""

    descriptor: Descriptor
    path: Path

    async def read(self) -> AsyncIterator[bytes]:
        """The file's content; raises ``ImageError`` where it cannot be read."""
        try:
            with self.path.open("rb") as file:
                while block := file.read(_BLOCK):
                    yield block
        except OSError as error:
            raise ImageError(f"the layer {self.path} cannot be read: {error.strerror}") from error


@dataclass(frozen=True)
class RemoteSource:
    """Content at another registry: it passes through and touches no disk."""

    descriptor: Descriptor
    session: Session
    repository: str

    def read(self) -> AsyncIterator[bytes]:
        """The blob's content."""
        return read_blob(self.session, self.repository, self.descriptor)


@dataclass
class _Reading:
    session: Session
    repository: str
    descriptor: Descriptor
    position: int

    @property
    def what(self) -> str:
        return f"{self.repository}@{self.descriptor.digest}"

    def error(self, text: str, *, transient: bool = False) -> RegistryError:
        return RegistryError(
            f"{self.session.endpoint.host} {text} for {self.what}", transient=transient
        )

    async def parts(self) -> AsyncIterator[bytes]:
        """What one connection gives, from the position on."""
        first = self.position
        call = Call(
            "GET",
            f"/v2/{self.repository}/blobs/{self.descriptor.digest}",
            pull(self.repository),
            self.what,
            headers={"Range": f"bytes={first}-"} if first else {},
            expect=frozenset({200, 206}),
        )
        async with self.session.stream(call) as response:
            skip = self._check_begin(response, first)
            with complaints.reading(response.request.url, self.session.endpoint):
                # as it comes: what is held back for larger parts is lost when the connection is
                async for part in response.aiter_raw():
                    dropped, skip = part[skip:], max(0, skip - len(part))
                    self.position += len(dropped)
                    if self.position > self.descriptor.size:
                        raise self.error(
                            f"sends more than the {self.descriptor.size} bytes it said"
                        )
                    if dropped:
                        yield dropped
        if self.position < self.descriptor.size:
            raise self.error(
                f"said {self.descriptor.size} bytes and sent {self.position}", transient=True
            )

    def _check_begin(self, response: httpx.Response, first: int) -> int:
        """Bytes to pass over; raises where the answer is something else."""
        kind = response.headers.get("Content-Type", "")
        if kind.startswith("text/html"):
            raise self.error("answered with a web page (is a login page in between?)")
        if response.status_code == 200:
            return first
        found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
        if found is None or int(found[1]) != first:
            raise self.error(f"was asked for what follows byte {first} and sent another part")
        return 0


async def read_blob(
    session: Session, repository: str, descriptor: Descriptor, offset: int = 0
) -> AsyncIterator[bytes]:
    """The blob's bytes from ``offset`` on, over as many connections as it takes.

    Raises ``RegistryError`` where it does not get further for as long as the session's patience
    lasts, and where the registry sends more or less than the descriptor says. Whether the content
    is what the digest says is for the reader of all of it to see.
    """
    reading = _Reading(session, repository, descriptor, offset)
    while reading.position < descriptor.size:
        before = reading.position
        async for attempt in session.patience.tries():
            with attempt:
                if reading.position > before:
                    break  # it got further: its patience begins anew
                async for part in reading.parts():
                    yield part


async def has_blob(session: Session, repository: str, descriptor: Descriptor) -> bool:
    """True where the repository has the blob."""
    call = Call(
        "HEAD",
        f"/v2/{repository}/blobs/{descriptor.digest}",
        pull(repository),
        f"{repository}@{descriptor.digest}",
        expect=frozenset({200, 404}),
    )
    return (await session.send(call)).status == 200
