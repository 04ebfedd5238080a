"""Make the executed notebook from the notebook that was sent and the events so far.

Pure: no Jupyter package is needed, so the supervisor can do it when the runner is dead, and the
submitting side when the whole place is. Python 3.8, standard library only.
"""

from __future__ import annotations

import copy
import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any, Dict, Iterable, List, Mapping, Optional

from ..events import Event, Kind
from .streams import StreamTail

#: The id of the cell with parameters that papermill injects.
INJECTED = "injected-parameters"
_DIGEST = re.compile(r"[0-9a-f]{64}")


def assemble(
    notebook: Mapping[str, Any], events: Iterable[Event], blobs: Optional[Path] = None
) -> Dict[str, Any]:
    """A copy of the notebook that holds every output the events tell of.

    ``blobs`` is the directory of large outputs; one that is missing is named in its place.
    """
    assembly = Assembly(notebook, blobs)
    assembly.take(events)
    return assembly.end()


def with_ids(notebook: Dict[str, Any]) -> Dict[str, Any]:
    """Give each cell that lacks an id one, always the same; changes and returns the notebook."""
    seen = set()
    cells = notebook.setdefault("cells", [])
    for index, cell in enumerate(cells):
        given = cell.get("id")
        if not isinstance(given, str) or not given or given in seen:
            source = "".join(cell.get("source") or "")
            seed = f"{index}:{source}".encode("utf-8", "surrogatepass")
            cell["id"] = hashlib.sha256(seed).hexdigest()[:12]
        seen.add(cell["id"])
        cell.setdefault("metadata", {})
        if cell.get("cell_type") == "code":
            cell.setdefault("outputs", [])
            cell.setdefault("execution_count", None)
    notebook.setdefault("metadata", {})
    if int(notebook.get("nbformat_minor") or 0) < 5:
        notebook["nbformat_minor"] = 5
    notebook.setdefault("nbformat", 4)
    return notebook


def read_blob(blobs: Path, name: Any) -> Optional[Dict[str, Any]]:
    """The large output of that name; None where there is none.

    The job can write events too: what is not a digest names no file, nor does a link.
    """
    if not isinstance(name, str) or not _DIGEST.fullmatch(name):
        return None
    try:
        descriptor = os.open(blobs / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            found = json.loads(file.read())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


class Assembly:
    """``assemble``, for events that come in several parts."""

    def __init__(self, notebook: Mapping[str, Any], blobs: Optional[Path] = None) -> None:
        self._notebook, self._blobs = with_ids(copy.deepcopy(dict(notebook))), blobs
        self._cells = {cell["id"]: cell for cell in self._notebook["cells"]}
        self._displays: Dict[str, List[Dict[str, Any]]] = {}
        self._clear_next = ""
        self._tail = StreamTail()
        self._forget_outputs()

    def take(self, events: Iterable[Event]) -> None:
        """Do to the notebook what the events say."""
        for event in events:
            self._apply(event)

    def end(self) -> Dict[str, Any]:
        """The notebook; no more events may follow."""
        self._tail.end()
        return self._notebook

    def _forget_outputs(self) -> None:
        self._tail.end()
        self._displays = {}
        for cell in self._notebook["cells"]:
            if cell.get("cell_type") == "code":
                cell["outputs"], cell["execution_count"] = [], None

    def _apply(self, event: Event) -> None:
        data = event.data
        if event.kind == Kind.STARTED:
            # an earlier attempt's outputs are not this one's
            self._forget_outputs()
        elif event.kind == Kind.CELL and data.get("cell_id") not in self._cells:
            self._inject(data)
        elif event.kind == Kind.UPDATE:
            self._update(data)
        cell = self._cells.get(str(data.get("cell_id")))
        if cell is None or cell.get("cell_type") != "code":
            return
        if event.kind == Kind.OUTPUT:
            self._output(cell, data)
        elif event.kind == Kind.CLEAR:
            self._clear(cell, bool(data.get("wait")))
        elif event.kind == Kind.CELL_END:
            self._clear_next = ""
            cell["execution_count"] = data.get("execution_count")

    def _inject(self, data: Mapping[str, Any]) -> None:
        """Put the cell that papermill injected where papermill puts it."""
        if "source" not in data:
            return
        cell = {
            "cell_type": "code",
            "id": str(data["cell_id"]),
            "metadata": {"tags": [INJECTED]},
            "execution_count": None,
            "outputs": [],
            "source": data["source"],
        }
        cells = self._notebook["cells"]
        tagged = (i for i, c in enumerate(cells) if "parameters" in c["metadata"].get("tags", ()))
        cells.insert(next(tagged, -1) + 1, cell)
        self._cells[cell["id"]] = cell

    def _content(self, data: Mapping[str, Any]) -> Dict[str, Any]:
        """The output or update, from the event or its blob."""
        if "blob" not in data:
            return dict(data.get("output") or data)
        found = None if self._blobs is None else read_blob(self._blobs, data["blob"])
        if found is not None:
            return found
        text = f"[an output of {data.get('size')} bytes was shown here; its content was not kept]"
        return {"output_type": "display_data", "data": {"text/plain": text}, "metadata": {}}

    def _clear(self, cell: Dict[str, Any], wait: bool) -> None:
        self._tail.end()
        if wait:
            self._clear_next = cell["id"]
        else:
            cell["outputs"] = []

    def _output(self, cell: Dict[str, Any], data: Mapping[str, Any]) -> None:
        output = self._content(data)
        if self._clear_next == cell["id"]:
            self._tail.end()
            cell["outputs"], self._clear_next = [], ""
        outputs = cell["outputs"]
        if output.get("output_type") == "stream":
            if not self._tail.add(outputs, output["name"], output["text"]):
                outputs.append(output)
                self._tail.begin(output)
            return
        self._tail.end()
        transient = output.pop("transient", None) or {}
        if transient.get("display_id"):
            self._displays.setdefault(transient["display_id"], []).append(output)
        outputs.append(output)

    def _update(self, data: Mapping[str, Any]) -> None:
        content = self._content(data)
        for output in self._displays.get(str(data.get("display_id")), ()):
            output["data"] = content.get("data", {})
            output["metadata"] = content.get("metadata", {})
