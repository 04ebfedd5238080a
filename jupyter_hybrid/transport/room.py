"""What may still be written on a machine, in a sentence before it is tried."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import PlaceError
from ..units import format_size
from . import Transport

#: Bytes from which it is asked whether there is room for them: below, writing is quicker.
WORTH_ASKING = 16 << 20


@dataclass(frozen=True)
class Room:
    """What is left in our directory there; all in bytes."""

    root: str
    host: str
    free: int
    #: What is used and what may be, where there is a quota.
    quota: tuple[int, int] | None = None

    @property
    def left(self) -> int:
        """What may still be written."""
        if self.quota is None:
            return self.free
        used, most = self.quota
        return min(self.free, max(0, most - used))

    def __str__(self) -> str:
        words = f"{format_size(self.free)} free in {self.root}"
        if self.quota is None:
            return words
        used, most = self.quota
        return f"{words}, {format_size(used)} of your quota of {format_size(most)} used"


async def ask_room(transport: Transport, patience: float) -> Room:
    """What is left there; of a quota, what the site's own program says."""
    header, _ = await transport.ask("room", patience=patience)
    root, quota = await transport.root(patience), header["quota"]
    return Room(root, transport.host, header["free"], tuple(quota) if quota else None)


async def require_room(transport: Transport, size: int, what: str, patience: float) -> None:
    """Raise ``PlaceError`` where so many bytes (``what``, in words) do not fit."""
    if size < WORTH_ASKING:
        return
    room = await ask_room(transport, patience)
    if size <= room.left:
        return
    left = f"{format_size(room.left)} are left"
    if room.quota is not None and room.left < room.free:
        used, most = room.quota
        left = (
            f"your quota leaves {format_size(room.left)} ({format_size(used)} of "
            f"{format_size(most)} are used)"
        )
    raise PlaceError(
        f"{what} would take {format_size(size)}, and in {room.root} on {room.host} {left}; "
        "make room there, or name another directory: the target's option 'root'"
    )
