"""The files of the project: what git tracks or would track; a plain walk without git."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def files(*suffixes: str) -> list[Path]:
    """Existing files of the project with one of the suffixes (all files without any), sorted."""
    found = _tracked() or _walked()
    return sorted(
        path for path in found if (not suffixes or path.suffix in suffixes) and path.is_file()
    )


def _tracked() -> list[Path]:
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    except OSError:
        return []
    return [ROOT / name for name in listed.stdout.decode().split("\0") if name]


def _walked() -> list[Path]:
    """A source distribution's files: everything that is not hidden, built or installed."""
    passed_over = {"build", "dist", "node_modules", "__pycache__"}
    return [
        path
        for path in ROOT.rglob("*")
        if not any(
            part.startswith(".") or part in passed_over or part.endswith(".egg-info")
            for part in path.relative_to(ROOT).parts
        )
    ]
