"""The small JSON files of a job's directory, as far as they can be believed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..files import replacing
from ..job import State
from ..paths import JobPaths
from ..spec import ExitRecord


def read_record(path: Path) -> dict[str, Any] | None:
    """The object in the file; None where there is none, or what is there is none."""
    try:
        record = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def read_exit(paths: JobPaths) -> ExitRecord | None:
    """The exit record that is here; None where there is none yet."""
    record = read_record(paths.exit)
    try:
        found = ExitRecord.from_json(record) if record else None
        return found if found is not None and State(found.state).final else None
    except (TypeError, ValueError):
        # the job can write there as well; what is no record ends nothing
        return None


def write_record(path: Path, record: Mapping[str, Any]) -> None:
    """Write JSON, private, by rename."""
    with replacing(path, 0o600) as file:
        file.write(json.dumps(record).encode("ascii"))
