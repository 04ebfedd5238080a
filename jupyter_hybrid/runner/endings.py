"""How a job ended, in one sentence and in a record. Standard library only."""

from __future__ import annotations

import errno
import json
import signal
from dataclasses import replace
from itertools import accumulate
from typing import Any, Mapping, Optional, Sequence

from ..paths import JobPaths
from ..spec import CANCELLED, COMPLETED, FAILED, Cause, ExitRecord
from .documents import write_bytes
from .emit import remove_reserves
from .memory import human
from .ranks import failed_rank

#: Bytes of JSON that one text of an exit record may take, and all lines of its traceback.
LONGEST_TEXT, LONGEST_TRACEBACK = 8_000, 32_000
#: What a signal means, for readers who do not know their names.
SIGNALS = {
    "SIGSEGV": "segmentation fault",
    "SIGKILL": "killed",
    "SIGABRT": "aborted",
    "SIGBUS": "bus error",
    "SIGFPE": "arithmetic error",
    "SIGILL": "illegal instruction",
    "SIGTERM": "terminated",
    "SIGINT": "interrupted",
    "SIGXCPU": "CPU time limit exceeded",
    "SIGXFSZ": "file size limit exceeded",
}


class Ending(Exception):
    """The job ends here, with this record."""

    def __init__(self, record: ExitRecord) -> None:
        super().__init__(record.message)
        self.record = record


def signal_words(number: int) -> str:
    """A signal in words: ``segmentation fault (SIGSEGV)``."""
    try:
        name = signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
    return f"{SIGNALS[name]} ({name})" if name in SIGNALS else name


def death_words(returncode: int) -> str:
    """How a process ended, from ``Popen.returncode``."""
    return signal_words(-returncode) if returncode < 0 else f"exit code {returncode}"


def failed(cause: str, message: str) -> ExitRecord:
    """The record of a job that did not complete."""
    return ExitRecord(FAILED, cause, message)


def completed() -> ExitRecord:
    """The record of a job that did."""
    return ExitRecord(COMPLETED)


def cancelled() -> ExitRecord:
    """The record of a job that its user told to end."""
    message = "The job was cancelled; what it had printed and written until then is kept."
    return ExitRecord(CANCELLED, Cause.CANCELLED, message)


def preempted() -> ExitRecord:
    """The record of a job that the place told to end."""
    message = (
        "The place ended the job with SIGTERM, though nobody cancelled it: it was preempted, "
        "its time was up or the machine went down. Submit it again; what it had printed and "
        "written is kept."
    )
    return failed(Cause.PREEMPTED, message)


def why_ended(paths: JobPaths, said: Mapping[str, Sequence[float]]) -> Optional[ExitRecord]:
    """The record of a job that was told to end, by what its supervisor ``said``; None for others.

    Of several reasons the supervisor's own is told: what was asked for later came too late.
    """
    if "wall-time" in said:
        return out_of_time(said["wall-time"][0])
    if "memory" in said:
        return over_memory(int(said["memory"][0]), int(said["memory"][1]))
    if paths.cancel.exists():
        return cancelled()
    if (other := failed_rank(paths.directory)) is not None:
        return rank_failed(other)
    return preempted() if "terminated" in said else None


def out_of_time(seconds: float) -> ExitRecord:
    """The record of a job that took longer than its wall time."""
    message = (
        f"The job was stopped after its wall time of {seconds:.15g} s. Ask for more with --time; "
        "what it had printed and written until then is kept."
    )
    return failed(Cause.WALL_TIME, message)


def rank_failed(other: Mapping[str, Any]) -> ExitRecord:
    """The record of a job of several processes of which another one failed."""
    record = ExitRecord.from_json(other)
    where = f"Rank {other.get('rank')} on {other.get('host')}"
    said = record.message or "it did not complete"
    words = f"{where} failed, and the others were ended: {said}"
    return replace(record, state=FAILED, cause=record.cause or Cause.RUNNER_DIED, message=words)


def over_memory(used: int, limit: int) -> ExitRecord:
    """The record of a job that used more memory than it had asked for."""
    message = (
        f"The job used {human(used)} of memory, more than its limit of {human(limit)}. Ask for "
        "more with --mem, or work on less data at a time."
    )
    return failed(Cause.OUT_OF_MEMORY, message)


def oom_killed() -> ExitRecord:
    """The record of a job whose kernel the operating system ended for lack of memory."""
    message = (
        "The machine ran out of memory and ended the kernel (SIGKILL by the OOM killer). Ask for "
        "more with --mem, or work on less data at a time."
    )
    return failed(Cause.OUT_OF_MEMORY, message)


#: Signals that end a process because somebody sends them, and not for a fault of its own.
_SENT = (
    signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2,
    signal.SIGALRM, signal.SIGPIPE,
)  # fmt: skip


def kernel_died(returncode: Optional[int]) -> ExitRecord:
    """The record of a job whose kernel's process ended in the middle."""
    if returncode is None:
        return failed(Cause.KERNEL_DIED, "The kernel died, and nothing tells why.")
    message = f"The kernel died while the notebook was executed: {death_words(returncode)}."
    if returncode == -signal.SIGKILL:
        message += " Somebody killed it, or the machine ran out of memory."
    elif -returncode in _SENT:
        message += " The cell, or somebody else, sent it this signal."
    elif returncode < 0:
        message += " A compiled library crashed; what had been printed before is in the outputs."
    else:
        message += " Something in the cell ended the process, as os._exit and exit do."
    record = failed(Cause.KERNEL_DIED, message)
    if returncode < 0:
        return replace(record, signal=-returncode)
    return replace(record, code=returncode)


def runner_died(status: int) -> ExitRecord:
    """The record of a job whose runner died, from its wait status as a return code."""
    message = (
        f"The process that drove the notebook died: {death_words(status)}. What the notebook had "
        "printed until then is kept. Submit it again; %remote logs shows what the process wrote."
    )
    record = failed(Cause.RUNNER_DIED, message)
    return replace(record, signal=-status) if status < 0 else replace(record, code=status)


def disk_full(where: str, number: Optional[int] = errno.ENOSPC) -> ExitRecord:
    """The record of a job that could not write any more; ``number`` is the system's for it."""
    what = f"No space is left on the disk of {where}"
    if number == errno.EDQUOT:
        what = f"Your disk quota is used up where {where} is"
    message = (
        f"{what}. Delete what is not needed there or write elsewhere; outputs until then are kept."
    )
    return failed(Cause.DISK_FULL, message)


def from_os_error(error: OSError, doing: str) -> ExitRecord:
    """The record of a job that ended because a file could not be read or written."""
    where = str(error.filename or "the job directory")
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return disk_full(where, error.errno)
    return failed(Cause.INTERNAL, f"While {doing}: {where}: {error.strerror or error}.")


def shortened(text: str, limit: int) -> str:
    """The text, or its beginning and end where it takes more than ``limit`` bytes of JSON."""
    if len(text) <= limit and len(json.dumps(text)) <= limit:
        return text
    half = min(len(text), limit) // 2
    while True:
        left = f"\n[… {len(text) - 2 * half} characters left out; the notebook has them …]\n"
        shown = text[:half] + left + text[len(text) - half :]
        if half == 0 or len(json.dumps(shown)) <= limit:
            return shown
        half = half * 3 // 4


def _ends(lines: Sequence[str]) -> Sequence[str]:
    """The lines, or the first and the last of them where all are too long."""
    lines = [shortened(line, LONGEST_TEXT) for line in lines]
    sizes = [len(json.dumps(line)) for line in lines]
    if sum(sizes) <= LONGEST_TRACEBACK:
        return lines
    first = sum(size <= LONGEST_TRACEBACK / 2 for size in accumulate(sizes))
    last = len(lines) - sum(size <= LONGEST_TRACEBACK / 2 for size in accumulate(sizes[::-1]))
    left = f"[… {last - first} parts left out; the notebook has them …]"
    return [*lines[:first], left, *lines[last:]]


def bounded(record: ExitRecord) -> ExitRecord:
    """The record without what is too long for one: stores hold many, and a full disk must too."""
    return replace(
        record,
        message=shortened(record.message, LONGEST_TEXT),
        evalue=None if record.evalue is None else shortened(record.evalue, LONGEST_TEXT),
        traceback=tuple(_ends(record.traceback)),
    )


def write_exit(paths: JobPaths, record: ExitRecord) -> None:
    """Write the exit record: by rename, and on the disk for good when this returns."""
    remove_reserves(paths.directory)
    data = json.dumps(bounded(record).to_json()).encode("utf-8")
    write_bytes(paths.exit, data, sync=True)
