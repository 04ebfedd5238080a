"""Connections that break under what takes long: patience is for a machine that is away."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from jupyter_hybrid.errors import PlaceError
from jupyter_hybrid.transport import BREAKS, LocalTransport, blobs
from jupyter_hybrid.transport.blobs import Blob, send_blobs
from jupyter_hybrid.transport.channel import Answer, Channel, ChannelClosed
from jupyter_hybrid.transport.far.wire import Header

#: Shorter than anything here takes.
PATIENCE = 0.2


@pytest.fixture
def transport(tmp_path: Path) -> Iterator[LocalTransport]:
    transport = LocalTransport(str(tmp_path / "there"))
    yield transport
    transport.close()


@pytest.fixture
def large(tmp_path: Path) -> Blob:
    data = bytes(8 << 20)
    (tmp_path / "large").write_bytes(data)
    return Blob(hashlib.sha256(data).hexdigest(), len(data), tmp_path / "large")


def slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    piece = blobs._piece

    def late(blob: Blob, batch: str, offset: int, data: bytes) -> bytes:
        time.sleep(0.1)
        return piece(blob, batch, offset, data)

    monkeypatch.setattr(blobs, "_piece", late)


async def test_a_transfer_that_breaks_after_long_goes_on(
    transport: LocalTransport, large: Blob, monkeypatch: pytest.MonkeyPatch
) -> None:
    slowly(monkeypatch)
    await transport.root()
    sending = asyncio.create_task(send_blobs(transport, [large], patience=PATIENCE))
    for _ in range(2):
        await asyncio.sleep(3 * PATIENCE)
        assert not sending.done()
        transport.close()
    assert 0 < await sending < large.size
    assert await send_blobs(transport, [large], patience=PATIENCE) == 0


async def test_a_transfer_that_gets_nowhere_ends(
    transport: LocalTransport, large: Blob, monkeypatch: pytest.MonkeyPatch
) -> None:
    pour = Channel.pour

    def breaks(channel: Channel, messages: Iterator[bytes]) -> Future[None]:
        channel._break()
        return pour(channel, messages)

    monkeypatch.setattr(Channel, "pour", breaks)
    with pytest.raises(PlaceError, match="the helper process ended") as error:
        await asyncio.wait_for(send_blobs(transport, [large], patience=PATIENCE), 30.0)
    assert error.value.transient


async def test_a_long_command_is_asked_for_again(transport: LocalTransport) -> None:
    """And whoever waits for the machine then waits for as long as at the beginning."""
    root = await transport.root()
    script = f"echo >> '{root}/ran'; [ $(wc -l < '{root}/ran') -gt 2 ] || sleep 60"
    running = asyncio.create_task(transport.run(["sh", "-c", script], patience=PATIENCE))
    patiences, channel = [], transport.channel

    async def asked(patience: float = 0.0) -> Channel:
        patiences.append(patience)
        return await channel(patience)

    transport.channel = asked  # type: ignore[method-assign]
    for _ in range(2):
        await asyncio.sleep(3 * PATIENCE)
        transport.close()
    assert (await running).code == 0
    assert min(patiences[-2:]) > PATIENCE / 2


async def test_a_command_that_ends_every_connection_is_given_up(
    transport: LocalTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    await transport.root()
    asked = []

    def breaks(channel: Channel, header: Header, payload: bytes = b"") -> Future[Answer]:
        asked.append(header["op"])
        future: Future[Answer] = Future()
        loop.call_later(2 * PATIENCE, future.set_exception, ChannelClosed("gone", opened=True))
        return future

    loop = asyncio.get_running_loop()
    monkeypatch.setattr(Channel, "ask", breaks)
    with pytest.raises(PlaceError, match="gone"):
        await asyncio.wait_for(transport.run(["true"], patience=PATIENCE), 30.0)
    assert len(asked) == BREAKS + 1
