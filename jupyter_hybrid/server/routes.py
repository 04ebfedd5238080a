"""Which handler serves which path."""

from __future__ import annotations

import re
from typing import Any

from . import again, jobs, places, preferences, results, streams, submitting
from .base import Endpoint
from .service import Service

HANDLERS: tuple[type[Endpoint], ...] = (
    places.About,
    places.OpenApi,
    places.Targets,
    places.Durations,
    places.Offers,
    submitting.Inspect,
    submitting.EnvironmentOf,
    submitting.PreviewSubmit,
    jobs.Jobs,
    jobs.OneJob,
    jobs.Cancel,
    again.Rerun,
    again.InspectJob,
    again.PreviewRerun,
    streams.Events,
    streams.Log,
    streams.Notebook,
    results.Needs,
    results.Sent,
    results.Results,
    results.Download,
    results.Fetch,
    preferences.PreferencesOf,
)
#: What a part of a path may be; a file's path has slashes in it.
_PARTS = {"id": "([^/]+)", "file": "(.+)"}


def routes(prefix: str, service: Service) -> list[tuple[str, type[Endpoint], dict[str, Any]]]:
    """Routes as tornado takes them, below this prefix."""
    return [(prefix + pattern(h.path), h, {"service": service}) for h in HANDLERS]


def pattern(path: str) -> str:
    """The regular expression for a path of the OpenAPI document."""
    parts = re.split(r"\{(\w+)\}", path)
    fixed = [re.escape(part) if i % 2 == 0 else _PARTS[part] for i, part in enumerate(parts)]
    return "".join(fixed)
