"""Messages over two descriptors, in both directions at any time.

A message is two 4-byte big-endian lengths, a JSON header and a payload; the highest bit of a
length says that the part is compressed (zlib). ``id`` joins an answer to its request.
"""

import json
import os
import struct
import threading
import zlib
from typing import Any, Dict, Optional, Tuple

LENGTHS = struct.Struct(">II")
PACKED = 1 << 31
#: Bytes below which nothing is compressed.
SMALL = 512
#: Bytes that one payload holds at most.
CHUNK = 1 << 20

Header = Dict[str, Any]
Answer = Tuple[Header, bytes]


class Refused(Exception):
    """A request cannot be carried out; the text says why."""


class Connection:
    """Any thread may send; one receives."""

    def __init__(self, read: int, write: int) -> None:
        self.read, self.write = read, write
        self._file = os.fdopen(read, "rb", 1 << 18, closefd=False)
        self._lock = threading.Lock()

    def receive(self) -> Optional[Answer]:
        """The next header and payload; None at the end."""
        lengths = self._file.read(LENGTHS.size)
        if len(lengths) < LENGTHS.size:
            return None
        parts = []
        for length in LENGTHS.unpack(lengths):
            size = length & ~PACKED
            part = self._file.read(size)
            if len(part) < size:
                return None
            parts.append(zlib.decompress(part) if length & PACKED else part)
        return json.loads(parts[0].decode("ascii")), parts[1]

    def close(self) -> None:
        """Receive no more; the descriptors stay with whoever made them."""
        self._file.close()

    def send(self, header: Header, payload: bytes = b"") -> None:
        """Send one message; nobody may be listening any more."""
        view = memoryview(message(header, payload))
        with self._lock:
            try:
                while view:
                    view = view[os.write(self.write, view) :]
            except OSError:
                pass


def message(header: Header, payload: bytes) -> bytes:
    """The message as it travels."""
    parts, lengths = [], []
    for part in (json.dumps(header).encode("ascii"), payload):
        packed = zlib.compress(part, 1) if len(part) > SMALL else part
        smaller = len(packed) < len(part)
        parts.append(packed if smaller else part)
        lengths.append(len(parts[-1]) | (PACKED if smaller else 0))
    return LENGTHS.pack(*lengths) + b"".join(parts)
