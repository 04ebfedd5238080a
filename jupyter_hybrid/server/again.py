"""A job once more: ``/jobs/{id}/rerun``, and what it would be before it is one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from .. import staging
from ..errors import HybridError, NotebookError, ParameterError, UsageError
from ..notebook_request import check_rerun, rerun_kernel, sent_notebook
from ..parameters import infer_parameters
from .answers import parameter_answer, sent_answer
from .base import Endpoint, endpoint
from .jobs import answer_submit
from .submissions import field_of, image_named, parameters_of, resources_of, variables_of

if TYPE_CHECKING:
    from ..config import Hybrid
    from ..job import Job


@dataclass(frozen=True)
class Again:
    """What shall be different this time."""

    parameters: Mapping[str, Any]
    #: Paths of files of then that stay here.
    exclude: tuple[str, ...] = ()
    #: Other fields of the spec.
    changes: Mapping[str, Any] = field(default_factory=dict)


def again(old: Job, body: Mapping[str, Any], config: Hybrid) -> Again:
    """What the body asks for; raises ``HybridError`` where that cannot be."""
    parameters = parameters_of(body)
    check_rerun(old, parameters, config, unchecked=body.get("unchecked", False))
    changes: dict[str, Any] = {key: body[key] for key in ("name", "target") if body.get(key)}
    target = config.target(changes.get("target", old.spec.target)).name
    if body.get("resources"):
        changes["resources"] = resources_of(body["resources"], old.spec.resources)
    if "image" in body:
        changes["image"] = image_named(body["image"], config)
    if "env_text" in body:
        changes["env"] = variables_of(body["env_text"])
    if "kernel" in body:
        image = changes.get("image", old.spec.image)
        changes |= rerun_kernel(old, body["kernel"] or None, config, target=target, image=image)
    return Again(parameters, tuple(body.get("exclude") or ()), changes)


class Rerun(Endpoint):
    """A job once more."""

    path = "/jobs/{id}/rerun"

    @endpoint("execute")
    async def post(self, job_id: str) -> None:
        """Submit what it executed, perhaps elsewhere and with other parameters."""
        old = await self.job(job_id)
        asked = again(old, self.body(), self.manager.config)
        await answer_submit(
            self,
            lambda key: self.manager.rerun(
                old.id, asked.parameters, asked.exclude, key, **asked.changes
            ),
        )


class InspectJob(Endpoint):
    """The parameters of what a job executed."""

    path = "/jobs/{id}/inspect"

    @endpoint("read")
    async def get(self, job_id: str) -> None:
        """Read the notebook as it was sent; what it was given then stands for its defaults."""
        job = await self.job(job_id)
        spec = job.spec
        note, known = "", None
        try:
            notebook = await asyncio.to_thread(sent_notebook, job, self.manager.config)
            known = infer_parameters(notebook)
        except NotebookError as error:
            note = str(error)
        given = dict(spec.parameters)
        answers = [parameter_answer(p) for p in known or ()]
        rows = [_given(row, given) for row in answers] + [_given(_bare(n), given) for n in [*given]]
        if not rows:
            note = note or "No cell is tagged 'parameters'."
        self.answer(
            {
                "path": self.service.workspace.below(spec.notebook_path) or spec.name,
                "name": spec.name,
                "source": "job",
                "unsaved": False,
                "kernel": spec.kernel,
                "language": spec.language,
                "parameters": rows or None,
                "note": note,
            }
        )


def _bare(name: str) -> dict[str, Any]:
    return {"name": name, "type": None, "default": "", "value": None, "accepts": None, "help": ""}


def _given(row: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """The parameter with what the job was given for it, which is taken out of ``given``."""
    if row["name"] not in given:
        return row
    value = given.pop(row["name"])
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return {**row, "value": value, "default": text}


class PreviewRerun(Endpoint):
    """What a rerun would send, and what would be wrong with it."""

    path = "/jobs/{id}/preview"

    @endpoint("execute")
    async def post(self, job_id: str) -> None:
        """Go the way of a rerun as far as nothing is sent."""
        old, body = await self.job(job_id), self.body()
        config = self.manager.config
        problems: list[dict[str, str]] = []
        preview = None
        try:
            try:
                asked = again(old, body, config)
            except ParameterError as error:
                # what would travel does not depend on them
                problems.append({"field": "parameters", "message": str(error)})
                asked = again(old, {**body, "parameters": {}, "parameter_texts": {}}, config)
            spec = replace(old.spec, **asked.changes)
            try:
                await self.manager.executor(spec.target).check(spec.resources)
            except HybridError as error:
                field_ = field_of(error) or ("resources" if isinstance(error, UsageError) else "")
                problems.append({"field": field_ or "target", "message": str(error)})
            bundle = await asyncio.to_thread(staging.read_bundle, old, config, asked.exclude)
            preview = {**sent_answer(bundle), "target": spec.target}
        except HybridError as error:
            problems.append({"field": field_of(error), "message": str(error)})
        self.answer({"problems": problems, "preview": preview})
