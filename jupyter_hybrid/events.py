"""One thing that happened in a job, and the line that says so.

``events.jsonl`` holds one JSON object per line. A reader may meet the file in any state: the last
line half-written, or the file shorter than a moment ago after a crash. Python 3.8, standard
library only.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, List, Mapping, Tuple


class Kind:
    """Kinds of events. ``data`` has the keys named behind each."""

    #: The runner is alive: host, pid, python, attempt (1, or more after a requeue).
    STARTED = "started"
    #: The kernel answered: name, language, total (code cells to execute).
    KERNEL = "kernel"
    #: A code cell begins: cell_id, number (1..total), total, line (its first line).
    CELL = "cell"
    #: A cell printed or showed something: cell_id, output (an nbformat output;
    #: ``transient.display_id`` where it has one), or blob (sha256) and size where the output is
    #: in a file of its own.
    OUTPUT = "output"
    #: A shown output changes: cell_id, display_id, data, metadata (or blob, size).
    UPDATE = "update"
    #: A cell cleared its outputs: cell_id, wait.
    CLEAR = "clear"
    #: A code cell ended: cell_id, status (ok, error, stopped), seconds, execution_count.
    CELL_END = "cell_end"
    #: Variables were written for the way back: names, a list of {name, type, size, note}.
    VARIABLES = "variables"
    #: Something the user should read: text.
    NOTE = "note"
    #: The runner is about to write the exit record: state, cause, message.
    FINISHED = "finished"


@dataclass(frozen=True)
class Event:
    """One thing that happened."""

    #: 1, 2, 3, … without gaps within one job.
    seq: int
    #: Seconds since the epoch, by the place's clock. Order is by ``seq``, never by time.
    time: float
    #: One of ``Kind``'s values; readers pass over kinds they do not know.
    kind: str
    #: JSON values as listed at ``Kind``.
    data: Mapping[str, Any] = field(default_factory=dict)

    def to_line(self) -> bytes:
        """The event as one line, newline included."""
        record = dict(self.data, seq=self.seq, time=round(self.time, 4), kind=self.kind)
        # surrogates: a cell may print what is not valid Unicode; JSON escapes carry it safely
        return json.dumps(record, ensure_ascii=True, separators=(",", ":")).encode("ascii") + b"\n"


def parse_events(chunk: bytes) -> Tuple[List[Event], int]:
    """Events in a piece of ``events.jsonl`` that starts at a line's beginning.

    Returns the events and the number of bytes used; a last line without its newline is left for
    the next call. Lines that are not events (a crash in the middle of one) are passed over.
    """
    end = chunk.rfind(b"\n") + 1
    events = []
    for line in chunk[:end].splitlines():
        try:
            record = json.loads(line)
            event = Event(
                seq=int(record.pop("seq")),
                time=float(record.pop("time")),
                kind=str(record.pop("kind")),
                data=record,
            )
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
            continue
        events.append(event)
    return events, end
