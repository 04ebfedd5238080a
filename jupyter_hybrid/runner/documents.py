"""Read the notebook that was sent, write the one that was executed. Standard library only."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Dict, List, Mapping

from ..errors import NotebookError
from .assemble import with_ids


def read_document(path: Path) -> Dict[str, Any]:
    """The notebook as nbformat 4.5 with an id in each cell; raises ``NotebookError``."""
    try:
        document = json.loads(path.read_bytes().decode("utf-8"))
    except FileNotFoundError:
        raise NotebookError("The job has no notebook to execute; submit it again.") from None
    except (ValueError, RecursionError) as error:
        raise NotebookError(
            f"The notebook is not JSON ({error}). Open and save it in JupyterLab, or restore an "
            "earlier version."
        ) from None
    if not isinstance(document, dict) or "nbformat" not in document:
        raise NotebookError("The notebook is JSON but not a notebook: it names no nbformat.")
    if document["nbformat"] != 4:
        document = _upgraded(document)
    cells = document.get("cells")
    if not isinstance(cells, list) or not all(map(_is_cell, cells)):
        raise NotebookError("The notebook has no list of cells. Open and save it in JupyterLab.")
    for cell in cells:
        cell["source"] = "".join(cell.get("source") or "")
    return with_ids(document)


def _is_cell(cell: Any) -> bool:
    return (
        isinstance(cell, dict)
        and cell.get("cell_type") in ("code", "markdown", "raw")
        and isinstance(cell.get("source", ""), (str, list))
        and isinstance(cell.get("metadata", {}), dict)
    )


def _upgraded(document: Dict[str, Any]) -> Dict[str, Any]:
    """The notebook of another major version as version 4."""
    from .imports import prepare_imports

    prepare_imports()
    import nbformat

    library: Any = nbformat
    try:
        old = library.reads(json.dumps(document), as_version=nbformat.NO_CONVERT)
        new: Dict[str, Any] = json.loads(json.dumps(library.convert(old, 4)))
    # nbformat's converters raise whatever a damaged notebook makes them trip over
    except Exception as error:
        version = document["nbformat"]
        raise NotebookError(
            f"The notebook has format {version!r} and cannot be converted to format 4 "
            f"({type(error).__name__}: {error}). Open and save it in JupyterLab."
        ) from error
    for cell in new["cells"]:
        # random ones; ours are the same at each reading
        cell.pop("id", None)
    return new


def write_document(path: Path, notebook: Mapping[str, Any]) -> None:
    """Write the notebook as Jupyter does, by rename."""
    text = json.dumps(_split(notebook), ensure_ascii=False, indent=1, sort_keys=True)
    write_bytes(path, text.encode("utf-8", "replace") + b"\n")


def write_bytes(path: Path, data: bytes, sync: bool = False) -> None:
    """Write by rename: a reader sees all or nothing; ``sync`` makes it outlive a power cut."""
    scratch = path.with_name(f".{path.name}.part")
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            if sync:
                file.flush()
                os.fsync(file.fileno())
        scratch.replace(path)
    except OSError:
        # half a file would take the space that the exit record needs
        scratch.unlink()
        raise
    if sync:
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


def _split(notebook: Mapping[str, Any]) -> Dict[str, Any]:
    """Long texts as lists of lines: what nbformat writes and what version control can compare."""
    result = dict(notebook)
    result["cells"] = [_split_cell(cell) for cell in notebook["cells"]]
    return result


def _split_cell(cell: Mapping[str, Any]) -> Dict[str, Any]:
    result = dict(cell, source=_lines(cell.get("source", "")))
    if "outputs" in cell:
        result["outputs"] = [_split_output(output) for output in cell["outputs"]]
    return result


def _split_output(output: Mapping[str, Any]) -> Dict[str, Any]:
    result = dict(output)
    result.pop("transient", None)
    if output["output_type"] == "stream":
        result["text"] = _lines(output["text"])
    elif "data" in output:
        result["data"] = {
            mime: _lines(value) if isinstance(value, str) and not _is_json(mime) else value
            for mime, value in output["data"].items()
        }
    return result


def _is_json(mime: str) -> bool:
    return mime == "application/json" or mime.endswith("+json")


def _lines(text: Any) -> List[str]:
    return text.splitlines(True) if isinstance(text, str) else text
