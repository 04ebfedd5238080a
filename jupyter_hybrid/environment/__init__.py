"""What a notebook imports, what of that is installed here, and what an image has of it.

::

    source ─ imports_of ─> names ─ needed ─> Environment ─┐
                     requirements.txt … ─ declared ─┘     ├─ diff ─> keep | layer | conflict
    image ─ probe, or its layers ──────────> ImageFacts ──┘

Everything here reads; what is made of a difference is made in ``containers``.
"""

from __future__ import annotations

from .modules import (
    DISTRIBUTION,
    EDITABLE,
    LOCAL,
    MISSING,
    STDLIB,
    Located,
    editable_projects,
    find_module,
    holds_modules,
    imports_of,
    locate,
)

__all__ = [
    "DISTRIBUTION",
    "EDITABLE",
    "LOCAL",
    "MISSING",
    "STDLIB",
    "Located",
    "editable_projects",
    "find_module",
    "holds_modules",
    "imports_of",
    "locate",
]
