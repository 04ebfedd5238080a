"""How much more may be written into our directory: what the file system and a quota leave.

Quotas are what the site's own programs say of them: ``lfs quota`` on Lustre, ``quota`` elsewhere.
Network file systems have no call of the system's for it.
"""

import os
import re
import subprocess
import threading
import time
from typing import List, Optional, Tuple

from .wire import Answer, Header

#: Seconds that such a program may take: some ask every server of the site, and one may be away.
PATIENCE = 5.0
#: Seconds for which its answer is good.
FRESH = 30.0
#: Bytes of the blocks that quotas are counted in.
BLOCK = 1024
#: The row of a file system: its name; blocks used, soft and hard limit, grace; the same of files.
_ROW = re.compile(r"(\S+)\s+(\d+)\*?\s+(\d+)\s+(\d+)\s+\S+\s+(\d+)\*?\s+(\d+)\s+(\d+)")


def parse_mounts(text: str, path: str) -> Tuple[str, str, str]:
    """Device, mount point and kind of the file system that has the path, from ``proc(5)``."""
    found = ("", "", "")
    for line in text.splitlines():
        device, point, kind = [*line.split(), "", "", ""][:3]
        # blanks in mount points are written in octal
        point = point.replace("\\040", " ").replace("\\011", "\t")
        inside = path == point or path.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(found[1]):
            found = (device, point, kind)
    return found


def parse_quota(text: str, names: List[str]) -> Optional[Tuple[int, int]]:
    """Bytes used and allowed, from what ``quota -wp`` or ``lfs quota -q`` prints.

    None where there is no limit. Of several file systems it is the one of these names.
    """
    rows = _ROW.findall(text)
    named = [row for row in rows if row[0] in names]
    for _, used, soft, hard, _, _, _ in named or rows[: len(rows) == 1]:
        limit = int(hard) or int(soft)
        if limit:
            return int(used) * BLOCK, limit * BLOCK
    return None


class Room:
    """What is left for us."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._lock = threading.Lock()
        self._asked = float("-inf")
        self._quota: Optional[Tuple[int, int]] = None

    def room(self, header: Header, payload: bytes) -> Answer:
        """Bytes that are free, and [used, allowed] where there is a quota."""
        status = os.statvfs(self._root)
        with self._lock:
            if time.monotonic() - self._asked > FRESH:
                self._quota, self._asked = self._look(), time.monotonic()
        return {"free": status.f_bavail * status.f_frsize, "quota": self._quota}, b""

    def _look(self) -> Optional[Tuple[int, int]]:
        try:
            with open("/proc/self/mounts", errors="replace") as file:
                device, point, kind = parse_mounts(file.read(), self._root)
        except OSError:
            return None
        command = ["quota", "-w", "-p", "-f", point]
        if kind == "lustre":
            command = ["lfs", "quota", "-q", "-u", str(os.geteuid()), self._root]
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                check=False,
                timeout=PATIENCE,
                env=dict(os.environ, LC_ALL="C"),
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        # whoever is over the limit gets an exit status besides
        return parse_quota(done.stdout.decode("utf-8", "replace"), [device, point, self._root])
