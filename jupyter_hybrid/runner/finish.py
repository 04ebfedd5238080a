"""The job's last words, in the order in which they must reach the disk."""

from __future__ import annotations

import json
import sys
import traceback
from typing import Any, Callable, Mapping

from ..events import Kind
from ..spec import ExitRecord
from .changes import find_changes
from .documents import write_bytes, write_document
from .endings import write_exit
from .layout import Layout
from .orphan import end_processes
from .session import Session


class Finish:
    """Writes results, then the exit record."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.layout = Layout()
        self.sent: Mapping[str, Any] = {}

    def write(self, record: ExitRecord) -> None:
        """Everything is on the disk, the exit record last; what fails is said and passed over."""
        session, paths = self._session, self._session.paths
        emitter = session.emitter
        emitter.ending = True
        emitter.give_up_reserve()
        self._try("the last outputs", session.streams.flush)
        self._try("the variables", self._sign_outputs)
        self._try("the executed notebook", self._write_notebook)
        self._try("the list of changed files", self._write_changes)
        record = session.clock.finish(record, session.control.peak or None)
        self._try(
            "the last event",
            lambda: emitter.emit(
                Kind.FINISHED, state=record.state, cause=record.cause, message=record.message
            ),
        )
        self._try("the events", emitter.close)
        if session.control.is_orphan():
            # after the exit record nobody looks for them any more
            end_processes(str(paths.directory))
        write_exit(paths, record)

    def _try(self, what: str, action: Callable[[], Any]) -> None:
        try:
            action()
        # each of these is worth less than the exit record, which must be written in any case
        except Exception as error:  # noqa: BLE001
            traceback.print_exc()
            try:
                self._session.note(f"{what[0].upper()}{what[1:]} could not be written: {error}")
            except (OSError, ValueError):
                sys.stderr.write("The disk takes no more events.\n")

    def _sign_outputs(self) -> None:
        paths = self._session.paths
        manifest = paths.outputs / "variables.json"
        if not manifest.exists():
            return
        from ..values import sign

        sign(paths.outputs, paths.key.read_bytes())
        data = json.loads(manifest.read_bytes())
        keys = ("name", "type", "size", "note")
        names = [{key: entry.get(key) for key in keys} for entry in data.get("names", ())]
        self._session.emitter.emit(Kind.VARIABLES, names=names)

    def _write_notebook(self) -> None:
        notebook = self._session.notebook
        if notebook is None:
            return
        write_document(self._session.paths.result, notebook)

    def _write_changes(self) -> None:
        paths = self._session.paths
        sent = {entry["path"]: entry for entry in self.sent.get("files", ())}
        changes = find_changes(paths.work, self.layout, sent)
        write_bytes(paths.changes, json.dumps(changes).encode("ascii"))
