"""Files that grow over there, followed here: what is appended arrives without being asked for."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import dataclass, field

from ..blocking import within
from . import Transport
from .channel import Channel
from .far.wire import Header

#: Bytes of a file that are kept for readers.
KEPT = 1 << 22
#: Seconds after which a file that nobody reads is not watched any more.
UNREAD = 60.0

_Waiter = tuple[asyncio.AbstractEventLoop, asyncio.Event]


@dataclass
class _Watch:
    #: The connection over which the news comes.
    channel: Channel
    #: Where in the file ``kept`` begins.
    start: int
    kept: bytearray = field(default_factory=bytearray)
    read_at: float = 0.0
    #: Up to where somebody has read.
    seen: int = 0
    waiting: list[_Waiter] = field(default_factory=list)

    @property
    def end(self) -> int:
        return self.start + len(self.kept)


class Watches:
    """The files of one transport that are being read."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._watches: dict[str, _Watch] = {}
        self._lock = threading.Lock()

    async def read(self, path: str, offset: int) -> bytes:
        """What is behind the offset, as ``Transport.read``; asks nothing where nothing has come."""
        now = time.monotonic()
        with self._lock:
            watch = self._watches.get(path)
            if watch is not None and watch.channel.open and watch.start <= offset <= watch.end:
                watch.read_at, watch.seen = now, watch.end
                return bytes(watch.kept[offset - watch.start :])
        data = await self._transport.read(path, offset)
        # begun by who looked for something behind the file's end: nothing would come for long
        beyond = not data and watch is not None and offset < watch.start
        if data or beyond or watch is None or not watch.channel.open:
            await self._begin(path, offset + len(data), watch, now, beyond=beyond)
        return data

    async def _begin(
        self, path: str, offset: int, old: _Watch | None, now: float, *, beyond: bool
    ) -> None:
        if old is not None and old.channel.open and offset < old.end and not beyond:
            # somebody who reads from the beginning catches up
            return
        channel = await self._transport.channel()
        watch = _Watch(
            channel, offset, read_at=now, seen=offset, waiting=old.waiting if old else []
        )
        with self._lock:
            if self._watches.get(path) is not old:
                # somebody began meanwhile: asked twice, the far side would be ahead of one of us
                return
            self._watches[path] = watch
            channel.on_news = self._take
            unread = [p for p, w in self._watches.items() if now - w.read_at > UNREAD]
            channel.ask({"op": "watch", "path": path, "offset": offset})
        for other in unread:
            self.forget(other)

    def forget(self, path: str) -> None:
        """Watch that file no more."""
        with self._lock:
            watch = self._watches.pop(path, None)
            if watch is not None and watch.channel.open:
                watch.channel.ask({"op": "unwatch", "path": path})

    async def wait(self, path: str, seconds: float) -> None:
        """Return once something has been appended that nobody read, or after so many seconds."""
        with self._lock:
            watch = self._watches.get(path)
            if watch is None or not watch.channel.open:
                watch = None
            elif watch.end > watch.seen:
                # it came between the last look and this
                return
            else:
                waiter = (asyncio.get_running_loop(), asyncio.Event())
                watch.waiting.append(waiter)
        if watch is None:
            await asyncio.sleep(min(seconds, 0.25))
            return
        try:
            await within(seconds, waiter[1].wait())
        except (TimeoutError, asyncio.TimeoutError):
            pass
        finally:
            with self._lock:
                if waiter in watch.waiting:
                    watch.waiting.remove(waiter)

    def _take(self, header: Header, payload: bytes) -> None:
        """Called by the connection's reading thread."""
        with self._lock:
            watch = self._watches.get(header["watched"])
            if watch is None:
                return
            if header["offset"] > watch.end:
                # what is between never comes by itself: the next reader begins anew
                del self._watches[header["watched"]]
            elif news := payload[watch.end - header["offset"] :]:
                watch.kept += news
            else:
                return
            if len(watch.kept) > KEPT:
                surplus = len(watch.kept) - KEPT // 2
                del watch.kept[:surplus]
                watch.start += surplus
            waiting = list(watch.waiting)
        for loop, event in waiting:
            # a loop that has ended waits for nothing
            if not loop.is_closed():
                loop.call_soon_threadsafe(event.set)
