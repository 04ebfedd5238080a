"""A request that is repeated because its answer was lost is carried out once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")

#: Seconds for which a key is remembered.
REMEMBERED = 3600.0


class Once(Generic[T]):
    """Results by key. What failed is forgotten, and may be tried again."""

    def __init__(self) -> None:
        self._begun: dict[str, tuple[float, asyncio.Future[T]]] = {}

    async def do(self, key: str | None, action: Callable[[], Awaitable[T]]) -> T:
        """The result of the action, or of the one that was begun with the same key before.

        The action goes on where whoever waits for it is cancelled.
        """
        now = time.monotonic()
        self._begun = {k: v for k, v in self._begun.items() if now - v[0] < REMEMBERED}
        known = self._begun.get(key) if key else None
        future = known[1] if known else asyncio.ensure_future(action())
        if key:
            self._begun[key] = (now, future)
        try:
            return await asyncio.shield(future)
        except BaseException:
            if key and future.done():
                self._begun.pop(key, None)
            raise
