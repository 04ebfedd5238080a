"""How often to ask: at once after news, less and less often without."""

from __future__ import annotations

import time


class Pace:
    """Pauses that grow from ``shortest`` to ``longest`` seconds, by a monotonic clock."""

    def __init__(self, shortest: float, longest: float) -> None:
        self._shortest, self._longest = shortest, longest
        #: Seconds until the next time.
        self.pause = shortest
        self._next = float("-inf")
        #: Why the last attempt failed; "" where it did not.
        self._trouble = ""
        self._since = 0.0

    def due(self) -> bool:
        """Whether the pause is over."""
        return time.monotonic() >= self._next

    def again(self, pause: float | None = None) -> None:
        """Due at once, and pauses are short again."""
        self.pause = self._shortest if pause is None else pause
        self._next = float("-inf")
        self._trouble = ""

    def failed(self, trouble: str) -> None:
        """The pause begins now, for this reason; the next one is twice as long."""
        if not self._trouble:
            self._since = time.monotonic()
        self._trouble = trouble
        self.later(2.0)

    def trouble(self, seconds: float) -> str:
        """Why each attempt failed for at least so long; "" where that is not so."""
        lasting = time.monotonic() - self._since >= seconds
        return self._trouble if lasting else ""

    def later(self, factor: float = 1.0, at_most: float | None = None) -> None:
        """The pause begins now; the next one is longer by this factor."""
        self._next = time.monotonic() + self.pause
        self.pause = min(self.pause * factor, self._longest if at_most is None else at_most)
