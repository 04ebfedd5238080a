"""The papermill engine: papermill's conventions around our notebook client."""

from __future__ import annotations

import errno
import re
from typing import Any, Callable, Dict, Mapping, Optional, Tuple

import nbclient.client
import papermill.execute
from papermill.engines import NBClientEngine, papermill_engines
from papermill.exceptions import PapermillException, PapermillExecutionError
from papermill.version import version as papermill_version

from ..spec import FAILED, Cause, ExitRecord
from .assemble import INJECTED
from .client import HybridClient
from .endings import Ending, disk_full, failed
from .outputs import NO_DEBUGGER, REFUSED, as_node, quick_output
from .session import Session

NAME = "hybrid"
#: What Python says of a full disk, and of a quota that is used up.
_FULL = re.compile(rf"\[Errno ({errno.ENOSPC}|{errno.EDQUOT})\]")


class HybridEngine(NBClientEngine):
    """Executes a notebook in the kernel that the runner has started."""

    @classmethod
    def execute_managed_notebook(
        cls, nb_man: Any, kernel_name: Any, *unused: Any, **kwargs: Any
    ) -> Any:
        """Execute the notebook of papermill's manager; called by papermill."""
        session: Session = kwargs["session"]
        session.notebook = nb_man.nb
        # there is no output file to save
        nb_man.autosave_cell_every = 0
        _name_injected(nb_man.nb, session)
        client = HybridClient(nb_man, session, kernel_name=kernel_name, timeout=None)
        return client.execute()


def _name_injected(notebook: Any, session: Session) -> None:
    """Give papermill's cell the id under which the events speak of it."""
    sent = set(session.sent_ids)
    for cell in notebook.cells:
        if cell.get("id") not in sent and INJECTED in cell.metadata.get("tags", ()):
            cell["id"] = INJECTED


def _node(document: Mapping[str, Any]) -> Any:
    """The notebook as papermill's loader would return it, without writing and checking it twice."""
    notebook = as_node(document)
    notebook.metadata.setdefault(
        "papermill",
        as_node(
            {
                "default_parameters": {},
                "parameters": {},
                "environment_variables": {},
                "version": papermill_version,
            }
        ),
    )
    for cell in notebook.cells:
        cell.metadata.setdefault("tags", [])
        cell.metadata.setdefault("papermill", as_node({}))
    return notebook


def _patch(document: Mapping[str, Any], session: Session) -> None:
    """In this process papermill reads the notebook we have, and what it would write we keep."""

    def load(path: str) -> Any:
        return _node(document)

    def keep(notebook: Any, path: Optional[str]) -> None:
        session.notebook = notebook

    changes: Dict[Any, Dict[str, Any]] = {
        papermill.execute: {"load_notebook_node": load, "write_ipynb": keep},
        nbclient.client: {"output_from_msg": quick_output},
    }
    for module, names in changes.items():
        for name, function in names.items():
            setattr(module, name, function)
    engines: Any = papermill_engines
    engines.register(NAME, HybridEngine)


def execute(document: Mapping[str, Any], session: Session) -> None:
    """Execute the notebook; raises ``Ending`` unless every cell went well.

    ``session.notebook`` has the outputs afterwards, however it ended.
    """
    spec = session.spec
    _patch(document, session)
    path = spec.notebook_path or "notebook.ipynb"
    execute_notebook: Callable[..., Any] = papermill.execute.execute_notebook
    try:
        execute_notebook(
            # papermill formats paths with the parameters
            path.replace("{", "{{").replace("}", "}}"),
            None,
            parameters=dict(spec.parameters),
            engine_name=NAME,
            kernel_name=session.kernel_name,
            language=spec.language,
            progress_bar=False,
            session=session,
        )
    except PapermillExecutionError as error:
        session.check()
        raise Ending(_cell_error(error, session)) from None
    except PapermillException as error:
        raise Ending(failed(Cause.BAD_NOTEBOOK, _papermill_words(error, session))) from error
    finally:
        _repair(session.notebook)


def _repair(notebook: Any) -> None:
    """A cell that never began is still pending: papermill calls it completed when it stops."""
    for cell in getattr(notebook, "cells", ()):
        state: Dict[str, Any] = cell.metadata.get("papermill") or {}
        if state.get("status") == "completed" and not state.get("start_time"):
            state["status"] = "pending"


def _papermill_words(error: PapermillException, session: Session) -> str:
    text = str(error)
    if "parameter translator" in text:
        return (
            f"Parameters cannot be passed to a notebook in {session.spec.language!r}: papermill "
            "has no translation for that language. Leave the parameters out and set the values "
            "in the notebook."
        )
    return f"papermill refused the notebook: {text}"


def _cell_error(error: PapermillExecutionError, session: Session) -> ExitRecord:
    cell_id, shown = _failing_cell(error, session)
    ename, evalue, cause = str(shown.ename), str(shown.evalue), Cause.CELL_ERROR
    if shown is error and session.failed_cell is not None:
        # an unknown magic is on stderr; papermill makes a CellExecutionError without words of it
        ename, evalue = session.failed_with
    message = f"{ename}: {evalue.strip().splitlines()[0][:500]}" if evalue.strip() else ename
    message = message.rstrip(".")
    if session.failed_cell is None:
        message = (
            f"A cell failed with {message}. Those after it were executed, as its tag "
            "raises-exception or its own code wants; the job counts as failed all the same."
        )
    else:
        message = f"A cell failed with {message}. Nothing after it was executed."
    if ename == "StdinNotImplementedError":
        evalue = NO_DEBUGGER if evalue == NO_DEBUGGER else REFUSED
        cause, message = Cause.INPUT_REFUSED, evalue
    elif ename == "OSError" and (full := _FULL.search(evalue)):
        cause = Cause.DISK_FULL
        message = disk_full(str(session.paths.work), int(full[1])).message
    return ExitRecord(
        FAILED,
        cause,
        message,
        cell_id=cell_id,
        ename=ename,
        evalue=evalue,
        traceback=tuple(map(str, shown.traceback or ())),
    )


def _failing_cell(error: PapermillExecutionError, session: Session) -> Tuple[Optional[str], Any]:
    """The id of the cell that failed and its error, which has ename, evalue and traceback.

    Cells tagged raises-exception have errors too. Where no other cell has, papermill names one.
    """
    for cell in reversed(session.notebook.cells):
        for output in reversed(cell.get("outputs", ())):
            if output.output_type != "error":
                continue
            if session.failed_cell == cell.id:
                return session.failed_cell, output
            same = (output.ename, output.evalue) == (error.ename, error.evalue)
            if session.failed_cell is None and same:
                return str(cell.id), output
    return session.failed_cell, error
