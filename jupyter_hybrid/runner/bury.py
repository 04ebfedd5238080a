"""What is left to do for a job whose runner cannot: the notebook so far and the exit record.

The supervisor does it for a runner that died, and a runner for itself where it did not get far.

Standard library only.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List

from ..events import Event, Kind, parse_events
from ..paths import JobPaths
from ..spec import ExitRecord
from .assemble import assemble, read_blob
from .documents import write_document
from .emit import last_seq, remove
from .endings import write_exit
from .journal import Arrived, Journal

if TYPE_CHECKING:
    from .control import Control


def bury(paths: JobPaths, record: ExitRecord, control: Control) -> None:
    """Write what the runner could not, the record last."""
    remove(paths.directory / ".reserve")
    record = control.clock.finish(record, control.peak)
    try:
        events = _last_events(paths, record, control)
        if not paths.result.exists():
            notebook = json.loads(paths.notebook.read_bytes())
            write_document(paths.result, assemble(notebook, events, paths.event_blobs))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        # the record matters most; the submitting side can assemble the notebook as well
        sys.stderr.write(f"The notebook could not be assembled: {error}\n")
    write_exit(paths, record)


def _last_events(paths: JobPaths, record: ExitRecord, control: Control) -> List[Event]:
    """All events, with those that the runner did not live to write."""
    seq = last_seq(paths.events) if paths.events.exists() else 0
    events, _ = parse_events(paths.events.read_bytes()) if seq else ([], 0)
    contents = _lost_outputs(events, paths.event_blobs, control.journal) if control.journal else []
    last = {"state": record.state, "cause": record.cause, "message": record.message}
    new = [(Kind.OUTPUT, content) for content in contents] + [(Kind.FINISHED, last)]
    with paths.events.open("ab", buffering=0) as file:
        for number, (kind, data) in enumerate(new, seq + 1):
            events.append(Event(number, time.time(), kind, data))
            file.write(events[-1].to_line())
    return events


def _lost_outputs(events: List[Event], blobs: Path, journal: Journal) -> List[Dict[str, Any]]:
    """What the current cell printed and the runner did not live to pass on."""
    begun = [index for index, event in enumerate(events) if event.kind == Kind.CELL]
    if not begun:
        return []
    cell_id = events[begun[-1]].data["cell_id"]
    arrived: Dict[str, Arrived] = {}
    for event in events[begun[-1] :]:
        if event.kind == Kind.OUTPUT:
            output = event.data.get("output") or read_blob(blobs, event.data.get("blob"))
            if output is not None and output["output_type"] == "stream":
                arrived.setdefault(output["name"], Arrived()).add(output["text"])
    return [
        {"cell_id": cell_id, "output": {"output_type": "stream", "name": name, "text": text}}
        for name, text in journal.lost(arrived)
    ]
