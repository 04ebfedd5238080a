"""Whether the operating system has ended a process for lack of memory, and bytes in words.

Standard library only.
"""

from __future__ import annotations

from pathlib import Path
from typing import List, Optional


def parse_counter(text: str, name: str = "oom_kill") -> Optional[int]:
    """The counter of that name in ``memory.events`` (v2) or ``memory.oom_control`` (v1)."""
    for line in text.splitlines():
        words = line.split()
        if len(words) == 2 and words[0] == name and words[1].isdigit():
            return int(words[1])
    return None


def parse_cgroup(text: str) -> List[str]:
    """Files below ``/sys/fs/cgroup`` that may count kills, from ``/proc/self/cgroup``."""
    found = []
    for line in text.splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            found.append(f"{path.rstrip('/')}/memory.events")
            found.append("/memory.events")
        elif "memory" in controllers.split(","):
            found.append(f"/memory{path.rstrip('/')}/memory.oom_control")
            found.append("/memory/memory.oom_control")
    return found


def oom_kills() -> Optional[int]:
    """How many processes of this control group the OOM killer has ended; None where unknown."""
    try:
        candidates = parse_cgroup(Path("/proc/self/cgroup").read_text(encoding="utf-8"))
    except OSError:
        return None
    for name in candidates:
        try:
            count = parse_counter(Path("/sys/fs/cgroup" + name).read_text(encoding="ascii"))
        except OSError:
            continue
        if count is not None:
            return count
    return None


def human(size: float) -> str:
    """Bytes in words, as ``units.format_size`` has them: ``1.5 GB``, in powers of 1024."""
    if size < 1024:
        return f"{size:.0f} B"
    for unit in ("kB", "MB", "GB", "TB"):
        size /= 1024
        if size < 1000 or unit == "TB":
            break
    return f"{size:.0f} {unit}" if size >= 100 else f"{size:.1f} {unit}"
