"""Bring a job's results here, render them, and say what was written."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import HybridError, UsageError
from ..job import Job
from ..sentences import one_line
from .terminal import Terminal

if TYPE_CHECKING:
    from ..manager import Manager
    from ..results import Fetched

#: Files named one by one; more are counted.
NAMED = 10


@dataclass
class Results:
    """What was brought and made."""

    fetched: Fetched | None = None
    rendered: list[str] = field(default_factory=list)
    #: What did not work, in sentences.
    problems: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """True where everything that was asked for is here."""
        return not self.problems and not (self.fetched and self.fetched.incomplete)

    def to_json(self) -> dict[str, Any]:
        """The keys that ``--json`` adds to the job."""
        return {
            "fetched": self.fetched.to_json() if self.fetched else None,
            "rendered": self.rendered,
            "problems": self.problems,
        }


def check_formats(formats: Sequence[str]) -> None:
    """Raise ``UsageError`` for a format that nbconvert does not have, before anything is sent."""
    if formats:
        from ..render import check_format

        for name in formats:
            check_format(name)


async def bring_results(
    manager: Manager, job: Job, options: Namespace, terminal: Terminal
) -> Results:
    """Fetch and render as the options say, and tell; problems are told and kept, not raised."""
    results = Results()
    wanted: dict[str, Any] = {}
    if options.output:
        wanted["output"] = Path(options.output).expanduser().absolute()
    if getattr(options, "into", None):
        wanted["into"] = Path(options.into).expanduser().absolute()
    try:
        results.fetched = await manager.fetch(job.id, **wanted)
    except HybridError as error:
        _problem(results, terminal, str(error))
        return results
    _tell(results.fetched, terminal)
    for name in options.to:
        await _render(results, name, options.no_input, terminal)
    return results


async def _render(results: Results, name: str, no_input: bool, terminal: Terminal) -> None:
    from ..render import render

    if results.fetched is None or results.fetched.notebook is None:
        return
    source = Path(results.fetched.notebook)
    try:
        path = await asyncio.to_thread(render, source, name, no_input=no_input)
    except HybridError as error:
        _problem(results, terminal, str(error))
        return
    results.rendered.append(str(path))
    _wrote(terminal, str(path))
    if path.stem != source.stem:
        kept = path.with_name(source.stem + path.suffix)
        terminal.say(f"  kept {shown_path(str(kept))}, which was there before")


def _problem(results: Results, terminal: Terminal, sentence: str) -> None:
    results.problems.append(sentence)
    terminal.complain(sentence)


def _tell(fetched: Fetched, terminal: Terminal) -> None:
    if fetched.notebook:
        _wrote(terminal, fetched.notebook)
    for path in fetched.files[:NAMED]:
        _wrote(terminal, path)
    if len(fetched.files) > NAMED:
        terminal.say(f"  and {len(fetched.files) - NAMED} more files")
    for kept, beside in fetched.conflicts:
        terminal.say(
            f"  kept {shown_path(kept)}, which changed here; the job's is {shown_path(beside)}"
        )
    for path in fetched.deleted:
        terminal.say(f"  kept {shown_path(path)}, which the job deleted")
    for sentence in fetched.left:
        terminal.say(f"  left behind: {one_line(sentence)}")


def _wrote(terminal: Terminal, path: str) -> None:
    terminal.say(f"  wrote {shown_path(path)}")


def shown_path(path: str) -> str:
    """The path as one would type it here."""
    try:
        path = str(Path(path).relative_to(Path.cwd()))
    except (ValueError, OSError):
        pass
    return one_line(path)


def require_ended(job: Job) -> None:
    """Raise ``UsageError`` where there are no results yet."""
    if not job.state.final:
        raise UsageError(
            f"job {job.id} is {job.state.value}; its results come when it has ended: "
            "'jupyter hybrid attach' waits for that"
        )
