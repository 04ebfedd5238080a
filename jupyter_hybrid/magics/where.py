"""Which notebook, and which of its cells, a kernel is executing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any


def notebook_path(shell: Any) -> Path | None:
    """Absolute path of the notebook; None where nobody told the kernel.

    Jupyter servers, VS Code and papermill each have their own way to tell.
    """
    told = (
        shell.user_ns.get("__vsc_ipynb_file__"),
        os.environ.get("JPY_SESSION_NAME"),
        os.environ.get("PAPERMILL_INPUT_PATH"),
    )
    for text in told:
        if isinstance(text, str) and text.endswith(".ipynb"):
            path = Path(text).expanduser().absolute()
            if path.is_file():
                return path
    return None


def cell_id(shell: Any) -> str | None:
    """The id of the cell that is being executed, where the front end told it."""
    parent = getattr(shell, "parent_header", None)
    if not isinstance(parent, dict):
        return None
    found = (parent.get("metadata") or {}).get("cellId")
    return found if isinstance(found, str) else None
