"""Contents by their digest: send those that a machine does not have, from where they broke off."""

from __future__ import annotations

import asyncio
import math
import secrets
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import BundleError, PlaceError
from . import Transport
from .channel import ChannelClosed, plain
from .room import require_room

#: Bytes of a piece.
PIECE = 1 << 19


@dataclass(frozen=True)
class Blob:
    """Content that may travel: from a file, or as it is."""

    #: sha256, 64 hex digits.
    digest: str
    size: int
    source: Path | bytes = field(repr=False)


async def send_blobs(
    transport: Transport, blobs: Sequence[Blob], *, patience: float, known: str | None = None
) -> int:
    """Bring all of them there, and return how many bytes had to be sent.

    ``known`` is the digest of a manifest (``files.json``) whose files these are, in its order:
    where the machine has it, not even their names travel. Raises ``PlaceError`` where nothing
    arrives for as long as ``patience`` lasts, and for a full disk or a quota with these words;
    where much is to be sent, before any of it is.
    """
    least, deadline = math.inf, 0.0
    broken: ChannelClosed | None = None
    while blobs:
        missing = await _missing(transport, blobs, known, patience)
        wanted = [(blobs[number], start) for number, start in missing]
        if not wanted:
            break
        size = sum({blob.digest: blob.size - start for blob, start in wanted}.values())
        if size < least:
            # it got further: its patience begins anew
            least, deadline = size, time.monotonic() + patience
        elif broken is not None and time.monotonic() > deadline:
            raise transport.explain(broken.said) from broken
        await require_room(transport, size, "what is to be sent", patience)
        try:
            return await _send(transport, wanted)
        except ChannelClosed as error:
            broken = error
    return 0


async def _missing(
    transport: Transport, blobs: Sequence[Blob], known: str | None, patience: float
) -> list[tuple[int, int]]:
    if known is not None:
        header, _ = await transport.ask("known", digest=known, patience=patience)
        if header["known"]:
            return [(number, start) for number, start in header["missing"]]
    digests = b"".join(bytes.fromhex(blob.digest) for blob in blobs)
    sizes = [blob.size for blob in blobs]
    header, _ = await transport.ask("missing", digests, sizes=sizes, patience=patience)
    return [(number, start) for number, start in header["missing"]]


async def _send(transport: Transport, wanted: list[tuple[Blob, int]]) -> int:
    """Send these, each from its offset on. Raises ``ChannelClosed`` where the connection breaks."""
    channel = await transport.channel()
    batch = secrets.token_hex(4)
    await asyncio.wrap_future(channel.pour(_pieces(wanted, batch)))
    answer, _ = await asyncio.wrap_future(channel.ask({"op": "blobs_done", "batch": batch}))
    for digest, words in answer["bad"]:
        names = {blob.digest: blob.source for blob, _ in wanted}
        source = names.get(digest)
        raise PlaceError(f"{source} was not sent: {words}" if isinstance(source, Path) else words)
    return sum(blob.size - start for blob, start in wanted)


def _pieces(wanted: list[tuple[Blob, int]], batch: str) -> Iterator[bytes]:
    sent = set()
    for blob, start in wanted:
        if blob.digest in sent:
            continue
        sent.add(blob.digest)
        if isinstance(blob.source, bytes):
            yield _piece(blob, batch, 0, blob.source)
            continue
        with blob.source.open("rb", buffering=0) as file:
            file.seek(start)
            offset = start
            while offset < blob.size or offset == start:
                data = file.read(PIECE) or b""
                if not data and offset < blob.size:
                    raise BundleError(f"{blob.source} was cut short while it was sent")
                yield _piece(blob, batch, offset, data)
                offset += len(data) or 1


def _piece(blob: Blob, batch: str, offset: int, data: bytes) -> bytes:
    header = {"op": "blob", "digest": blob.digest, "size": blob.size, "offset": offset}
    return plain({**header, "batch": batch}, data)
