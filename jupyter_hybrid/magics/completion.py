"""Tab completion of ``%%remote`` and ``%remote``: targets, verbs, jobs and options."""

from __future__ import annotations

import sqlite3
from typing import Any

from ..api import manager
from ..cells.line import Parser, cell_parser
from ..errors import HybridError
from ..job import SHORT_ID
from .verbs import VERBS

#: Jobs that are offered.
OFFERED = 30


def complete_remote(shell: Any, event: Any) -> list[str]:
    """Candidates for the word at the cursor. Never raises: a completion has no place for errors."""
    words = event.line.split()
    before = words[1:] if event.line.endswith(" ") else words[1:-1]
    try:
        found = _candidates(words[0], before, event.symbol)
    except (HybridError, OSError, sqlite3.Error):
        found = []
    return [candidate for candidate in found if candidate.startswith(event.symbol)]


def _candidates(magic: str, before: list[str], symbol: str) -> list[str]:
    if magic == "%%remote":
        return _of_cell(before, symbol)
    if not before:
        return list(VERBS)
    entry = VERBS.get(before[0])
    if entry is None:
        return []
    parser, _, about_job = entry
    if symbol.startswith("-"):
        return _options(parser())
    if before[-1] == "--target":
        return _targets()
    return _jobs(symbol) if about_job else []


def _jobs(symbol: str) -> list[str]:
    """Ids as tables show them; whole ones too for who has begun to write one."""
    ids = [job.id for job in manager().jobs(limit=OFFERED)]
    return [*(job_id[-SHORT_ID:] for job_id in ids), *(ids if symbol else [])]


def _of_cell(before: list[str], symbol: str) -> list[str]:
    if symbol.startswith("-"):
        return _options(cell_parser())
    return [] if before else [*_targets(), *_options(cell_parser())]


def _targets() -> list[str]:
    return list(manager().config.target_options())


def _options(parser: Parser) -> list[str]:
    return [option for action in parser._actions for option in action.option_strings]
