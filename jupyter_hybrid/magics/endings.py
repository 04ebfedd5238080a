"""How a cell's job ended, for the one who waits: variables, a receipt, or an exception."""

from __future__ import annotations

import builtins
import traceback
import types
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import blocking
from ..errors import JobFailed, ResultError, UsageError
from ..job import Job, State
from ..paths import JobPaths
from ..sentences import ESCAPE, harmless, one_line
from ..spec import Cause
from ..units import format_duration, format_size
from ..values import MANIFEST, Loaded, Variable, load

if TYPE_CHECKING:
    from ..manager import Manager
    from ..results import Fetched

#: Variables that a receipt names one by one, and bytes from which it says how large one is.
NAMED, NOTABLE = 12, 10_000


def take_variables(manager: Manager, job: Job, namespace: dict[str, Any]) -> Loaded:
    """Put what the job sent back into the namespace, as far as its key vouches for it."""
    directory, key = blocking.run(manager.variables(job.id))
    if not (directory / MANIFEST).is_file():
        return Loaded(())
    # what a job on this machine writes is read where it was written
    here = directory == JobPaths(Path(job.directory)).outputs
    return load(directory, namespace, key=key, here=here)


def take_files(manager: Manager, job: Job) -> Fetched | None:
    """Bring the files that the cell wrote to where a cell here would have written them."""
    try:
        return blocking.run(manager.fetch(job.id, notebook=False))
    except ResultError:
        # the job's directory is gone; its end tells why
        return None


def files_text(fetched: Fetched | None) -> str:
    """The receipt's last part: the files, and a line for each that is not where it should be."""
    if fetched is None:
        return ""
    lines = [f" · files: {_few([one_line(Path(file).name) for file in fetched.files])}"]
    lines += [
        one_line(f"{kept} was changed here meanwhile and is kept; the job's is {beside}")
        for kept, beside in fetched.conflicts[:NAMED]
    ]
    lines += [f"left there: {one_line(text)}" for text in fetched.left[:NAMED]]
    more = max(0, len(fetched.conflicts) - NAMED) + max(0, len(fetched.left) - NAMED)
    if more:
        lines.append(f"and {more} more; %remote fetch names all of them")
    return "\n".join(lines if fetched.files else ["", *lines[1:]])


def _few(names: list[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")


def receipt(job: Job, loaded: Loaded, namespace: Mapping[str, Any]) -> str:
    """One line: where, how long, what came back and what stayed there."""
    parts = [f"{job.spec.target}: {_ended(job)}{format_duration(job.lasted() or 0.0)}"]
    came = [v for v in loaded.names if not _is_import(v, namespace)]
    if came:
        parts.append(f"back: {_listed(came)}")
    stayed = list(loaded.refused)
    if stayed:
        parts.append("stayed: " + ", ".join(f"{v.name} ({v.note})" for v in stayed[:NAMED]))
    if loaded.deleted:
        parts.append("deleted: " + ", ".join(loaded.deleted))
    return " · ".join(parts)


def _is_import(variable: Variable, namespace: Mapping[str, Any]) -> bool:
    """True for what an import statement binds, and for IPython's note of a shell command."""
    value = namespace.get(variable.name)
    imported = isinstance(value, type | types.FunctionType | types.BuiltinFunctionType)
    elsewhere = getattr(value, "__module__", None) not in (None, "__main__")
    return variable.module is not None or variable.name == "_exit_code" or (imported and elsewhere)


def missing_returns(job: Job, loaded: Loaded, asked: Iterable[str]) -> Loaded:
    """The same with the names that ``-o`` asked for and the cell never made."""
    known = {v.name for v in (*loaded.names, *loaded.refused)}
    lacking = tuple(
        Variable(name, "", note="the cell did not assign it") for name in asked if name not in known
    )
    return replace(loaded, refused=loaded.refused + lacking)


def _ended(job: Job) -> str:
    return "" if job.state is State.COMPLETED else f"{job.state.value.lower()} after "


def _listed(variables: list[Variable]) -> str:
    told = []
    for variable in variables[:NAMED]:
        size = f", {format_size(variable.size)}" if variable.size >= NOTABLE else ""
        told.append(f"{variable.name} ({variable.type}{size})")
    more = len(variables) - NAMED
    return ", ".join(told) + (f" and {more} more" if more > 0 else "")


class _CellFailed(JobFailed):
    """A cell of the job raised; shown is the traceback from there."""

    def __init__(self, job: Job) -> None:
        assert job.exit is not None
        # not HybridError's: a built-in exception among the bases may want other arguments
        Exception.__init__(self, job.exit.evalue or "")
        self.context = {"job": job}
        self._text = job.exit.evalue or ""
        self._lines = list(job.exit.traceback)

    def __str__(self) -> str:
        return self._text

    def _render_traceback_(self) -> list[str]:
        lines = self._lines or [f"{type(self).__name__}: {self._text}"]
        return [ESCAPE.sub("", line) for line in lines] if _colourless() else lines


def _colourless() -> bool:
    from IPython.core.getipython import get_ipython

    shell: Any = get_ipython()
    return str(getattr(shell, "colors", "")).lower() == "nocolor"


def failure(job: Job) -> JobFailed:
    """The exception to raise here for a job that did not complete.

    Where a cell raised, it is of a class named like the one there; ``except ValueError`` catches
    it where the one there was a ``ValueError``. (Of a ``SyntaxError``, IPython would show our call
    stack, and not the traceback from there.)
    """
    record = job.exit
    if record is None or record.cause != Cause.CELL_ERROR or not record.ename:
        reason = (record.message if record is not None else "") or job.reason
        return JobFailed(f"job {job.id} is {job.state.value}: {harmless(reason)}", job=job)
    base = getattr(builtins, record.ename, None)
    bases: tuple[type, ...] = (_CellFailed,)
    if isinstance(base, type) and issubclass(base, Exception) and not issubclass(base, SyntaxError):
        bases = (_CellFailed, base)
    try:
        made = type(record.ename, bases, {"__doc__": "Raised by a cell of a job."})
        error = made(job)
    except TypeError:  # a built-in exception of another layout
        error = type(record.ename, (_CellFailed,), {})(job)
    assert isinstance(error, JobFailed)
    return error


def not_python(error: SyntaxError, number: int) -> UsageError:
    """The exception to raise for a cell that is not Python, shown as IPython shows its own."""
    error.filename = f"Cell In[{number}]"
    # the line with the magic is the cell's first
    error.lineno = (error.lineno or 1) + 1
    error.end_lineno = error.end_lineno + 1 if error.end_lineno else None
    shown = (
        "".join(traceback.format_exception_only(error))
        .rstrip()
        .replace(f'File "{error.filename}"', error.filename, 1)
    )
    # not a SyntaxError: of those, IPython shows our call stack
    cls = type(type(error).__name__, (UsageError,), {"_render_traceback_": lambda _: [shown]})
    made = cls(error.msg)
    assert isinstance(made, UsageError)
    return made


def unreadable(error: ResultError) -> Loaded:
    """Nothing came back, and why."""
    return Loaded((), (Variable("variables", "", note=str(error)),))
