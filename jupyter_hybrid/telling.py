"""What takes long says how far it is, to whoever listens: a terminal, a cell, nobody.

::

    with listening(show):                          a door, around what it awaits
        await manager.submit(request)
            tell("pulling torch:1", "1 of 8 GB")    deep below
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from .units import format_size

#: Told what is being done and how far it is; the latter is empty where nobody knows.
Listener = Callable[[str, str], None]

#: Seconds between two words about the same.
_EVERY = 0.5

_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Hear what is told within the block, and in the tasks that it starts."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def tell(what: str, amount: str = "") -> None:
    """Say what is being done from now on."""
    listener = _listener.get()
    if listener is not None:
        listener(what, amount)


class Bytes:
    """Tells of blobs that are on their way together."""

    def __init__(self, what: str, total: int) -> None:
        self._what, self._total = what, total
        self._come: dict[str, int] = {}
        self._told = 0.0
        tell(what, format_size(total))

    def __call__(self, digest: str, come: int, size: int) -> None:
        """So many bytes of a blob have come."""
        self._come[digest] = come
        if (now := time.monotonic()) - self._told >= _EVERY:
            self._told = now
            have = sum(self._come.values())
            tell(self._what, f"{format_size(have)} of {format_size(self._total)}")
