"""How long a job has run, whatever is done to the clock meanwhile. Standard library only."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Optional

if TYPE_CHECKING:
    from ..spec import ExitRecord


class Clock:
    """When the job began, by the clock on the wall and by one that never jumps."""

    def __init__(self) -> None:
        self.wall, self._monotonic = time.time(), time.monotonic()

    def seconds(self) -> float:
        """Seconds since the job began, whatever was done to the clock meanwhile."""
        return time.monotonic() - self._monotonic

    def finish(self, record: ExitRecord, peak_memory: Optional[int] = None) -> ExitRecord:
        """The record with its times."""
        seconds = self.seconds()
        return replace(
            record,
            started_at=self.wall,
            finished_at=self.wall + seconds,
            seconds=round(seconds, 4),
            peak_memory=record.peak_memory if peak_memory is None else peak_memory,
        )
