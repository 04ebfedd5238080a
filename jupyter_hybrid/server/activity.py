"""A server whose jobs run, or whose GPUs work, is not idle: what cullers look at says so.

Jupyter Server's last activity is the newest of ``last_activity_times``; JupyterHub's single-user
server reports it to the hub, and whatever ends idle servers goes by that.
"""

from __future__ import annotations

import asyncio
import datetime
import logging
import os
from collections.abc import Callable, MutableMapping

from ..blocking import aside
from ..errors import HybridError
from ..executors.hardware import gpus_work
from ..manager import Manager

log = logging.getLogger(__name__)

NAME = "jupyter_hybrid"
#: Seconds between two looks; a hub is told every five minutes, if its administrator does not say
#: otherwise by this variable.
EVERY, TOLD = 60.0, "JUPYTERHUB_ACTIVITY_INTERVAL"


def interval() -> float:
    """Seconds between two looks: not more than between two times that the hub is told."""
    told = os.environ.get(TOLD, "")
    return min(EVERY, max(1.0, float(told))) if told.isdigit() else EVERY


class Activity:
    """Notes the time for as long as work is under way."""

    def __init__(
        self,
        times: MutableMapping[str, datetime.datetime],
        manager: Callable[[], Manager],
        gpus: Callable[[], bool] = gpus_work,
    ) -> None:
        self._times, self._manager, self._gpus = times, manager, gpus

    async def run(self) -> None:
        """Look again and again."""
        while True:
            await self.look()
            await asyncio.sleep(interval())

    async def look(self) -> None:
        """Note the time where a job is under way or a GPU works."""
        if await aside(self._busy):
            self._times[NAME] = datetime.datetime.now(datetime.timezone.utc)

    def _busy(self) -> bool:
        try:
            manager = self._manager()
            targets = manager.config.target_options()
            # of a target that is not configured any more nobody will hear
            waiting = any(job.spec.target in targets for job in manager.store.unfinished())
        except HybridError as error:
            # told to whoever asks for jobs
            log.debug("jobs are not looked at: %s", error)
            waiting = False
        return waiting or self._gpus()
