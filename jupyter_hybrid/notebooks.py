"""Read a notebook from disk, whatever state it is in, as what a job executes.

Plain JSON for nbformat 4; the nbformat package is imported only to upgrade an older notebook.
Outputs stay behind: they can be a hundred times the notebook.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from .errors import NotebookError

#: The format written: 4.5 is the first with cell ids.
FORMAT = (4, 5)
_CELL_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_CONFLICT = re.compile(rb"^(<<<<<<< |>>>>>>> )", re.MULTILINE)


@dataclass(frozen=True)
class Notebook:
    """A notebook as it is sent: nbformat 4.5, sources as strings, ids in every cell, no outputs."""

    path: Path | None
    content: dict[str, Any]
    #: Kernelspec's name; None where the notebook names none.
    kernel: str | None
    #: Language as the notebook spells it (``python``, ``R``); ``python`` where it names none.
    language: str
    #: sha256 of the file as it was read.
    digest: str

    def cells(self, kind: str = "code") -> Iterator[dict[str, Any]]:
        """The cells of one kind."""
        return (cell for cell in self.content["cells"] if cell["cell_type"] == kind)

    def sources(self) -> tuple[str, ...]:
        """Sources of the code cells, in order."""
        return tuple(cell["source"] for cell in self.cells())

    def tagged(self, tag: str) -> dict[str, Any] | None:
        """The first cell with this tag."""
        return next((c for c in self.content["cells"] if tag in tags_of(c)), None)


def tags_of(cell: Mapping[str, Any]) -> tuple[str, ...]:
    """A cell's tags; none where the metadata is not as it should be."""
    tags = cell["metadata"].get("tags")
    return tuple(t for t in tags if isinstance(t, str)) if isinstance(tags, list) else ()


def read_notebook(path: Path | str) -> Notebook:
    """The notebook in a file, ``-`` for standard input. The same file always gives the same result.

    Raises ``NotebookError`` that says what the file is instead and what to do.
    """
    if str(path) == "-":
        return parse_notebook(sys.stdin.buffer.read(), None)
    path = Path(path).expanduser()
    return parse_notebook(_read_bytes(path), path.absolute())


def parse_notebook(data: bytes, path: Path | None) -> Notebook:
    """The notebook in a file's bytes; raises ``NotebookError``."""
    label = f"the notebook {path}" if path else "the notebook"
    content = _upgrade(_parse_json(data, label), data, label)
    return from_content(content, path, digest=sha256(data).hexdigest(), label=label)


def from_content(
    content: Mapping[str, Any],
    path: Path | None = None,
    *,
    digest: str = "",
    label: str = "the notebook",
) -> Notebook:
    """The notebook in an nbformat 4 document, which is left as it is; raises ``NotebookError``."""
    metadata = content.get("metadata")
    metadata = dict(metadata) if isinstance(metadata, Mapping) else {}
    # the state of widgets is output as well
    metadata.pop("widgets", None)
    cells = content.get("cells")
    if not isinstance(cells, list):
        raise NotebookError(f"{label} is JSON, but not a notebook: it has no list of cells")
    seen: set[str] = set()
    minor = content.get("nbformat_minor")
    clean = {
        "cells": [_clean_cell(cell, i, seen, label) for i, cell in enumerate(cells)],
        "metadata": metadata,
        "nbformat": FORMAT[0],
        "nbformat_minor": max(minor if isinstance(minor, int) else 0, FORMAT[1]),
    }
    kernel, language = _kernel_of(metadata)
    return Notebook(path, clean, kernel, language, digest)


def _read_bytes(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise NotebookError(f"there is no notebook {path}{_nearby(path)}") from None
    except IsADirectoryError:
        raise NotebookError(f"{path} is a directory, not a notebook{_inside(path)}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise NotebookError(f"the notebook {path} cannot be read: {reason}") from error
    if not data.strip():
        raise NotebookError(f"the notebook {path} is empty; open it in JupyterLab and save it once")
    return data


def _nearby(path: Path) -> str:
    from difflib import get_close_matches

    try:
        names = [p.name for p in path.parent.glob("*.ipynb")]
    except OSError:
        names = []
    if not path.parent.is_dir():
        return f": there is no directory {path.parent}"
    close = get_close_matches(path.name, names, n=1, cutoff=0.6)
    return f"; did you mean {path.parent / close[0]}?" if close else "; check the path"


def _inside(path: Path) -> str:
    names = sorted(p.name for p in path.glob("*.ipynb"))
    if not names:
        return "; name an .ipynb file"
    return f"; name a notebook in it, for example {names[0]}"


def _parse_json(data: bytes, label: str) -> dict[str, Any]:
    try:
        # bytes: json finds UTF-8, UTF-16 and UTF-32 with or without a byte order mark by itself
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        if conflict := _CONFLICT.search(data):
            line = data.count(b"\n", 0, conflict.start()) + 1
            raise NotebookError(
                f"{label} has Git's conflict markers in line {line}; resolve the merge first"
            ) from None
        raise NotebookError(
            f"{label} is not JSON ({_json_reason(error)}), so it is not a notebook; "
            "open it in JupyterLab to see what is left of it"
        ) from error
    if not isinstance(content, dict) or not isinstance(content.get("nbformat"), int):
        raise NotebookError(f"{label} is JSON, but not a notebook: it does not say its nbformat")
    return content


def _json_reason(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"line {error.lineno}, column {error.colno}: {error.msg}"
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start} is not {error.encoding}"
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)


def _upgrade(content: dict[str, Any], data: bytes, label: str) -> Mapping[str, Any]:
    version = content["nbformat"]
    if version == FORMAT[0]:
        return content
    if version > FORMAT[0]:
        raise NotebookError(
            f"{label} has nbformat {version}, which is newer than this jupyter-hybrid knows "
            f"({FORMAT[0]}); upgrade jupyter-hybrid, or save it in the older format"
        )
    import nbformat

    try:
        text = data.decode("utf-8-sig")
        upgraded: Mapping[str, Any] = nbformat.reads(text, as_version=FORMAT[0])  # type: ignore[no-untyped-call]
    # besides its own, nbformat lets through whatever its converters stumble over
    except (AttributeError, LookupError, TypeError, ValueError, nbformat.ValidationError) as error:
        raise NotebookError(
            f"{label} has the old nbformat {version} and cannot be upgraded "
            f"({type(error).__name__}: {error}); open and save it in JupyterLab"
        ) from error
    # the upgrade made random ids; ours must be the same at every submit
    for cell in upgraded["cells"]:
        cell.pop("id", None)
    return upgraded


def _clean_cell(cell: Any, index: int, seen: set[str], label: str) -> dict[str, Any]:
    """The cell without outputs, its source one string, with an id that no other cell has."""
    kind = cell.get("cell_type") if isinstance(cell, Mapping) else None
    if kind not in ("code", "markdown", "raw"):
        raise NotebookError(f"{label}: cell {index + 1} has the unknown type {kind!r}")
    source = cell.get("source", "")
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        source = "".join(source)
    if not isinstance(source, str):
        raise NotebookError(f"{label}: the source of cell {index + 1} is not text")
    metadata = cell.get("metadata")
    clean = {
        "cell_type": kind,
        "id": _cell_id(cell.get("id"), f"{index}:{kind}:{source}", seen),
        "metadata": dict(metadata) if isinstance(metadata, Mapping) else {},
        "source": source,
    }
    if kind == "code":
        clean["outputs"], clean["execution_count"] = [], None
    elif isinstance(cell.get("attachments"), Mapping):
        clean["attachments"] = cell["attachments"]
    return clean


def _cell_id(given: Any, content: str, seen: set[str]) -> str:
    """The id it has if that is valid and free, otherwise one made of content and place."""
    cell_id, attempt = given, 0
    while not isinstance(cell_id, str) or not _CELL_ID.fullmatch(cell_id) or cell_id in seen:
        seed = f"{attempt}:{content}".encode("utf-8", "surrogatepass")
        cell_id, attempt = sha256(seed).hexdigest()[:12], attempt + 1
    seen.add(cell_id)
    return cell_id


def _kernel_of(metadata: Mapping[str, Any]) -> tuple[str | None, str]:
    spec, info = metadata.get("kernelspec"), metadata.get("language_info")
    spec = spec if isinstance(spec, Mapping) else {}
    info = info if isinstance(info, Mapping) else {}
    name = spec.get("name")
    language = str(spec.get("language") or info.get("name") or "python")
    return (
        name if isinstance(name, str) and name else None,
        "python" if language.lower() in ("python", "ipython", "python3") else language,
    )
