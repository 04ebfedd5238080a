"""Blobs, written: into a repository, whole and as their digest says, or not at all.

A connection that breaks is taken up where it broke, as far as the registry allows ("Pushing blobs"
of the OCI distribution specification 1.1).
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import time

import httpx

from ..errors import ImageError, RegistryError
from ..telling import Bytes
from .authentication import Scopes, pull, push
from .blobs import Source, has_blob
from .manifests import Descriptor
from .session import Call, Session

#: Bytes that are sent in one request: what a broken connection costs. Where one takes less than
#: so many seconds the next has twice as much, up to four times this: each costs the registry a
#: round trip and some files.
CHUNK, SOON = 16 << 20, 0.5
_RANGE = re.compile(r"(?:bytes=)?(\d+)-(\d+)")


class Upload:
    """One blob on its way into a repository."""

    def __init__(self, session: Session, repository: str, source: Source) -> None:
        self.session, self.repository, self.source = session, repository, source
        self.descriptor = source.descriptor
        #: Bytes of content that were sent, those of broken attempts included.
        self.sent = 0
        self._location = ""
        #: True once content was sent to the location.
        self._broken = False
        #: True where the registry does not know the location, or stands elsewhere than we think.
        self._lost = False
        #: Bytes that have arrived, and their hash.
        self._offset = 0
        self._hash = self._new_hash()
        #: Read, and not yet known to have arrived.
        self._chunk = b""
        self._step = CHUNK
        self._reader = source.read()

    async def run(self, mount_from: str = "") -> bool:
        """Put it there; False where the registry had it in ``mount_from`` and nothing was sent.

        Raises ``RegistryError``; ``ImageError`` where the content is not what its digest says.
        """
        async for attempt in self.session.patience.tries():
            with attempt:
                if not self._location and await self._begin(mount_from):
                    return False
                if self._broken and await self._resume():
                    return True
                self._broken = True
                if self.descriptor.size <= CHUNK:
                    await self._put(await self._fill())
                else:
                    told = Bytes(f"sending a layer for {self.repository}", self.descriptor.size)
                    while self._offset < self.descriptor.size:
                        await self._patch((await self._fill())[: self._step])
                        told(self.descriptor.digest, self._offset, self.descriptor.size)
                    await self._put(b"")
        return True

    def _restart(self) -> None:
        self._location = ""
        self._broken = self._lost = False
        self._offset = 0
        self._hash = self._new_hash()
        self._chunk = b""
        self._reader = self.source.read()

    def _new_hash(self) -> hashlib._Hash:
        return hashlib.new(self.descriptor.digest.partition(":")[0])

    @property
    def _scopes(self) -> Scopes:
        return push(self.repository)

    @property
    def _what(self) -> str:
        return f"{self.repository}@{self.descriptor.digest}"

    async def _begin(self, mount_from: str) -> bool:
        """Open an upload; True where the blob was mounted instead."""
        location = await begin(self.session, self.repository, self.descriptor, mount_from)
        self._location = location
        return not location

    async def _resume(self) -> bool:
        """Go on where the registry says that it broke; True where it was complete after all."""
        self._step = CHUNK
        if await has_blob(self.session, self.repository, self.descriptor):
            return True
        headers = await self._status()
        kept = _arrived(headers.get("Range", "")) - self._offset if headers is not None else -1
        if headers is None or self.descriptor.size <= CHUNK or not 0 <= kept <= len(self._chunk):
            self._restart()
            await self._begin("")
        else:
            self._location = self._next(headers) or self._location
            self._acknowledge(kept)
        return False

    async def _status(self) -> httpx.Headers | None:
        """What the registry says of the upload; None where it does not know it any more."""
        if self._lost:
            return None
        call = Call("GET", self._location, self._scopes, self._what, expect=frozenset({204, 200}))
        try:
            return (await self.session.once(call)).headers
        except RegistryError as error:
            if error.transient:
                raise
            return None

    def _acknowledge(self, count: int, whole: hashlib._Hash | None = None) -> None:
        """So many bytes have arrived; ``whole`` is the hash of all so far, where that is known."""
        if whole is None:
            self._hash.update(self._chunk[:count])
        self._hash = whole or self._hash
        self._chunk = self._chunk[count:]
        self._offset += count

    async def _fill(self) -> bytes:
        """The next chunk."""
        parts, length = [self._chunk], len(self._chunk)
        while length < self._step and (part := await anext(self._reader, b"")):
            parts.append(part)
            length += len(part)
        self._chunk = b"".join(parts)
        if self._offset + length > self.descriptor.size or not (length or self._is_empty):
            raise self._changed()
        return self._chunk

    @property
    def _is_empty(self) -> bool:
        return self.descriptor.size == 0

    async def _patch(self, chunk: bytes) -> None:
        last = self._offset + len(chunk) - 1
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Range": f"{self._offset}-{last}",
        }
        began, whole = time.monotonic(), self._hash.copy()
        # the one waits for the network, the other for the processor
        answer, _ = await asyncio.gather(
            self._send("PATCH", self._location, headers, chunk, frozenset({202, 204})),
            asyncio.to_thread(whole.update, chunk),
        )
        self._location = self._next(answer) or self._location
        self._acknowledge(len(chunk), whole)
        if time.monotonic() - began < SOON:
            self._step = min(2 * self._step, 4 * CHUNK)

    async def _put(self, content: bytes) -> None:
        """Close the upload, with all of a small blob or with nothing more."""
        if content:
            self._hash.update(content)
        digest = self.descriptor.digest
        if self._hash.hexdigest() != digest.partition(":")[2]:
            raise self._changed()
        address = str(httpx.URL(self._location).copy_merge_params({"digest": digest}))
        headers = {"Content-Type": "application/octet-stream"}
        answer = await self._send("PUT", address, headers, content, frozenset({201, 204}))
        said = answer.get("Docker-Content-Digest", digest)
        if said != digest:
            raise RegistryError(
                f"{self.session.endpoint.host} took {self._what} for {said}; "
                "something between here and there changes what is sent"
            )

    async def _send(
        self, method: str, address: str, headers: dict[str, str], content: bytes, ok: frozenset[int]
    ) -> httpx.Headers:
        call = Call(method, address, self._scopes, self._what, headers, content, ok)
        try:
            answer = await self.session.once(call)
        except RegistryError as error:
            self._lost = error.context.get("http_status") in (404, 416)
            error.transient = error.transient or self._lost
            raise
        finally:
            self.sent += len(content)
        return answer.headers

    def _next(self, headers: httpx.Headers) -> str:
        location = headers.get("Location", "")
        return self.session.resolve(location) if location else ""

    def _changed(self) -> ImageError:
        return ImageError(
            f"what was to be sent as {self.descriptor.digest} is something else by now; "
            "remove it and make it anew"
        )


def _arrived(text: str) -> int:
    """Bytes that a registry says it has: ``0-99`` means a hundred, ``0-0`` or nothing none."""
    found = _RANGE.fullmatch(text.strip())
    return int(found[2]) + 1 if found and int(found[2]) else 0


async def begin(
    session: Session, repository: str, descriptor: Descriptor, mount_from: str = ""
) -> str:
    """Open an upload and return its address; empty where the blob was mounted from ``mount_from``.

    Mounting makes a blob of one repository known in another one of the same registry, without a
    byte of it being sent.
    """
    scopes, query = push(repository), ""
    if mount_from:
        scopes |= pull(mount_from)
        query = "?" + str(httpx.QueryParams({"mount": descriptor.digest, "from": mount_from}))
    call = Call(
        "POST",
        f"/v2/{repository}/blobs/uploads/{query}",
        scopes,
        f"{repository}@{descriptor.digest}",
        headers={"Content-Length": "0"},
        expect=frozenset({201, 202}),
    )
    answer = await session.send(call)
    if answer.status == 201:
        return ""
    location = answer.headers.get("Location", "")
    if not location:
        raise RegistryError(f"{session.endpoint.host} opens an upload and does not say where")
    return session.resolve(location)


async def mount(session: Session, repository: str, descriptor: Descriptor, mount_from: str) -> bool:
    """Make a blob of another repository known in this one; False where the registry will not."""
    location = await begin(session, repository, descriptor, mount_from)
    if location:
        # nothing will be sent to it
        await session.once(
            Call(
                "DELETE",
                location,
                push(repository),
                f"{repository}@{descriptor.digest}",
                expect=frozenset(range(200, 500)) - {401},
            )
        )
    return not location
