"""How values and types are put into a message."""

from __future__ import annotations

import json
from typing import Any

#: Characters of a value that a message shows.
SHOWN = 40


def shown(value: Any) -> str:
    """A value, shortened, as it would be typed."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


def article(noun: str) -> str:
    """The noun with its article."""
    return f"an {noun}" if noun[:1].lower() in "aeiou" else f"a {noun}"
