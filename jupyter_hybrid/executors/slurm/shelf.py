"""What lies on a cluster for later jobs (images, layers, runners, blobs), and what may go."""

from __future__ import annotations

from ...errors import PlaceError
from ...transport import Transport
from ...transport.room import ask_room
from ...units import format_size
from ..base import Freed
from .queue import Queue

#: Seconds before a job's submit in which what it needs was made ready.
BEFORE = 3600.0
DAY = 86_400.0
#: Seconds for which a connection that broke is made anew.
PATIENCE = 60.0
#: The folders in words.
_WORDS = {"images": "images", "layers": "layers", "blobs": "files of jobs"}


async def kept(transport: Transport) -> str:
    """Sizes, the room that is left and the quota, in words."""
    header, _ = await transport.ask("prune", before=0.0, patience=PATIENCE)
    sizes = [
        f"{format_size(header['kept'][folder])} of {words}"
        for folder, words in _WORDS.items()
        if header["kept"].get(folder)
    ]
    return "; ".join([*sizes, str(await ask_room(transport, PATIENCE))])


async def prune(transport: Transport, queue: Queue, days: float) -> Freed:
    """Remove what no job wanted for so many days, but nothing that one in the queue may need.

    Raises ``PlaceError`` where the machine or its queue does not answer: then nothing goes.
    """
    hello = (await transport.channel(PATIENCE)).hello
    done = await queue.command(
        "squeue", "--noheader", f"--user={hello['user']}", "--format=%V", patience=PATIENCE
    )
    if done.code != 0:
        raise PlaceError(f"squeue on {transport.host}: {done.stderr.strip()}", transient=True)
    header, _ = await transport.ask("prune", before=0.0, patience=PATIENCE)
    lines = done.stdout.decode("ascii", "replace").splitlines()
    # (some sites' programs print warnings as well; of a time that cannot be read, all is needed)
    times = [line.strip() for line in lines if line[:1].isdigit()]
    waiting = [float(time) if time.isdigit() else 0.0 for time in times]
    # all times are those of the machine there
    limits = [header["time"] - days * DAY, *(moment - BEFORE for moment in waiting)]
    header, _ = await transport.ask("prune", before=min(limits), patience=PATIENCE)
    return Freed(sum(header["freed"].values()), sum(header["kept"].values()))
