"""What a Python kernel printed last, in memory that outlives the kernel.

Printed text leaves a kernel through threads and sockets, and dies with them in the middle: by
``os._exit``, a segmentation fault or the OOM killer. The kernel (``bootstrap.py``) therefore also
writes the end of it into memory shared with the supervisor. Standard library only.

Per stream, standard output first: three numbers of 8 bytes (bytes and characters printed, and
characters at the beginning of the current cell), then a ring of ``RING`` bytes.
"""

from __future__ import annotations

import mmap
import os
import struct
from typing import Iterator, Mapping, Optional, Tuple

STREAMS = ("stdout", "stderr")
RING = 256 * 1024
_NUMBER, _NUMBERS = struct.Struct("Q"), struct.Struct("3Q")
_AREA = _NUMBERS.size + RING
#: Characters by which the text that arrived is found again in the ring.
_OVERLAP = 200


class Journal:
    """The shared memory, as the runner and its supervisor see it."""

    def __init__(self) -> None:
        """Raises ``OSError`` or ``AttributeError`` where the system has no such memory."""
        #: What the kernel inherits.
        self.descriptor = os.memfd_create("jupyter-hybrid-journal")
        os.ftruncate(self.descriptor, _AREA * len(STREAMS))
        self._memory = mmap.mmap(self.descriptor, _AREA * len(STREAMS))

    def begin_cell(self) -> None:
        """What is printed from now on is the next cell's."""
        for area in range(0, len(self._memory), _AREA):
            # nothing but this number is written from here: the kernel may be printing
            _NUMBER.pack_into(self._memory, area + 16, *_NUMBER.unpack_from(self._memory, area + 8))

    def lost(self, arrived: Mapping[str, Arrived]) -> Iterator[Tuple[str, str]]:
        """Stream names with the text that a dead kernel printed in this cell and nobody read."""
        for number, name in enumerate(STREAMS):
            text = self._lost(number * _AREA, arrived.get(name) or Arrived())
            if text:
                yield name, text

    def _lost(self, area: int, arrived: Arrived) -> str:
        size, length, before = _NUMBERS.unpack_from(self._memory, area)
        missing = length - before - arrived.length
        if missing <= 0:
            return ""
        kept = self._text(area, size)
        if missing > len(kept):
            gap = f"[{missing - len(kept)} characters were lost when the kernel died]\n"
            return gap + kept
        before, after = kept[: len(kept) - missing], kept[len(kept) - missing :]
        common = min(len(before), len(arrived.end))
        if before[len(before) - common :] == arrived.end[len(arrived.end) - common :]:
            return after
        # a thread of an earlier cell has printed as well: the counts are not this cell's
        found = kept.rfind(arrived.end)
        return kept[found + len(arrived.end) :] if found >= 0 else ""

    def _text(self, area: int, size: int) -> str:
        ring = self._memory[area + _NUMBERS.size : area + _AREA]
        if size <= RING:
            data = ring[:size]
        else:
            data = ring[size % RING :] + ring[: size % RING]
            # the first character may have been cut
            while data and data[0] & 0xC0 == 0x80:
                data = data[1:]
        try:
            return data.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            return data.decode("utf-8", "replace")


class Arrived:
    """How much of one stream of a cell has arrived, and its end."""

    def __init__(self) -> None:
        self.length = 0
        self.end = ""

    def add(self, text: str) -> None:
        """More of it has arrived."""
        self.length += len(text)
        self.end = text[-_OVERLAP:] if len(text) >= _OVERLAP else (self.end + text)[-_OVERLAP:]


def make_journal() -> Optional[Journal]:
    """The journal for one job; None where the system has no memory that a kernel can inherit."""
    try:
        return Journal()
    except (AttributeError, OSError):
        return None
