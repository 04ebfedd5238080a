"""A job's progress on the command line, live on a terminal and plain elsewhere."""

from __future__ import annotations

from typing import Protocol

from ..events import Event
from ..job import Job


class Progress(Protocol):
    """Shows a job as it goes on."""

    def take(self, item: Event | Job) -> None:
        """Show one thing that happened, or the job's record as it is now."""

    def wait(self) -> None:
        """Nothing happened for a moment: say what the job waits for."""

    def close(self) -> None:
        """Show what is left, and leave the terminal as it was."""


__all__ = ["Progress"]
