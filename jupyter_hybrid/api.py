"""The Python interface: ``jupyter_hybrid.submit(...)`` and the job it gives back.

    >>> job = jupyter_hybrid.submit("train.ipynb", target="dgx", parameters={"epochs": 3})
    >>> job.result()["cells"]          # doctest: +SKIP

Methods block; the same names with ``_async`` do not. ``events`` is for ``async for``.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import blocking
from .blocking import within
from .config import price_of
from .errors import JobFailed
from .events import Event, Kind
from .job import Job as Record
from .job import State
from .manager import Manager
from .spec import Resources

if TYPE_CHECKING:
    from .results import Fetched


@lru_cache(maxsize=1)
def manager() -> Manager:
    """This process's manager."""
    return Manager.default()


def cost(manager_: Manager, record: Record) -> float | None:
    """What a job has cost so far; None where no price is configured, or not any more."""
    price = price_of(manager_.config.target_options().get(record.spec.target, {}))
    seconds = record.lasted(time.time())
    return None if price is None or seconds is None else price * seconds / 3600


class Job:
    """A job that was submitted. Another process gets the same with ``Job(id)``."""

    def __init__(self, job_id: str, manager_: Manager | None = None) -> None:
        self._manager = manager_ or manager()
        self._record = self._manager.get(job_id)

    def __repr__(self) -> str:
        return f"<Job {self.id} {self._record.spec.name!r} {self._record.state.value}>"

    @property
    def id(self) -> str:
        """The job's id."""
        return self._record.id

    @property
    def record(self) -> Record:
        """The job's record as last seen."""
        return self._record

    @property
    def notes(self) -> tuple[str, ...]:
        """What was noticed at the submit: files that do not travel, and why."""
        return self._record.notes

    @property
    def state(self) -> State:
        """Where the job stands now; asks the place."""
        return blocking.run(self.state_async())

    async def state_async(self) -> State:
        """Where the job stands now; asks the place."""
        self._record = await self._manager.status(self.id)
        return self._record.state

    @property
    def cost(self) -> float | None:
        """What the job has cost so far, in the site's currency; None where no price is configured.

        The target's ``price`` per hour times the time from start to end.
        """
        self._record = self._manager.get(self.id)
        return cost(self._manager, self._record)

    def wait(self, timeout: float | None = None) -> State:
        """Block until the job has ended; raises ``TimeoutError`` after ``timeout`` seconds."""
        return blocking.run(self.wait_async(timeout))

    async def wait_async(self, timeout: float | None = None) -> State:
        """Wait until the job has ended; raises ``TimeoutError`` after ``timeout`` seconds."""
        try:
            await within(timeout, self._drain())
        # Python 3.10 has a class of its own for it
        except asyncio.TimeoutError:
            state = self._record.state.value
            raise TimeoutError(f"job {self.id} is {state} after {timeout:g} seconds") from None
        return self._record.state

    async def _drain(self) -> None:
        async for item in self._manager.follow(self.id):
            if isinstance(item, Record):
                self._record = item

    def result(self, timeout: float | None = None) -> dict[str, Any]:
        """Wait for the job and return its executed notebook (nbformat 4 JSON).

        Raises ``JobFailed`` with the job's own sentence where it did not complete; ``outputs()``
        and ``fetch()`` still have everything up to that point.
        """
        return blocking.run(self.result_async(timeout))

    async def result_async(self, timeout: float | None = None) -> dict[str, Any]:
        """``result``, without blocking."""
        await self.wait_async(timeout)
        if self._record.state is not State.COMPLETED:
            raise JobFailed(
                f"job {self.id} is {self._record.state.value}: {self._record.reason}",
                job=self._record,
            )
        return await self._manager.notebook(self.id)

    def outputs(self) -> dict[str, list[dict[str, Any]]]:
        """Outputs so far, by cell id, as nbformat outputs; of a running job too."""
        return blocking.run(self.outputs_async())

    async def outputs_async(self) -> dict[str, list[dict[str, Any]]]:
        """``outputs``, without blocking."""
        notebook = await self._manager.notebook(self.id)
        return {
            cell["id"]: [joined(output) for output in cell.get("outputs", [])]
            for cell in notebook["cells"]
            if cell["cell_type"] == "code"
        }

    def logs(self) -> str:
        """All text that the job's cells have printed so far."""
        return blocking.run(self.logs_async())

    async def logs_async(self) -> str:
        """``logs``, without blocking."""
        parts = []
        for outputs in (await self.outputs_async()).values():
            parts += [o["text"] for o in outputs if o["output_type"] == "stream"]
        return "".join(parts)

    def events(self, after: int = 0) -> AsyncIterator[Event]:
        """Events behind number ``after``, from the beginning and then live."""
        return self._manager.events(self.id, after)

    def cancel(self, *, force: bool = False) -> None:
        """Ask the job to end, saving what there is; with ``force`` at once."""
        blocking.run(self.cancel_async(force=force))

    async def cancel_async(self, *, force: bool = False) -> None:
        """``cancel``, without blocking."""
        self._record = await self._manager.cancel(self.id, force=force)

    def fetch(self, **options: Any) -> Fetched:
        """Bring the ended job's notebook and files into the workspace.

        Options: ``output`` (the executed notebook's path), ``into`` (the directory for files),
        ``notebook`` and ``files`` (False leaves them there). Nothing that was changed here since
        the submit is overwritten.
        """
        return blocking.run(self.fetch_async(**options))

    async def fetch_async(self, **options: Any) -> Fetched:
        """``fetch``, without blocking."""
        return await self._manager.fetch(self.id, **options)


def joined(output: dict[str, Any]) -> dict[str, Any]:
    """The output with whole texts, which notebook files may keep as lists of lines."""
    if _is_text(output.get("text")):
        return {**output, "text": "".join(output["text"])}
    if isinstance(output.get("data"), dict):
        data = {k: "".join(v) if _is_text(v) else v for k, v in output["data"].items()}
        return {**output, "data": data}
    return output


def _is_text(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(line, str) for line in value)


def submit(notebook: str | Path, **options: Any) -> Job:
    """Submit a notebook as a job; returns as soon as its place has accepted it.

    Options: ``target``, ``parameters`` (a mapping, validated against the notebook's ``parameters``
    cell), ``resources`` (``Resources``), ``name``, ``files`` (globs), ``kernel``, ``image`` and
    ``env``.
    Raises ``UsageError`` where the request cannot be carried out, before anything is sent.
    """
    return blocking.run(submit_async(notebook, **options))


async def submit_async(
    notebook: str | Path,
    *,
    target: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    resources: Resources | None = None,
    **options: Any,
) -> Job:
    """``submit``, without blocking."""
    from .notebook_request import notebook_request

    request = notebook_request(
        Path(notebook),
        target=target,
        parameters=parameters or {},
        resources=resources or Resources(),
        here=manager().config.runs_here(target, options.get("image")),
        **options,
    )
    job = await manager().submit(request)
    return Job(job.id)


__all__ = ["Job", "Kind", "Resources", "State", "manager", "submit", "submit_async"]
