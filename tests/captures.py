"""What the tests of capturing share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from jupyter_hybrid.capture import Plan

Make = Callable[..., Plan]


def write(root: Path, *paths: str, size: int = 1) -> None:
    """Files of ``size`` bytes at these paths below the root."""
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"x" * size)


def paths(plan: Plan) -> list[str]:
    """Paths of the files that would travel."""
    return [item.path for item in plan.items]


def refused(plan: Plan) -> dict[str, str]:
    """Reasons by path."""
    return dict(plan.refused)
