"""A request that is repeated while the first one is answered is carried out once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Once(Generic[T]):
    """Actions that are under way, by key. What they have made must say itself that it is there."""

    def __init__(self) -> None:
        self._begun: dict[str, asyncio.Future[T]] = {}

    async def do(self, key: str | None, action: Callable[[], Awaitable[T]]) -> T:
        """The result of the action, or of the one with the same key that is under way.

        The action goes on where whoever waits for it is cancelled.
        """
        future = self._begun.get(key) if key else None
        if future is None:
            future = asyncio.ensure_future(action())
            if key:
                self._begun[key] = future
                future.add_done_callback(lambda _: self._begun.pop(key))
        return await asyncio.shield(future)
