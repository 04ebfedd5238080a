"""Who runs the job: one process, and never two.

Standard library only.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any, Dict, Mapping, Optional

from ..paths import JobPaths
from .processes import answers, boot_id, started_ticks


class Claimed(Exception):
    """Another process runs the job, or it has ended; the text says which."""


def _restarts() -> int:
    """How often the scheduler has put this job back into its queue."""
    count = os.environ.get("SLURM_RESTART_COUNT", "0")
    return int(count) if count.isdigit() else 0


def _mine(attempt: int) -> Dict[str, Any]:
    pid = os.getpid()
    return {
        "pid": pid,
        "started_ticks": started_ticks(pid),
        "boot_id": boot_id(),
        "host": os.uname().nodename,
        "attempt": attempt,
        "restarts": _restarts(),
    }


def is_living(claim: Mapping[str, Any]) -> bool:
    """Whether the process that made the claim may still be at work.

    A process of another host cannot be seen from here: it counts as living unless the scheduler
    says that it has restarted the job since.
    """
    if "host" not in claim:
        return False
    if claim.get("host") != os.uname().nodename:
        return _restarts() <= int(claim.get("restarts") or 0)
    pid = int(claim.get("pid") or 0)
    if boot_id() is None:
        # without /proc a number is all that there is
        return answers(pid)
    if claim.get("boot_id") not in (None, boot_id()):
        return False
    ticks = started_ticks(pid)
    return ticks is not None and claim.get("started_ticks") in (None, ticks)


def read_claim(path: Path) -> Optional[Dict[str, Any]]:
    """The claim in the file; None if there is none, ``{}`` if it was cut off in the middle."""
    deadline = time.monotonic() + 1.0
    while True:
        try:
            data = json.loads(path.read_bytes())
            return data if isinstance(data, dict) else {}
        except FileNotFoundError:
            return None
        except ValueError:
            # where there are no hard links, it may be half-written just now
            if time.monotonic() > deadline:
                return {}
            time.sleep(0.05)


def _create(path: Path, record: Mapping[str, Any]) -> bool:
    # a link of a complete file, so that no reader ever meets half a claim
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    scratch.write_text(json.dumps(record), encoding="utf-8")
    try:
        os.link(scratch, path)
    except FileExistsError:
        return False
    except OSError:
        # file systems without hard links
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        except FileExistsError:
            return False
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(record, file)
    finally:
        scratch.unlink()
    return True


def _set_aside(paths: JobPaths) -> bool:
    """Whether the job was ended by its scheduler, which now runs it again.

    The exit record of the attempt that ended then makes room for this one's.
    """
    from ..spec import Cause

    other = read_claim(paths.claim) or {}
    if _restarts() <= int(other.get("restarts") or 0):
        return False
    record = read_claim(paths.exit) or {}
    if record.get("cause") != Cause.PREEMPTED:
        return False
    paths.exit.replace(paths.exit.with_name(f"exit.{other.get('attempt') or 1}.json"))
    return True


def claim_job(paths: JobPaths) -> Dict[str, Any]:
    """Make this process the job's runner and return the claim; raises ``Claimed`` otherwise."""
    if paths.exit.exists() and not _set_aside(paths):
        raise Claimed(f"The job in {paths.directory} has ended: its exit record is {paths.exit}.")
    mine = _mine(attempt=1)
    if _create(paths.claim, mine):
        return mine
    other = read_claim(paths.claim) or {}
    if is_living(other):
        raise Claimed(
            f"Process {other.get('pid')} on {other.get('host')} already runs the job in "
            f"{paths.directory}; a job runs once. End that process first, or read its events."
        )
    attempt = int(other.get("attempt") or 1)
    while True:
        attempt += 1
        mine["attempt"] = attempt
        # the name of the attempt is the lock: of several that find a dead claim, one goes on
        lock = paths.claim.with_name(f"runner.{attempt}.json")
        if _create(lock, mine):
            break
        if is_living(read_claim(lock) or {}):
            raise Claimed(f"Another process has just taken over the job in {paths.directory}.")
    scratch = paths.claim.with_name(f".{paths.claim.name}.{os.getpid()}")
    scratch.write_text(json.dumps(mine), encoding="utf-8")
    scratch.replace(paths.claim)
    return mine
