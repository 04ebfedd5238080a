"""Durations and sizes as people write them, and as they read them."""

from __future__ import annotations

import math
import re

from .errors import UsageError

_SECONDS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SIZES = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h|d|)(?:ecs?|econds?|ins?|inutes?|ours?|ays?)?\s*")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgtp]?)(i?)(b?)", re.IGNORECASE)


def parse_duration(text: str) -> float:
    """Seconds in ``90``, ``30s``, ``2h``, ``1h30m``, ``1:30:00``, ``1-12:00:00`` or ``1d``.

    Raises ``UsageError`` for anything else and for zero.
    """
    value = _clock(text.strip()) if ":" in text else _phrase(text.strip().lower())
    if value is None or not 0 < value < math.inf:
        raise UsageError(
            f"{text!r} is not a duration. Write 90 (seconds), 30s, 10m, 2h or 1:30:00."
        )
    return value


def _clock(text: str) -> float | None:
    match = re.fullmatch(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+(?:\.\d+)?)", text)
    if match is None:
        return None
    days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return days * 86400 + hours * 3600 + minutes * 60 + seconds


def _phrase(text: str) -> float | None:
    total, position = 0.0, 0
    while position < len(text):
        match = _DURATION.match(text, position)
        if match is None or (not match[2] and match.end() < len(text)):
            return None
        total += float(match[1]) * _SECONDS[match[2]]
        position = match.end()
    return total if position else None


def parse_size(text: str) -> int:
    """Bytes in ``512M``, ``4G``, ``1.5GiB``, ``100kB`` or ``1048576``; units are powers of 1024.

    Raises ``UsageError`` for anything else and for zero.
    """
    match = _SIZE.fullmatch(text.strip())
    value = float(match[1]) * 1024 ** _SIZES[match[2].lower()] if match else 0.0
    if not 1 <= value < math.inf:
        raise UsageError(f"{text!r} is not a size. Write 512M, 4G or a number of bytes.")
    return int(value)


def format_size(n: int) -> str:
    """A number of bytes as people read it: ``17 B``, ``3.1 MB``, ``2.0 GB`` (powers of 1024)."""
    size = float(n)
    if size < 1024:
        return f"{n} B"
    for unit in ("kB", "MB", "GB", "TB"):
        size /= 1024
        if size < 1000 or unit == "TB":
            break
    return f"{size:.0f} {unit}" if size >= 100 else f"{size:.1f} {unit}"


def format_duration(s: float) -> str:
    """Seconds as people read them: ``12.3 s``, ``3 min 05 s``, ``2 h 10 min``, ``1 d 4 h``."""
    if s < 59.95:
        return f"{s:.1f} s"
    whole = round(s)
    minutes, seconds = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {seconds:02d} s"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes:02d} min"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h"
