"""One job while it is executed: what every part of the runner shares. Standard library only."""

from __future__ import annotations

import signal
import time
from typing import Any, Callable, Dict, List, Optional

from ..events import Kind
from ..paths import JobPaths
from ..spec import ExitRecord, JobSpec
from .clock import Clock
from .control import Control
from .emit import DiskFull, Emitter, StreamBuffer
from .endings import (
    Ending,
    disk_full,
    kernel_died,
    oom_killed,
    over_memory,
    preempted,
    runner_died,
    why_ended,
)
from .kernel import LogTail, RunningKernel
from .memory import oom_kills

#: The part of the grace period in which an interrupted cell may clean up, and at most how long.
CLEAN_UP_SHARE, CLEAN_UP_SECONDS = 0.5, 5.0


class Session:
    """Where the job is, what it says and why it stops."""

    def __init__(self, paths: JobPaths, control: Control) -> None:
        self.paths, self.control = paths, control
        self.spec: JobSpec = JobSpec("", "", "notebook")
        self.clock = Clock()
        self.emitter = Emitter(paths)
        self.streams = StreamBuffer(self.emitter, self.call_later)
        self.kernel: Optional[RunningKernel] = None
        #: The notebook as it stands; replaced by papermill's own copies of it.
        self.notebook: Any = None
        #: Ids of the cells that were in the notebook that was sent.
        self.sent_ids: List[str] = []
        #: The cell whose error ended the notebook; None while none has.
        self.failed_cell: Optional[str] = None
        #: Name and value of its error, which not every kernel puts among the outputs as well.
        self.failed_with = "", ""
        #: Why the job is to stop; None while it is not.
        self.stopping: Optional[ExitRecord] = None
        self.loop: Any = None
        self.cancel_drive: Callable[[], Any] = lambda: None
        #: Interrupts a kernel that wants a message for it; called in the event loop.
        self.interrupt_by_message: Callable[[], Any] = lambda: None
        #: Asks a kernel that is one of several to end by itself.
        self.end_by_message: Callable[[], Any] = lambda: None
        #: Code that prepares the kernel; empty for languages other than Python.
        self.bootstrap = ""
        self.kernel_name = "python3"
        self.kernel_cwd = paths.work
        self.kernel_env: Dict[str, str] = {}
        self.kernel_log = LogTail()
        self._oom_before = oom_kills()

    def watch_signals(self) -> None:
        """SIGTERM ends the job with everything it has shown so far."""
        self.control.watch_signals(lambda: self.stop(self._reason_to_stop()))

    def _reason_to_stop(self) -> ExitRecord:
        reason = why_ended(self.paths, self.control.received())
        if reason is None and self.control.is_orphan():
            return runner_died(-signal.SIGKILL)
        # some places send SIGTERM to every process of the job, not only to the supervisor
        return reason or preempted()

    def stop(self, reason: ExitRecord) -> None:
        """End the job: interrupt the cell, let it clean up for a while, then end without it."""
        if self.stopping is not None:
            return
        self.stopping = reason
        if self.kernel is not None:
            self.kernel.interrupt()
        if self.loop is not None:
            patience = min(CLEAN_UP_SECONDS, CLEAN_UP_SHARE * self.spec.grace)
            self.loop.call_soon_threadsafe(self._stop_in_loop, patience)

    def _stop_in_loop(self, patience: float) -> None:
        self.interrupt_by_message()
        self.loop.call_later(patience, self.cancel_drive)

    def check(self) -> None:
        """Raise ``Ending`` where the job is to stop."""
        if self.stopping is not None:
            raise Ending(self.stopping)

    def call_later(self, seconds: float, action: Callable[[], None]) -> Any:
        """Call the action in the event loop."""
        return self.loop.call_later(seconds, self._guarded, action)

    def _guarded(self, action: Callable[[], None]) -> None:
        """A full disk found in a timer stops the job as one found anywhere else does."""
        try:
            action()
        except DiskFull:
            self.stop_for_space()

    def stop_for_space(self) -> None:
        """End the job because its directory's disk is full; what still fits is written."""
        self.emitter.ending = True
        self.stop(disk_full(str(self.paths.directory)))

    def note(self, text: str) -> None:
        """Tell the user something."""
        self.emitter.emit(Kind.NOTE, text=text)

    def why_kernel_died(self) -> ExitRecord:
        """The record for a kernel that is dead, with the reason that can be found."""
        if self.stopping is not None:
            return self.stopping
        code = self._returncode()
        said = self.control.received()
        if "memory" in said:
            used, limit = said["memory"]
            return over_memory(int(used), int(limit))
        now = oom_kills()
        if code == -signal.SIGKILL and now is not None and now > (self._oom_before or 0):
            return oom_killed()
        return kernel_died(code)

    def _returncode(self, patience: float = 1.0) -> Optional[int]:
        if self.kernel is None:
            return None
        deadline = time.monotonic() + patience
        while self.kernel.process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
        return self.kernel.process.poll()


class CellTimes:
    """Seconds that cells took, by id."""

    def __init__(self) -> None:
        self._began: Dict[str, float] = {}

    def begin(self, cell_id: str) -> None:
        """The cell begins now."""
        self._began = {cell_id: time.monotonic()}

    def seconds(self, cell_id: str) -> float:
        """Seconds since the cell began."""
        return round(time.monotonic() - self._began.get(cell_id, time.monotonic()), 6)
