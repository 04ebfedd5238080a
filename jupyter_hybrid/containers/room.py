"""Whether something fits on a disk, known before it is brought there."""

from __future__ import annotations

import shutil
from pathlib import Path

from ..errors import ImageError
from ..units import format_size

#: Bytes that stay free: a full disk hurts more than this one image is worth.
RESERVE = 256 << 20
#: How much larger layers are, at a guess, once they are unpacked: gzip makes an image's libraries
#: and programs two to two and a half times smaller.
UNPACKED = 2.5


def check_room(
    directory: Path,
    needed: int,
    what: str,
    way_out: str = "choose another disk (c.Hybrid.directory)",
) -> None:
    """Raise ``ImageError``, with numbers, where ``needed`` bytes do not fit on that disk.

    The directory need not exist yet.
    """
    existing = next(p for p in (directory, *directory.absolute().parents) if p.exists())
    free = shutil.disk_usage(existing).free
    lacking = needed + RESERVE - free
    if needed and lacking > 0:
        raise ImageError(
            f"{what} needs {format_size(needed)} at {directory}, where {format_size(free)} are "
            f"free; make room for {format_size(lacking)} more, or {way_out}",
            needed=needed,
            free=free,
        )
