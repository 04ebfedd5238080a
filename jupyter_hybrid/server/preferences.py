"""``/preferences``: what was chosen last."""

from __future__ import annotations

from ..blocking import aside
from .base import Endpoint, endpoint


class PreferencesOf(Endpoint):
    """The choices for a notebook, or in general."""

    path = "/preferences"

    @endpoint("read")
    async def get(self) -> None:
        """Give out what was kept."""
        path = self.query().get("path")
        kept = await aside(self.service.preferences.get, await self._key(path))
        self.answer({"path": path, "preferences": kept})

    @endpoint("write")
    async def put(self) -> None:
        """Keep a choice."""
        body = self.body()
        path = body.get("path")
        await aside(self.service.preferences.put, await self._key(path), body["preferences"])
        self.answer({"path": path, "preferences": body["preferences"]})

    async def _key(self, path: str | None) -> str:
        """The file's own place: another server with another root means the same notebook."""
        if path is None:
            return ""
        clean = await self.service.workspace.clean(path)
        return str(self.service.workspace.local(clean) or clean)
