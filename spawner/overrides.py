"""What a user's choice has set is gone with the next start.

A spawner lives as long as the hub, and profiles *merge* into its dicts: without this, a GPU asked
for once, and perhaps never had, is asked for again by the next server.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any


class Overrides:
    """Remembers what traits were before profiles changed them."""

    def __init__(self) -> None:
        self._before: dict[str, Any] = {}
        self._after: dict[str, Any] = {}

    def about_to(self, owner: Any, names: Iterable[str]) -> None:
        """Remember what these attributes are; the first value of each counts."""
        for name in names:
            if name not in self._before and hasattr(owner, name):
                self._before[name] = _copied(getattr(owner, name))

    def done(self, owner: Any) -> None:
        """Remember what they are now."""
        self._after = {name: _copied(getattr(owner, name)) for name in self._before}

    def undo(self, owner: Any) -> None:
        """Set them to what they were, save those that somebody else has set since."""
        before, after = self._before, self._after
        self._before, self._after = {}, {}
        for name, value in before.items():
            if name not in after or getattr(owner, name) == after[name]:
                setattr(owner, name, value)


def _copied(value: Any) -> Any:
    return copy.deepcopy(value) if isinstance(value, (dict, list)) else value
