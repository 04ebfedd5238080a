"""``run``, ``rerun`` and ``attach``: a job from its submit to its results."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..documents import job_document, parameter_document
from ..errors import UsageError
from ..job import Job, State
from ..sentences import harmless, one_line
from ..units import format_duration
from .dry_run import dry_run
from .interrupts import Interrupts
from .naming import short_id
from .requests import check_output, fill_in, make_request, read_parameters
from .results import bring_results, check_formats
from .telling import telling
from .terminal import Terminal
from .watching import Detached, Watch, submitted, unless_interrupted

if TYPE_CHECKING:
    from ..manager import Manager
    from ..progress import Progress
    from ..request import Request


def run(options: Namespace, terminal: Terminal) -> int:
    """Submit notebooks, show them, and bring their results back."""
    if options.help_notebook:
        return _help_notebook(options, terminal)
    check_formats(options.to)
    from ..manager import Manager

    manager = Manager.default()
    here = manager.config.runs_here(options.target, options.image)
    if len(options.notebooks) > 1 or options.sweep:
        from .several import run_several

        return run_several(manager, options, terminal, here=here)
    request = make_request(options.notebooks[0], options, here=here)
    if options.output:
        options.output = fill_in(options.output, request.parameters)
    if options.dry_run:
        return dry_run(manager, [request], options, terminal)
    return asyncio.run(_run(manager, request, options, terminal))


def attach(options: Namespace, terminal: Terminal) -> int:
    """Show a job from its beginning, live until it ends, and bring its results back."""
    from ..manager import Manager

    check_formats(options.to)
    manager = Manager.default()
    job = manager.get(options.job)
    check_output(options.output, _notebook_of(job))
    return asyncio.run(_attach(manager, job, options, terminal))


def rerun(options: Namespace, terminal: Terminal) -> int:
    """Submit an earlier job once more, with its files of then and other parameters if given."""
    from ..manager import Manager
    from ..notebook_request import check_rerun

    check_formats(options.to)
    parameters = read_parameters(options)
    manager = Manager.default()
    job = manager.get(options.job)
    check_output(options.output, _notebook_of(job))
    check_rerun(job, parameters, manager.config, unchecked=options.unchecked)
    return asyncio.run(_rerun(manager, job, parameters, options, terminal))


async def _run(manager: Manager, request: Request, options: Namespace, terminal: Terminal) -> int:
    with Interrupts().heard() as interrupts:
        with telling(terminal, quiet=options.quiet):
            job = await submitted(manager.submit(request), interrupts)
        return await _after_submit(manager, job, options, terminal, interrupts)


async def _rerun(
    manager: Manager, old: Job, parameters: dict[str, Any], options: Namespace, terminal: Terminal
) -> int:
    with Interrupts().heard() as interrupts:
        with telling(terminal, quiet=options.quiet):
            job = await submitted(manager.rerun(old.id, parameters), interrupts)
        return await _after_submit(manager, job, options, terminal, interrupts)


async def _attach(manager: Manager, job: Job, options: Namespace, terminal: Terminal) -> int:
    with Interrupts().heard() as interrupts:
        return await _watch(manager, job, options, terminal, interrupts)


async def _after_submit(
    manager: Manager, job: Job, options: Namespace, terminal: Terminal, interrupts: Interrupts
) -> int:
    for note in job.notes:
        say_note(note, terminal)
    if options.detach:
        if options.json:
            terminal.document(job_document(job))
        else:
            terminal.write(f"{job.id}\n")
            terminal.say(f"'jupyter hybrid attach {short_id(job)}' shows the job")
        return 0
    return await _watch(manager, job, options, terminal, interrupts)


def say_note(note: str, terminal: Terminal) -> None:
    """What the user should know of a job that was submitted."""
    terminal.say(f"{terminal.paint('note:', 'yellow')} {harmless(note)}")


async def _watch(
    manager: Manager, job: Job, options: Namespace, terminal: Terminal, interrupts: Interrupts
) -> int:
    arrow = terminal.paint("▶", "blue")
    terminal.say(f"{arrow} {one_line(job.spec.name)} on {job.spec.target}, job {short_id(job)}")
    progress = make_progress(terminal, quiet=options.quiet, document=options.json)
    try:
        (job,) = await Watch(manager, [job], terminal, interrupts).until_end([progress])
        terminal.out.flush()
        terminal.say(verdict(job, terminal))
        bringing = bring_results(manager, job, options, terminal)
        results = await unless_interrupted(bringing, interrupts)
    except Detached as detached:
        if job.state.final:
            terminal.say(f"Interrupted; 'jupyter hybrid fetch {short_id(job)}' brings the results.")
        if options.json:
            terminal.document(job_document(manager.get(job.id)))
        return detached.status
    if options.json:
        terminal.document({**job_document(manager.get(job.id)), **results.to_json()})
    return 0 if job.state is State.COMPLETED and results.complete else 1


def make_progress(terminal: Terminal, *, quiet: bool, document: bool) -> Progress:
    """Live where somebody watches, else plain; ``document`` keeps standard output free."""
    watched = terminal.err_is_terminal or (terminal.out_is_terminal and not document)
    # output that goes to a file must not go through the terminal's display
    if watched and (quiet or document or terminal.out_is_terminal):
        from ..progress.live import LiveProgress

        stream = terminal.err if document or not terminal.out_is_terminal else terminal.out
        return LiveProgress(
            stream,
            quiet=quiet or document,
            colour=terminal.colour,
            unicode=terminal.unicode,
        )
    from ..progress.plain import PlainProgress

    silent = quiet or document
    return PlainProgress(
        None if silent else terminal.out, None if silent else terminal.err, terminal.say
    )


def verdict(job: Job, terminal: Terminal) -> str:
    """How the job ended, in a line."""
    seconds = job.exit.seconds if job.exit else None
    took = f" in {format_duration(seconds)}" if seconds is not None else ""
    if job.state is State.COMPLETED:
        cells = f", {job.cells_done} cells" if job.cells_done > 1 else ""
        return f"{terminal.paint('✔', 'green')} completed{took}{cells}"
    word = {State.CANCELLED: "cancelled", State.LOST: "lost"}.get(job.state, "failed")
    reason = f": {harmless(job.reason)}" if job.reason else ""
    return f"{terminal.paint('✘', 'red')} {word}{took}{reason}"


def _help_notebook(options: Namespace, terminal: Terminal) -> int:
    from ..notebooks import read_notebook
    from ..parameters import infer_parameters

    if len(options.notebooks) > 1:
        raise UsageError("--help-notebook tells of one notebook at a time; name one")
    notebook = read_notebook(options.notebooks[0])
    known = infer_parameters(notebook)
    if options.json:
        terminal.document([parameter_document(p) for p in known] if known is not None else None)
        return 0
    if known is None:
        if notebook.tagged("parameters"):
            terminal.write(f"Parameters of {notebook.language} notebooks cannot be listed.\n")
        else:
            terminal.write("No cell is tagged 'parameters'.\n")
        return 1
    rows = [(p.name, p.type or "any", p.default_source, p.help) for p in known]
    terminal.table(("PARAMETER", "TYPE", "DEFAULT", "HELP"), rows)
    return 0


def _notebook_of(job: Job) -> Path | None:
    return Path(job.spec.notebook_path) if job.spec.notebook_path else None
