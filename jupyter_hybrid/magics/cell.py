"""``%%remote``: from the cell to its result."""

from __future__ import annotations

import shutil
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import blocking
from ..api import manager as this_manager
from ..cells import Prepared, prepare
from ..cells.line import cell_options, cell_parser, help_text
from ..cells.options import CellOptions, Surroundings
from ..cells.sources import cells_above
from ..display import CellDisplay
from ..errors import ResultError, UsageError
from ..events import Event
from ..housekeeping import STAGING
from ..job import Job, State
from ..kernels import require_python
from ..sentences import one_line
from .endings import (
    failure,
    files_text,
    missing_returns,
    not_python,
    receipt,
    take_files,
    take_variables,
    unreadable,
)
from .meanwhile import bindings, keep, kept_text, remembering, share, shared_text
from .submitting import submitted, tell_detached
from .tables import notes_text, preview_text
from .watch import interruptible, is_waiting, let_go_if_interrupted, watch
from .where import cell_id, notebook_path

if TYPE_CHECKING:
    from ..manager import Manager


def run_cell(shell: Any, line: str, source: str) -> None:
    """Run the cell as a job; shows its outputs, then sets its variables or raises its error."""
    parser = cell_parser()
    words = parser.parse_line(line)
    if words.help:
        sys.stdout.write(help_text(parser))
        return
    options = cell_options(words)
    if not source.strip():
        raise UsageError("%%remote: there is nothing below it; write the code to run there")
    manager = this_manager()
    manager.executor(options.target)
    if options.kernel and manager.config.runs_here(options.target, options.image):
        require_python(options.kernel)
    with interruptible("%%remote: interrupted; nothing was sent"), ExitStack() as staging:
        directory = _staging(manager)
        staging.callback(shutil.rmtree, directory, ignore_errors=True)
        place = surroundings(shell, line, source, options, manager)
        try:
            prepared = prepare(source, options, place, directory)
        except SyntaxError as error:
            raise not_python(error, shell.displayhook.prompt_count) from None
        if words.dry_run:
            plan = blocking.run(manager.preview(prepared.request))
            asked = blocking.run(manager.describe(prepared.request, plan))
            sys.stdout.write(preview_text(prepared, plan) + (asked and f"\n{asked}"))
            return
        # from here on it is the submit's
        staging.pop_all()
    names = [*(variable.name for variable in prepared.sent), *(options.returns or ())]
    was = bindings(shell.user_ns, source, names)
    with remembering(was, shell.user_ns, prepared.returning) as remember:
        submit = manager.submit(prepared.request)
        job = submitted(manager, submit, staged=directory, known=remember)
        with let_go_if_interrupted(job):
            _tell_stayed(prepared)
            sys.stdout.write(notes_text(job.notes))
            if words.detach:
                tell_detached(job)
                return
            follow_cell(shell, manager, job, asked=options.returns or ())


def surroundings(
    shell: Any, line: str, source: str, options: CellOptions, manager: Manager
) -> Surroundings:
    """Where the cell stands in this kernel."""
    path, identity = notebook_path(shell), cell_id(shell)
    context: tuple[str, ...] = ()
    if options.replay:
        whole = f"%%remote {line}\n{source}"
        history = shell.history_manager.input_hist_raw[1:-1]
        context = cells_above(path, identity, whole, history)
    return Surroundings(
        namespace=shell.user_ns,
        hidden=shell.user_ns_hidden,
        transform=shell.transform_cell,
        line=f"%%remote {line}".strip(),
        number=shell.displayhook.prompt_count,
        futures=_futures(shell),
        notebook_path=path,
        cell_id=identity,
        directory=Path.cwd(),
        context=context,
        limit=manager.config.max_result_size,
        here=manager.config.runs_here(options.target, options.image),
    )


def _futures(shell: Any) -> tuple[str, ...]:
    import __future__

    found = []
    for name in __future__.all_feature_names:
        feature = getattr(__future__, name)
        # what every Python has by now is not worth a line
        pending = feature.mandatory is None or feature.mandatory >= (3, 8)
        if pending and feature.compiler_flag & shell.compile.flags:
            found.append(name)
    return tuple(found)


def _staging(manager: Manager) -> Path:
    """A new directory on the disk of the jobs, so that moving it costs nothing."""
    parent = manager.config.home / STAGING
    parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return Path(tempfile.mkdtemp(dir=parent))


def _tell_stayed(prepared: Prepared) -> None:
    for variable in prepared.stayed:
        sys.stdout.write(f"{variable.name} was not sent: {variable.note}\n")


def follow_cell(shell: Any, manager: Manager, job: Job, asked: tuple[str, ...] = ()) -> None:
    """Show a cell's job from its first output, then set its variables or raise its error."""
    display = CellDisplay(
        shell,
        cells=frozenset(job.spec.shown_cells),
        scope=f"{job.id}-{shell.execution_count}",
        where_the_rest_is=f"%remote logs {job.id}",
    )
    told = ""

    def show(item: Event | Job | None) -> None:
        nonlocal told
        if isinstance(item, Event):
            display.show(item)
        elif item is None:
            display.flush()
        elif is_waiting(item) and item.reason != told:
            told = item.reason
            sys.stdout.write(f"{item.spec.target}: {one_line(told)}\n")
            sys.stdout.flush()

    try:
        job = watch(manager, job, show)
    finally:
        display.finish()
    finish_cell(shell, manager, job, asked)


def finish_cell(shell: Any, manager: Manager, job: Job, asked: tuple[str, ...]) -> None:
    """Set the variables of an ended job and say so; raises its error if it has one."""
    with interruptible(f"job {job.id} has ended; %remote attach {job.id} brings its results"):
        _take(shell, manager, job, asked)
    if job.state is not State.COMPLETED:
        raise failure(job)


def _take(shell: Any, manager: Manager, job: Job, asked: tuple[str, ...]) -> None:
    before, kept = dict(shell.user_ns), dict[str, str]()
    also = ""
    try:
        loaded, kept = keep(job, before, shell.user_ns, take_variables(manager, job, shell.user_ns))
        also = shared_text(share(loaded, before, shell.user_ns))
    except ResultError as error:
        if job.state is State.COMPLETED:
            raise
        loaded = unreadable(error)
    if job.state is State.COMPLETED:
        loaded = missing_returns(job, loaded, [name for name in asked if name not in kept])
    said = f"{receipt(job, loaded, shell.user_ns)}{also}{kept_text(kept)}"
    sys.stdout.write(f"{said}{files_text(take_files(manager, job))}\n")
    sys.stdout.flush()
