"""Results of jobs in the site's object store: brought here, and taken away there.

The store's client runs in a process of its own (``runner.depot``); nothing of it is imported here.
"""

from __future__ import annotations

import asyncio
import subprocess
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ...errors import ConfigError, PlaceError
from ...job import Job
from ...runner import depot
from .collecting import unpack
from .settings import Settings, clients, results_place


class Depot:
    """The store of one target, if its site has one."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        #: Whether there is one.
        self.there = settings.results is not None

    def check(self) -> None:
        """Raise ``ConfigError`` where results could not be fetched from here."""
        if self.there:
            for name in clients(str(self._settings.results)):
                if find_spec(name.replace("-", "_")) is None:
                    raise ConfigError(
                        f"jobs leave their results at {self._settings.results}, from where they "
                        f"cannot be fetched without {name}; pip install {name}"
                    )

    async def bring(self, job: Job) -> bool:
        """Have the job's results in its directory here; whether there were any.

        Raises ``PlaceError`` where the store does not answer or the tar is not whole.
        """
        here = Path(job.directory)
        return await asyncio.to_thread(self._run, "get", job, lambda stream: unpack(stream, here))

    async def remove(self, job: Job) -> None:
        """Take the job's results away there; none there are none."""
        if self.there:
            await asyncio.to_thread(self._run, "remove", job)

    def _run(self, verb: str, job: Job, take: Callable[[Any], None] | None = None) -> bool:
        words = depot.command(verb, results_place(self._settings, job.id))
        broken: PlaceError | None = None
        with tempfile.TemporaryFile() as complaints:
            with subprocess.Popen(
                words,
                env=depot.environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=complaints,
            ) as process:
                stdout: Any = process.stdout
                # (where there is nothing, nothing is said at all)
                if take is not None and stdout.peek(1):
                    try:
                        take(stdout)
                    except PlaceError as error:
                        # whoever sent it knows better
                        broken = error
            if process.returncode not in (0, depot.NONE):
                complaints.seek(0)
                said = depot.last_words(complaints.read(), process.returncode)
                where = self._settings.results
                raise PlaceError(f"the store of results at {where}: {said}", transient=True)
        if broken is not None:
            raise broken
        return process.returncode == 0
