"""What takes long before there is a job, in the cell: one line that changes."""

from __future__ import annotations

import concurrent.futures
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future

T = TypeVar("T")

#: Seconds between two changes of the line.
_EVERY = 0.5


class Told:
    """Hears in whatever thread, and shows in the one that runs the cell."""

    def __init__(self) -> None:
        self._heard = self._shown = ""
        self._handle: Any = None

    def __call__(self, what: str, amount: str) -> None:
        """What is being done, and how far it is."""
        self._heard = f"{what}: {amount}" if amount else what

    def result(self, future: Future[T]) -> T:
        """The future's result; meanwhile the line is shown."""
        while True:
            try:
                return future.result(timeout=_EVERY)
            except (concurrent.futures.TimeoutError, TimeoutError):
                if future.done():
                    # its own time-out, or what came just as the waiting ended
                    return future.result()
                self._show()

    def _show(self) -> None:
        if self._heard == self._shown:
            return
        from IPython.display import display

        self._shown = self._heard
        data = {"text/plain": self._shown}
        if self._handle is None:
            self._handle = display(data, raw=True, display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._handle.update(data, raw=True)
