"""Parts of files (RFC 9110, section 14)."""

from __future__ import annotations

import re

#: One part; several at a time are answered with the whole file, as the RFC allows.
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


def parse_range(header: str | None, size: int) -> tuple[int, int] | None:
    """First byte and the one behind the last of the part that a ``Range`` header asks for.

    None where no part is asked for, or not in a way that we know. Empty (first ≥ last) where the
    file has no such part.
    """
    match = _RANGE.fullmatch((header or "").replace(" ", ""))
    if match is None or match[0] == "bytes=-":
        return None
    if not match[1]:
        return max(0, size - int(match[2])), size
    first = int(match[1])
    if match[2] and int(match[2]) < first:
        return None
    return first, min(int(match[2]) + 1, size) if match[2] else size
