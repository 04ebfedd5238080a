"""How a machine is reached: commands, files, and contents by their digest.

::

    transport = SSHTransport("dgx", root="~/.jupyter-hybrid")     # or LocalTransport(root)
    done = await transport.run(["squeue", "--me"])
    await transport.send_blobs([Blob(digest, size, path), …])      # only those that are missing

One connection serves all that a process asks of a machine, and is made again when it breaks.
"""

from __future__ import annotations

import asyncio
import shlex
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from ..errors import PlaceError
from .channel import Answer, Channel, ChannelClosed, fields, open_channel
from .far.wire import Header

#: Seconds in which a connection must have come up.
CONNECT = 30.0
#: Seconds between two attempts to connect, the first and the longest.
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0
#: Breaks of the connection that a long request may meet: what ends each of them must end as well.
BREAKS = 5


@dataclass(frozen=True)
class Completed:
    """How a command ended."""

    #: Exit status; None where it took too long and was killed.
    code: int | None
    stdout: bytes
    stderr: str


@dataclass(frozen=True)
class Peek:
    """A small file as it was seen."""

    size: int
    #: Seconds since it was written, by the file system's own clock.
    age: float
    content: bytes


async def _aside(work: Callable[[], Channel]) -> Channel:
    """What blocking work returns, in a thread that is made for it."""
    done: Future[Channel] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:  # noqa: BLE001 - whoever waits gets it
            done.set_exception(error)

    done.set_running_or_notify_cancel()
    threading.Thread(target=run, name="jupyter-hybrid connects", daemon=True).start()
    return await asyncio.wrap_future(done)


class Transport(ABC):
    """Reaches one machine, on which ``root`` is a directory of ours. Relative paths are below it.

    Every method raises ``PlaceError``: ``transient`` where the same may work later. ``patience``
    is for how many seconds a machine that cannot be reached is tried again before that.
    """

    def __init__(self, root: str) -> None:
        #: The directory as the site names it: ``~``, ``$NAME`` and ``{user}`` are the machine's.
        self.named_root = root
        self._channel: Channel | None = None
        self._lock = threading.Lock()
        #: When an attempt to connect failed, and why.
        self._failed: tuple[float, PlaceError] | None = None

    @property
    @abstractmethod
    def host(self) -> str:
        """The machine, in words."""

    @abstractmethod
    def reach(self, code: str) -> Sequence[str]:
        """The command that runs this Python code there, its standard input and output ours."""

    @abstractmethod
    def explain(self, complaint: str) -> PlaceError:
        """Why the machine cannot be reached, from what the command wrote."""

    @abstractmethod
    def recover(self) -> None:
        """Called where a connection does not come up, before it is tried once more. Blocks."""

    # -- the connection -------------------------------------------------------------------------

    async def channel(self, patience: float = 0.0) -> Channel:
        """The open connection."""
        current = self._channel
        if current is not None and current.open:
            return current
        # in a thread of its own: asyncio's are few, and a machine that is away would hold them all
        return await _aside(lambda: self._connect(patience))

    def _connect(self, patience: float) -> Channel:
        began, pause = time.monotonic(), FIRST_PAUSE
        deadline = began + patience
        # a forked child has a lock that a thread of its parent may hold
        while True:
            with self._lock:
                if self._channel is not None and self._channel.open:
                    return self._channel
                if self._channel is not None:
                    self._channel.close()
                outcome = self._attempt(began)
                if isinstance(outcome, Channel):
                    self._channel = outcome
                    return outcome
            began = time.monotonic()
            if not outcome.transient or began + pause > deadline:
                raise outcome
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    def _attempt(self, began: float) -> Channel | PlaceError:
        """A connection, or why there is none: now, or for somebody who tried since ``began``."""
        if self._failed is not None and self._failed[0] > began:
            return self._failed[1]
        try:
            return self._open()
        except PlaceError as error:
            self._failed = (time.monotonic(), error)
            return error

    def _open(self) -> Channel:
        try:
            try:
                return open_channel(self.reach, self.named_root, CONNECT / 2)
            except TimeoutError:
                # a shared connection whose other end is gone without a word
                self.recover()
                return open_channel(self.reach, self.named_root, CONNECT)
        except ChannelClosed as error:
            raise self.explain(error.said) from error
        except TimeoutError as error:
            raise self.explain(f"{error}\nConnection timed out") from error
        except OSError as error:
            raise PlaceError(f"{error.filename} cannot be started: {error.strerror}") from error

    async def ask(
        self, op: str, payload: bytes = b"", *, patience: float = 0.0, **asked: object
    ) -> Answer:
        """One request and its answer. All requests may be repeated, and are when it breaks."""
        deadline = time.monotonic() + patience
        attempts = 0
        while True:
            channel = await self.channel(max(0.0, deadline - time.monotonic()))
            since = time.monotonic()
            try:
                answer = await asyncio.wrap_future(channel.ask({"op": op, **asked}, payload))
                fields(answer)
                return answer
            except ChannelClosed as error:
                attempts += 1
                now = time.monotonic()
                if 0 < patience < now - since and attempts <= BREAKS:
                    # the machine was there all the time: the patience begins with the break
                    deadline = now + patience
                # a connection may have broken long before anybody noticed
                elif attempts > 1 and now > deadline:
                    raise self.explain(error.said) from error

    async def root(self, patience: float = 0.0) -> str:
        """The absolute path of our directory there."""
        return str((await self.channel(patience)).hello["root"])

    def close(self) -> None:
        """End the connection. The next request makes a new one."""
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()

    # -- commands -------------------------------------------------------------------------------

    async def run(
        self,
        argv: Sequence[str],
        stdin: bytes = b"",
        *,
        timeout: float = 60.0,
        env: Mapping[str, str] | None = None,
        patience: float = 0.0,
    ) -> Completed:
        """Run a command there to its end. It must be one that may be run twice."""
        header, out = await self.ask(
            "run", stdin, patience=patience, argv=list(argv), timeout=timeout, env=dict(env or {})
        )
        return Completed(header["code"], out, header["stderr"])

    async def once(
        self, argv: Sequence[str], stdin: bytes, *, record: str, timeout: float, patience: float
    ) -> Answer:
        """Run a command unless its record is there; what it prints becomes the record.

        ``begun`` in the answer: somebody has begun, and no record tells what became of it;
        ``alive``: and may be at it still.
        """
        return await self.ask(
            "once", stdin, patience=patience, argv=list(argv), record=record, timeout=timeout
        )

    # -- files ----------------------------------------------------------------------------------

    async def write(
        self, files: Mapping[str, bytes], mode: int = 0o600, *, patience: float = 0.0
    ) -> None:
        """Write small files, each by rename."""
        listed = [[name, len(data), mode] for name, data in files.items()]
        await self.ask("write", b"".join(files.values()), files=listed, patience=patience)

    async def read(self, path: str, offset: int = 0, *, patience: float = 0.0) -> bytes:
        """Up to a megabyte behind the offset; nothing where there is no such file."""
        return (await self.ask("read", path=path, offset=offset, patience=patience))[1]

    async def peek(self, paths: Sequence[str], limit: int = 1 << 16) -> list[Peek | None]:
        """Small files at once; None for those that are not there."""
        if not paths:
            return []
        header, data = await self.ask("peek", paths=list(paths), limit=limit)
        found: list[Peek | None] = []
        for entry in header["found"]:
            if entry is None:
                found.append(None)
                continue
            size, age, length = entry
            found.append(Peek(size, age, data[:length]))
            data = data[length:]
        return found

    async def walk(
        self, path: str, *, without: Sequence[str] = (), hashed: bool = False
    ) -> list[tuple[str, int, int, str]]:
        """Regular files below: relative path, size, mode, and sha256 where that is wanted."""
        header, _ = await self.ask("walk", path=path, without=list(without), hash=hashed)
        return [tuple(entry) for entry in header["files"]]

    async def remove(self, *paths: str, patience: float = 0.0) -> None:
        """Remove files or directories below our directory; they may be gone."""
        await self.ask("remove", paths=list(paths), patience=patience)


class LocalTransport(Transport):
    """This machine, in the same way as another one."""

    @property
    def host(self) -> str:
        """This machine."""
        return "this machine"

    def reach(self, code: str) -> Sequence[str]:
        """A Python of its own: what it starts outlives this process."""
        return [sys.executable, "-ISu", "-c", code]

    def explain(self, complaint: str) -> PlaceError:
        """What Python wrote."""
        return PlaceError(f"the helper process ended: {complaint[-200:]}", transient=True)

    def recover(self) -> None:
        """Nothing is shared."""


def remote_command(code: str, python: str | None) -> str:
    """For a login shell of whatever kind: a Python that runs the code, or a sentence."""
    names = (
        shlex.quote(python) if python else "python3 /usr/libexec/platform-python /usr/bin/python3"
    )
    script = (
        f"for p in {names}; do command -v $p >/dev/null 2>&1 && "
        f'exec $p -ISu -c "{code}"; done; echo "no python3 (jupyter-hybrid)" >&2; exit 127'
    )
    return f"exec sh -c '{script}'"


__all__ = ["Completed", "Header", "LocalTransport", "Peek", "Transport", "remote_command"]
