"""What the handlers share: made once, when the server starts."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Callable, MutableMapping
from datetime import datetime
from pathlib import Path
from typing import Any

from ..job import Job
from ..manager import Manager
from ..store import Preferences
from .activity import Activity
from .news import News
from .once import Once
from .reading import Reader
from .workspace import Workspace


class Service:
    """The manager of this server's user, and what is kept between requests."""

    def __init__(self, contents: Any, announce: Callable[[str, Any], None]) -> None:
        self.workspace = Workspace(contents)
        self.news = News(lambda: self.manager, announce)
        self.reader = Reader()
        #: Submits by their ``Idempotency-Key``.
        self.submits: Once[Job] = Once()
        self._manager: Manager | None = None
        self._empty: Path | None = None
        self._looking: list[asyncio.Task[None]] = []

    @property
    def manager(self) -> Manager:
        """Made at its first use: a broken configuration is told to whoever asks for jobs.

        Raises ``ConfigError``.
        """
        if self._manager is None:
            self._manager = Manager.default()
        return self._manager

    @property
    def preferences(self) -> Preferences:
        """What was chosen last."""
        return Preferences(self.manager.config.home)

    def empty(self) -> Path:
        """A directory without files: the folder of notebooks whose contents are no files."""
        # (what nobody has used for days is tidied out of /tmp while a server runs)
        if self._empty is None or not self._empty.is_dir():
            self._empty = Path(tempfile.mkdtemp(prefix="jupyter-hybrid-"))
        return self._empty

    def begin(self, times: MutableMapping[str, datetime]) -> None:
        """Look after the jobs from now on, and note in ``times`` when there was work."""
        if not self._looking:
            activity = Activity(times, lambda: self.manager)
            self._looking = [
                asyncio.create_task(work) for work in (self.news.run(), activity.run())
            ]

    async def close(self) -> None:
        """End what runs for as long as the server does, and remove what was made for it."""
        for task in self._looking:
            task.cancel()
        if self._looking:
            await asyncio.wait(self._looking)
        if self._empty is not None:
            shutil.rmtree(self._empty, ignore_errors=True)
