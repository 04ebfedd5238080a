"""What this machine has: cores, memory, GPUs."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Collection

#: What limits the threads of numerical libraries, and so the cores that a job uses.
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
#: nvidia-smi's columns that ``parse_gpus`` reads.
QUERY = "--query-gpu=name,memory.used,utilization.gpu"
#: Those that ``idle_first`` reads.
INDEXED = "--query-gpu=index,name,memory.used"
#: Those that ``parse_versions`` reads; programs of old drivers do not know the second.
DRIVER, CAPABILITY = "--query-gpu=driver_version", "--query-gpu=compute_cap"
#: A GPU with more memory in use than this (MiB) is somebody's.
IDLE_BELOW = 64
#: Percent of utilisation from which a GPU works; a display alone makes one or two.
WORKS_FROM = 5


def cpus() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def memory() -> int | None:
    """Bytes of memory of this machine; None where it does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return None


def gpus() -> dict[str, tuple[int, int]]:
    """GPUs by model: how many there are and how many are idle; empty without nvidia-smi."""
    return parse_gpus(_ask(QUERY))


def idle_first(model: str, text: str, taken: Collection[str] = ()) -> list[str]:
    """Indexes of the GPUs of this model (a part of its name), idle ones first.

    Those that are ``taken`` are not idle, whatever they do. ``text`` is nvidia-smi's answer to
    ``INDEXED`` with ``--format=csv,noheader,nounits``.
    """
    found = []
    for line in text.splitlines():
        index, _, rest = (part.strip() for part in line.partition(","))
        fields = [field.strip() for field in rest.split(",")]
        if len(fields) >= 2 and index.isdigit() and model.lower() in fields[0].lower():
            busy = not (fields[1].isdigit() and int(fields[1]) < IDLE_BELOW)
            found.append((busy or index in taken, int(index)))
    return [str(index) for _, index in sorted(found)]


def choose_gpus(model: str | None, count: int, taken: Collection[str] = ()) -> tuple[str, ...]:
    """Indexes of so many GPUs, those first that nobody uses; fewer where there are fewer."""
    return tuple(idle_first(model or "", _ask(INDEXED), taken))[:count] if count else ()


def driver() -> tuple[str, str]:
    """The GPU driver's version and the least compute capability; empty where it is not told."""
    version = parse_versions(_ask(DRIVER))
    return version, parse_versions(_ask(CAPABILITY)) if version else ""


def parse_versions(text: str) -> str:
    """The least of the versions, one a line, in nvidia-smi's answer; empty where there is none."""
    found = [line.strip() for line in text.splitlines()]
    versions = [line for line in found if line.replace(".", "").isdigit()]
    return min(versions, key=lambda v: [int(p) for p in v.split(".") if p], default="")


def _ask(query: str) -> str:
    program = shutil.which("nvidia-smi")
    if program is None:
        return ""
    try:
        done = subprocess.run(
            [program, query, "--format=csv,noheader,nounits"],
            capture_output=True, text=True, timeout=10, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        # a driver that does not answer gives no GPUs
        return ""
    return done.stdout


def gpus_work() -> bool:
    """Whether a GPU of this machine is at work now; False without nvidia-smi."""
    return parse_work(_ask(QUERY))


def parse_work(text: str) -> bool:
    """Whether a line of nvidia-smi's answer to ``QUERY`` is of a GPU that works."""
    used = [line.rpartition(",")[2].strip() for line in text.splitlines()]
    return any(percent.isdigit() and int(percent) >= WORKS_FROM for percent in used)


def parse_gpus(text: str) -> dict[str, tuple[int, int]]:
    """Read nvidia-smi's answer to ``QUERY`` with ``--format=csv,noheader,nounits``."""
    total: Counter[str] = Counter()
    idle: Counter[str] = Counter()
    for line in text.splitlines():
        fields = [field.strip() for field in line.split(",")]
        if len(fields) < 3 or not fields[0]:
            continue
        total[fields[0]] += 1
        used = fields[1]
        idle[fields[0]] += int(used.isdigit() and int(used) < IDLE_BELOW)
    return {model: (count, idle[model]) for model, count in total.items()}
