"""Signals while a job is followed: the terminal lets go, the job goes on."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager


class Interrupts:
    """Counts Ctrl-C, and hears the signals that end this process."""

    def __init__(self) -> None:
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []
        #: How often Ctrl-C was pressed.
        self.count = 0
        #: The signal that asks this process to end, once one came.
        self.ended_by: int | None = None

    def reached(self, count: int) -> asyncio.Future[None]:
        """Done once Ctrl-C was pressed that often, or the process is asked to end."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((count, future))
        self._wake()
        return future

    @contextmanager
    def heard(self) -> Iterator[Interrupts]:
        """Signals come here while the block runs."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, self._interrupt)
        ends = (signal.SIGTERM, signal.SIGHUP)
        for number in ends:
            loop.add_signal_handler(number, self._end, number)
        try:
            yield self
        finally:
            for number in (signal.SIGINT, *ends):
                loop.remove_signal_handler(number)

    def _interrupt(self) -> None:
        self.count += 1
        self._wake()

    def _end(self, number: int) -> None:
        self.ended_by = number
        self._wake()

    def _wake(self) -> None:
        for count, future in self._waiting:
            if (self.count >= count or self.ended_by is not None) and not future.done():
                future.set_result(None)
