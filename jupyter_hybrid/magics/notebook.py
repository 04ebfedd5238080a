"""``%remote run``: a whole notebook as a job, watched from a cell."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import blocking, staging
from ..cells.line import Parser, add_resources, resources
from ..display import CellDisplay
from ..errors import ParameterError
from ..events import Event, Kind
from ..job import Job, State
from ..notebook_request import notebook_request
from ..parameters.values import parse_value
from ..sentences import one_line
from ..units import format_duration
from .endings import failure
from .submitting import submitted, tell_detached
from .tables import notebook_preview_text, notes_text
from .watch import interruptible, let_go_if_interrupted, watch

if TYPE_CHECKING:
    from ..manager import Manager
    from ..results import Fetched


def run_parser() -> Parser:
    """The options of ``%remote run``."""
    parser = _RunParser("%remote run")
    parser.add_argument("notebook", metavar="NOTEBOOK", help="the notebook")
    parser.add_argument("--target", metavar="NAME", help="where; %%remote targets lists the names")
    parser.add_argument(
        "-p", dest="parameters", action="append", default=[], metavar="NAME=VALUE",
        help="set a parameter; -p NAME VALUE will do as well",
    )  # fmt: skip
    text = "file for the executed notebook (default: NAME.JOB.ipynb beside the notebook)"
    parser.add_argument("--output", type=Path, metavar="OUT.ipynb", help=text)
    add_resources(parser)
    return parser


class _RunParser(Parser):
    """Takes ``-p NAME VALUE`` as well, as it is written on the command line."""

    def parse_words(self, words: Sequence[str]) -> argparse.Namespace:
        """Parse the words; raises ``UsageError``."""
        joined: list[str] = []
        rest = iter(words)
        for word in rest:
            joined.append(word)
            if word == "-p":
                name = next(rest, None)
                value = next(rest, None) if name is not None and "=" not in name else None
                joined += [] if name is None else [name if value is None else f"{name}={value}"]
        return super().parse_words(joined)


def run_notebook(shell: Any, manager: Manager, words: argparse.Namespace) -> None:
    """Submit the notebook and, unless detached, wait for it and bring its results here."""
    request = notebook_request(
        Path(words.notebook).expanduser(),
        parameters=dict(map(_parameter, words.parameters)),
        target=words.target,
        resources=resources(words),
        image=words.image,
        kernel=words.kernel,
        here=manager.config.runs_here(words.target, words.image),
        name=words.name,
        files=tuple(words.files),
    )
    manager.executor(request.target)
    if words.dry_run:
        plan = blocking.run(manager.preview(request))
        preview = staging.preview(plan, manager.config)
        asked = blocking.run(manager.describe(request, plan))
        text = notebook_preview_text(request, plan, preview)
        sys.stdout.write(text + (asked and f"\n{asked}"))
        return
    job = submitted(manager, manager.submit(request))
    with let_go_if_interrupted(job):
        sys.stdout.write(notes_text(job.notes))
        if words.detach:
            tell_detached(job)
            return
        follow_notebook(shell, manager, job, output=words.output)


def _parameter(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise ParameterError(f"-p {text}: write -p name=value")
    return name, parse_value(value)


def follow_notebook(shell: Any, manager: Manager, job: Job, output: Path | None = None) -> None:
    """Show a notebook from its first output, then bring its results here or raise its error."""
    showing = _Showing(shell, job)
    try:
        job = watch(manager, job, showing.show)
    finally:
        showing.finish(job)
    with interruptible(f"job {job.id} has ended; %remote fetch {job.id} brings its results"):
        fetched = blocking.run(manager.fetch(job.id, output=output))
    record = job.exit
    taken = f" after {format_duration(record.seconds)}" if record and record.seconds else ""
    sys.stdout.write(
        f"{job.spec.target}: {job.state.value.lower()}{taken}\n{fetched_text(fetched)}"
    )
    sys.stdout.flush()
    if job.state is not State.COMPLETED:
        raise failure(job)


def fetched_text(fetched: Fetched) -> str:
    """What came back and where it is."""
    lines = []
    if fetched.notebook:
        lines.append(f"notebook: {fetched.notebook}")
    lines += [f"file: {path}" for path in fetched.files]
    lines += [
        f"{kept} was changed here meanwhile and is kept; the job's is {beside}"
        for kept, beside in fetched.conflicts
    ]
    lines += [f"left there: {text}" for text in fetched.left]
    return "".join(f"{one_line(line)}\n" for line in lines)


class _Showing:
    """A line that says which cell is being executed, and below it what the cells show.

    Where a cell clears its outputs, those of the cells before go too: here, all are one cell's.
    The executed notebook has them.
    """

    def __init__(self, shell: Any, job: Job) -> None:
        scope = f"{job.id}-{shell.execution_count}"
        self._display = CellDisplay(
            shell, cells=None, scope=scope, where_the_rest_is=f"%remote logs {job.id}"
        )
        self._publish = shell.display_pub.publish
        self._id = f"{scope}-progress"
        self._target = job.spec.target
        self._text = ""
        self._shown = False
        #: An error that is raised here, unless another cell follows.
        self._error: Mapping[str, Any] | None = None

    def show(self, item: Event | Job | None) -> None:
        """Rewrite the line where a cell begins; show what the cells show."""
        if item is None:
            self._display.flush()
        elif isinstance(item, Event):
            self._event(item)
        elif item.state is State.PENDING and item.reason:
            self._line(item.reason)

    def finish(self, job: Job) -> None:
        """Show what is left."""
        if job.state is State.COMPLETED:
            self._show_error()
        self._display.finish()

    def _event(self, event: Event) -> None:
        data = event.data
        if event.kind == Kind.CELL:
            self._show_error()
            self._line(f"cell {data.get('number')}/{data.get('total')}: {data.get('line', '')}")
            return
        if event.kind == Kind.OUTPUT:
            if not self._shown:
                self._line(self._text)
            output = data.get("output") or {}
            if output.get("output_type") == "error":
                self._error = output
        self._display.show(event)
        if event.kind == Kind.CLEAR:
            # the line is gone with the rest; it comes again above what comes next
            self._shown = False

    def _show_error(self) -> None:
        if self._error is not None:
            self._display.error(self._error)
            self._error = None

    def _line(self, text: str) -> None:
        self._publish(
            data={"text/plain": f"{self._target}: {one_line(text)}"},
            metadata={},
            transient={"display_id": self._id},
            update=self._shown,
        )
        self._text, self._shown = text, True
