"""``/about``, ``/targets``, ``/durations`` and ``/offers``."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Any

from .._version import __version__
from ..blocking import aside
from ..config import price_of
from ..documents import offer_document
from ..errors import HybridError
from ..expecting import expected
from ..spec import Resources
from .base import Endpoint, endpoint
from .contract import DOCUMENT
from .news import JOB, PROGRESS, TARGET, trouble_of
from .submissions import resources_of


class About(Endpoint):
    """This extension."""

    path = "/about"

    @endpoint("read")
    async def get(self) -> None:
        """Say which version this is, and what a front end should know of the server."""
        self.answer(
            {
                "version": __version__,
                "contents": {"files": self.service.workspace.files},
                "events": {"job": JOB, "progress": PROGRESS, "target": TARGET},
            }
        )


class OpenApi(Endpoint):
    """The document that the handlers keep to."""

    path = "/openapi.yaml"

    @endpoint("read")
    async def get(self) -> None:
        """Give it out as it is."""
        self.finish(DOCUMENT.read_bytes(), set_content_type="application/yaml")


class Targets(Endpoint):
    """The configured places."""

    path = "/targets"

    @endpoint("read")
    async def get(self) -> None:
        """List them; no place is asked."""
        config = self.manager.config
        rows = [
            {
                "name": name,
                # one that is configured wrongly is there as well: its offers say what is wrong
                "executor": str(options.get("executor", "")),
                "default": name == config.default_target,
                "price": price_of(options),
                "trouble": trouble_of(self.manager, name) or None,
            }
            for name, options in config.target_options().items()
        ]
        self.answer({"targets": sorted(rows, key=lambda row: (not row["default"], row["name"]))})


class Durations(Endpoint):
    """How long a notebook runs."""

    path = "/durations"

    @endpoint("read")
    async def get(self) -> None:
        """By what its earlier jobs took; no place is asked."""
        workspace = self.service.workspace
        local = workspace.local(await workspace.clean(self.query()["path"]))
        found = []
        if local is not None:
            found = await aside(expected, self.manager.store, str(local))
        self.answer({"durations": [asdict(one) for one in found]})


class Offers(Endpoint):
    """What targets can give now."""

    path = "/offers"

    @endpoint("read")
    async def get(self) -> None:
        """Ask one target, or all of them at the same time."""
        query = self.query()
        name = query.pop("target", None)
        resources = resources_of(query)
        names = [name] if name else list(self.manager.config.target_options())
        if name:
            self.manager.config.target(name)
        found = await asyncio.gather(*(self._ask(target, resources) for target in names))
        self.answer(
            {
                "offers": [offer for offers, _ in found for offer in offers],
                "problems": [problem for _, problem in found if problem],
            }
        )

    async def _ask(
        self, target: str, resources: Resources
    ) -> tuple[list[dict[str, Any]], dict[str, str] | None]:
        try:
            offers = await self.manager.executor(target).offers(resources)
        except HybridError as error:
            return [], {"target": target, "message": str(error)}
        return [offer_document(offer) for offer in offers], None
