"""The extension as Jupyter Server loads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jupyter_server.extension.application import ExtensionApp
from tornado.ioloop import IOLoop

from .routes import routes
from .service import Service

#: Below the server's base URL.
PREFIX = "/jupyter-hybrid/api"
EVENTS = Path(__file__).with_name("events")


class HybridApp(ExtensionApp):
    """Jobs over REST, their news on the event bus, and their records kept true meanwhile."""

    name = "jupyter_hybrid"

    def initialize_settings(self) -> None:
        """Register the events' schemas and make what the handlers share."""
        assert self.serverapp is not None
        logger: Any = self.serverapp.event_logger
        for schema in sorted(EVENTS.glob("*.yaml")):
            logger.register_event_schema(schema)

        def announce(schema_id: str, data: dict[str, Any]) -> None:
            logger.emit(schema_id=schema_id, data=data)

        self.service = Service(self.serverapp.contents_manager, announce)

    def initialize_handlers(self) -> None:
        """Serve every path of the OpenAPI document, and look after jobs once the loop runs."""
        self.handlers.extend(routes(PREFIX, self.service))
        assert self.serverapp is not None
        times = self.serverapp.web_app.settings["last_activity_times"]
        IOLoop.current().add_callback(self.service.begin, times)

    async def stop_extension(self) -> None:
        """Stop looking after jobs; they run on, and whoever comes next finds them."""
        await self.service.close()
