"""How often and how long a registry is asked again."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt

from ..errors import RegistryError


@dataclass(frozen=True)
class Patience:
    """When another attempt is made; ``Patience()`` is what users have."""

    attempts: int = 5
    #: Seconds before the second attempt, doubled for each one after it.
    first: float = 0.2
    #: Seconds at most between two attempts.
    longest: float = 10.0
    #: Seconds that a registry may ask us to wait; where it asks for more, the user is told.
    obedience: float = 60.0
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    def wait(self, state: RetryCallState) -> float:
        """Seconds before the next attempt."""
        error = state.outcome.exception() if state.outcome else None
        asked = error.context.get("retry_after") if isinstance(error, RegistryError) else None
        if asked is not None:
            return float(asked)
        # many clients that were refused at once must not come back at once
        pause: float = self.first * 2 ** (state.attempt_number - 1)
        return min(pause, self.longest) * random.uniform(0.75, 1.25)

    def again(self, error: BaseException) -> bool:
        """True where another attempt makes sense."""
        if not isinstance(error, RegistryError) or not error.transient:
            return False
        return bool((error.context.get("retry_after") or 0.0) <= self.obedience)

    def tries(self) -> AsyncRetrying:
        """The attempts, to be gone through with ``async for``; the last one's error is raised."""
        return AsyncRetrying(
            retry=retry_if_exception(self.again),
            stop=stop_after_attempt(self.attempts),
            wait=self.wait,
            sleep=self.sleep,
            reraise=True,
        )
