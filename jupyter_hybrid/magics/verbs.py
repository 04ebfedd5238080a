"""``%remote``: look after jobs from a notebook."""

from __future__ import annotations

import argparse
import difflib
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

from .. import blocking
from ..api import manager as this_manager
from ..cells.line import Parser, cell_parser, help_text
from ..columns import cut
from ..errors import UsageError
from ..events import Kind
from ..job import SHORT_ID, Job
from ..manager import Manager
from ..sentences import harmless
from ..spec import Resources
from ..tailing import tail_of_rank
from ..units import format_duration, format_size
from .submitting import submitted
from .tables import table
from .watch import interruptible

#: Jobs that ``%remote jobs`` lists.
LISTED = 20
#: How people ask for help.
HELP = frozenset(("-h", "--help", "-?"))

Verb = Callable[[Any, Manager, argparse.Namespace], None]


def run_verb(shell: Any, line: str) -> None:
    """Do what ``%remote VERB …`` says; raises ``UsageError`` that names the verbs."""
    verb, _, rest = line.strip().partition(" ")
    if verb in HELP:
        verb = "help"
    if verb not in VERBS:
        raise UsageError(_unknown(verb))
    make_parser, action, _ = VERBS[verb]
    parser = make_parser()
    if HELP & set(rest.split()):
        write(f"{help_text(parser)}\n{action.__doc__}")
        return
    with interruptible(f"%remote {verb}: interrupted"):
        action(shell, this_manager(), parser.parse_line(rest))


def _unknown(verb: str) -> str:
    if not verb:
        return f"%remote: say what to do: {', '.join(VERBS)}. A cell to run begins with %%remote."
    if verb in this_manager().config.target_options():
        return f"%remote {verb}: with two %, %%remote {verb} on top of a cell runs the cell there"
    near = difflib.get_close_matches(verb, VERBS, n=1)
    hint = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(VERBS)}"
    return f"%remote {verb}: there is no such verb. {hint}"


def _parser(verb: str, *, job: bool = False) -> Callable[[], Parser]:
    def make() -> Parser:
        parser = Parser(f"%remote {verb}")
        text = "id, its beginning or its end, or last"
        if verb == "cancel":
            # {name} of an empty variable is nothing at all, and must not end the last job
            parser.add_argument("job", metavar="JOB", help=text)
            parser.add_argument("--force", action="store_true", help="end it at once")
        elif job:
            parser.add_argument("job", nargs="?", default="last", help=text)
        if verb == "logs":
            parser.add_argument("--runner", action="store_true", help="the runner's own log")
            text = "what this process of a job of several printed"
            parser.add_argument("--rank", type=int, default=0, metavar="N", help=text)
        return parser

    return make


def write(text: str) -> None:
    """Show text in the cell."""
    sys.stdout.write(text if text.endswith("\n") or not text else text + "\n")


def jobs(shell: Any, manager: Manager, words: argparse.Namespace) -> None:
    """List jobs, newest first, after asking their places."""
    blocking.run(manager.reconcile())
    found = manager.recent(LISTED)
    if not found:
        write("no jobs yet; put %%remote on top of a cell to start one")
        return
    write(table(("JOB", "STATE", "TIME", "TARGET", "NAME", ""), map(_row, found)))


def _row(job: Job) -> tuple[str, ...]:
    reason = cut((job.reason or "").split("\n")[0], 60, "…")
    return (job.id[-SHORT_ID:], job.state.value, _time(job), job.spec.target, job.spec.name, reason)


def _time(job: Job) -> str:
    seconds = job.lasted(time.time())
    return "" if seconds is None else format_duration(seconds)


def status(shell: Any, manager: Manager, words: argparse.Namespace) -> None:
    """Say where a job stands."""
    job = blocking.run(manager.status(words.job))
    total = job.cells_total
    rows = [
        ("job", job.id),
        ("name", job.spec.name),
        ("target", job.spec.target),
        ("state", job.state.value),
        ("reason", job.reason),
        ("cells", f"{job.cells_done}/{total}" if total else ""),
        ("time", _time(job)),
        ("notebook", job.spec.notebook_path or ""),
    ]
    write("".join(f"{name:9} {harmless(value)}\n" for name, value in rows if value))


def logs(shell: Any, manager: Manager, words: argparse.Namespace) -> None:
    """Show all text that a job's cells have printed."""
    if words.runner:
        write(blocking.run(_runner_log(manager, words.job)))
        return
    if words.rank:
        _show(blocking.run(_outputs_of_rank(manager, manager.get(words.job), words.rank)))
        return
    notebook = blocking.run(manager.notebook(manager.get(words.job).id))
    _show(output for cell in notebook["cells"] for output in cell.get("outputs", ()))


def _show(outputs: Iterable[dict[str, Any]]) -> None:
    for output in outputs:
        if output["output_type"] == "stream":
            sys.stdout.write("".join(output["text"]))
        elif output["output_type"] == "error":
            write("\n".join(output["traceback"]))


async def _outputs_of_rank(manager: Manager, job: Job, rank: int) -> list[dict[str, Any]]:
    tail = tail_of_rank(manager.executor(job.spec.target), job, rank)
    return [event.data["output"] async for event in tail.new() if event.kind == Kind.OUTPUT]


async def _runner_log(manager: Manager, job_id: str) -> str:
    content = bytearray()
    while chunk := await manager.log(job_id, len(content)):
        content += chunk
    return content.decode("utf-8", "replace")


def attach(shell: Any, manager: Manager, words: argparse.Namespace) -> None:
    """Show a job from its first output on, then take its results."""
    from .cell import follow_cell
    from .notebook import follow_notebook

    job = manager.get(words.job)
    if job.spec.kind == "cell":
        follow_cell(shell, manager, job)
    else:
        follow_notebook(shell, manager, job)


def cancel(shell: Any, manager: Manager, words: argparse.Namespace) -> None:
    """Ask a job to end, saving what there is."""
    job = blocking.run(manager.cancel(words.job, force=words.force))
    if job.state.final:
        write(f"job {job.id} is {job.state.value}")
    else:
        write(f"job {job.id} has been asked to end; %remote status {job.id}")


def fetch(shell: Any, manager: Manager, words: argparse.Namespace) -> None:
    """Bring an ended job's notebook and files here."""
    from .notebook import fetched_text

    write(fetched_text(blocking.run(manager.fetch(words.job))))


def targets(shell: Any, manager: Manager, words: argparse.Namespace) -> None:
    """List the configured targets."""
    default = manager.config.default_target
    rows = [
        (name, str(options.get("executor", "")), "default" if name == default else "")
        for name, options in manager.config.target_options().items()
    ]
    write(table(("TARGET", "EXECUTOR", ""), rows))


def offers(shell: Any, manager: Manager, words: argparse.Namespace) -> None:
    """List the hardware that the targets can give now."""
    found = blocking.run(manager.offers(Resources()))
    rows = []
    for offer in found:
        free = {True: "now", False: "busy", None: ""}[offer.free_now]
        price = f"{offer.price:g}/h" if offer.price is not None else ""
        mem = format_size(offer.mem) if offer.mem else ""
        rows.append((offer.target, offer.hardware, mem, free, price, offer.note))
    write(table(("TARGET", "HARDWARE", "MEMORY", "FREE", "PRICE", ""), rows))


def rerun(shell: Any, manager: Manager, words: argparse.Namespace) -> None:
    """Submit once more what an earlier job executed."""
    job = submitted(manager, manager.rerun(manager.get(words.job).id))
    attach(shell, manager, argparse.Namespace(job=job.id))


def doctor(shell: Any, manager: Manager, words: argparse.Namespace) -> None:
    """Examine the installation and say what to mend."""
    from ..doctor import examine

    findings = blocking.run(examine())
    write("".join(f"{finding}\n" for finding in findings))


def run(shell: Any, manager: Manager, words: argparse.Namespace) -> None:
    """Run a whole notebook as a job."""
    from .notebook import run_notebook

    run_notebook(shell, manager, words)


def _run_parser() -> Parser:
    from .notebook import run_parser

    return run_parser()


def help_(shell: Any, manager: Manager, words: argparse.Namespace) -> None:
    """Show this."""
    write(help_page())


def help_page() -> str:
    """What ``%%remote`` and ``%remote`` take, and what it means."""
    verbs = "".join(f"  {name:8} {action.__doc__}\n" for name, (_, action, _) in VERBS.items())
    return (
        f"{help_text(cell_parser())}\n%remote VERB [JOB] [OPTIONS]\n\n{verbs}"
        "\n%remote VERB --help lists the options of a verb.\n"
    )


#: By name: the parser of its options, the action, and whether it is about a job.
VERBS: dict[str, tuple[Callable[[], Parser], Verb, bool]] = {
    "jobs": (_parser("jobs"), jobs, False),
    "status": (_parser("status", job=True), status, True),
    "logs": (_parser("logs", job=True), logs, True),
    "attach": (_parser("attach", job=True), attach, True),
    "cancel": (_parser("cancel", job=True), cancel, True),
    "fetch": (_parser("fetch", job=True), fetch, True),
    "rerun": (_parser("rerun", job=True), rerun, True),
    "run": (_run_parser, run, False),
    "targets": (_parser("targets"), targets, False),
    "offers": (_parser("offers"), offers, False),
    "doctor": (_parser("doctor"), doctor, False),
    "help": (_parser("help"), help_, False),
}
