"""Which mapped buffers have been written to: the kernel of the system knows without reading them.

A page of a private mapping is the file's until it is written; then it is the process's own
(``Anonymous`` in ``/proc/self/smaps``, or ``Swap``; see proc(5)). Python 3.8.
"""

from __future__ import annotations

import ctypes
import re
from typing import Any, Dict, Iterable, Iterator, List, Tuple

_RANGE = re.compile(r"([0-9a-f]+)-([0-9a-f]+) ")
_OWN = re.compile(r"(?:Anonymous|Swap): +(\d+) kB")


def address(view: Any) -> int:
    """Where the buffer begins in memory; 0 for one that is read-only or empty."""
    try:
        return ctypes.addressof(ctypes.c_char.from_buffer(view))
    except (TypeError, ValueError):
        return 0


def parse_smaps(lines: Iterable[str]) -> Iterator[Tuple[int, int, int]]:
    """Start, end and kilobytes of pages of its own, for each mapping in ``/proc/PID/smaps``."""
    start = end = own = 0
    for line in lines:
        found = _RANGE.match(line)
        if found:
            if end:
                yield start, end, own
            start, end, own = int(found[1], 16), int(found[2], 16), 0
            continue
        amount = _OWN.match(line)
        if amount:
            own += int(amount[1])
    if end:
        yield start, end, own


def written(buffers: Iterable[Any]) -> Dict[int, bool]:
    """Whether each mapped buffer was written to, by its address; left out where nobody can tell."""
    places = {address(buffer): len(buffer) for buffer in buffers}
    if not places:
        return {}
    try:
        with open("/proc/self/smaps", encoding="ascii", errors="replace") as file:
            mappings: List[Tuple[int, int, int]] = list(parse_smaps(file))
    except OSError:
        return {}
    found: Dict[int, bool] = {}
    for place, size in places.items():
        # one buffer may have become several mappings, for parts that differ in protection
        parts = [m for m in mappings if m[0] < place + size and m[1] > place]
        if parts:
            found[place] = any(own for _, _, own in parts)
    return found
