"""``/inspect``, ``/environment`` and ``/preview``: what a submit would do, before it is one."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from .. import staging
from ..admission import environment_of
from ..comparing import compare
from ..documents import preview_document
from ..errors import HybridError, ParameterError, UsageError
from ..parameters import infer_parameters
from ..spec import JobSpec
from .answers import comparison_answer, parameter_answer, preview_answer
from .base import Endpoint, endpoint
from .submissions import field_of, notebook_of, request_of

if TYPE_CHECKING:
    from ..request import Request

#: What reading a notebook needs besides.
READ = ("read", "contents")


class Inspect(Endpoint):
    """A notebook's parameters."""

    path = "/inspect"

    @endpoint("read", READ)
    async def post(self) -> None:
        """Read the notebook, saved or as it is on screen."""
        body = self.body()
        notebook, screen, unsaved = await notebook_of(self.service, body)
        path = await self.service.workspace.clean(body["path"])
        known = infer_parameters(notebook)
        note = ""
        if known is None and notebook.tagged("parameters"):
            note = f"Parameters of {notebook.language} notebooks cannot be listed."
        elif known is None:
            note = "No cell is tagged 'parameters'."
        self.answer(
            {
                "path": path,
                "name": PurePosixPath(path).stem,
                "source": "screen" if screen else "disk",
                "unsaved": unsaved,
                "kernel": notebook.kernel,
                "language": notebook.language,
                "parameters": None if known is None else [parameter_answer(p) for p in known],
                "note": note,
            }
        )


class EnvironmentOf(Endpoint):
    """What the job's image has of what the notebook needs."""

    path = "/environment"

    @endpoint("execute", READ)
    async def post(self) -> None:
        """Compare them as far as that is possible without bringing anything."""
        body = self.body()
        notebook, _, _ = await notebook_of(self.service, body)
        # which packages it needs does not depend on its parameters
        body = {**body, "parameters": {}, "parameter_texts": {}}
        request = request_of(self.service, notebook, body)
        executor = self.manager.executor(request.target)
        spec = JobSpec(
            name=request.name,
            target=executor.target.name,
            kind=request.kind,
            language=request.language,
            image=staging.image_of(request, self.manager.config),
        )
        needs, resolve = partial(environment_of, request), self.query()["resolve"]
        found = await compare(executor, spec, needs, resolve=resolve)
        self.answer({"environment": comparison_answer(found)})


class PreviewSubmit(Endpoint):
    """What a submit would send, and what would be wrong with it."""

    path = "/preview"

    @endpoint("execute", READ)
    async def post(self) -> None:
        """Go the way of a submit as far as nothing is sent."""
        body = self.body()
        problems: list[dict[str, str]] = []
        preview = None
        try:
            request = await self._request(body, problems)
            try:
                await self.manager.executor(request.target).offers(request.resources)
            except HybridError as error:
                field = field_of(error) or ("resources" if isinstance(error, UsageError) else "")
                problems.append({"field": field or "target", "message": str(error)})
            preview = await self._preview(request)
        except HybridError as error:
            problems.append({"field": field_of(error), "message": str(error)})
        self.answer({"problems": problems, "preview": preview})

    async def _request(self, body: Mapping[str, Any], problems: list[dict[str, str]]) -> Request:
        notebook, _, _ = await notebook_of(self.service, body)
        try:
            return request_of(self.service, notebook, body)
        except ParameterError as error:
            # what would travel does not depend on them
            problems.append({"field": "parameters", "message": str(error)})
            return request_of(
                self.service, notebook, {**body, "parameters": {}, "parameter_texts": {}}
            )

    async def _preview(self, request: Request) -> dict[str, Any]:
        config = self.manager.config
        plan = await self.manager.preview(request)
        preview = await asyncio.to_thread(staging.preview, plan, config)
        document = preview_document(request, plan, preview)
        return {**preview_answer(document), "target": config.target(request.target).name}
