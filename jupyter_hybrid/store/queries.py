"""SQL that is read, reviewed and tested as SQL; Python calls it by name."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

#: (importlib.resources would import zipfile for what is a file)
_FOLDER = Path(__file__).parent
_NAME = re.compile(r"^-- (\w+) --$", re.MULTILINE)


def parse_queries(text: str) -> dict[str, str]:
    """Queries by name; each begins with a line ``-- name --``."""
    parts = _NAME.split(text)
    return {name: sql.strip() for name, sql in zip(parts[1::2], parts[2::2], strict=True)}


@lru_cache(maxsize=1)
def queries() -> Mapping[str, str]:
    """The queries of ``queries.sql``."""
    return parse_queries((_FOLDER / "queries.sql").read_text("utf-8"))


def migrations() -> list[list[str]]:
    """The statements that bring the schema from version 0 to 1, from 1 to 2, and so on."""
    scripts = sorted((_FOLDER / "migrations").glob("*.sql"))
    return [parse_statements(script.read_text("utf-8")) for script in scripts]


def parse_statements(text: str) -> list[str]:
    """The script's statements, which sqlite3 executes only one at a time inside a transaction."""
    statements, current = [], ""
    for line in text.splitlines(keepends=True):
        current += line
        if sqlite3.complete_statement(current):
            statements.append(current)
            current = ""
    return statements


#: The schema's version that this code reads and writes: the number of migrations.
VERSION = 4
