"""What the supervisor and its runner share. Standard library only, and little of that."""

from __future__ import annotations

import json
import mmap
import os
import signal
import struct
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional

from .clock import Clock
from .journal import make_journal


class Control:
    """What the supervisor tells the runner: messages through a pipe, numbers in shared memory."""

    def __init__(self) -> None:
        self.supervisor = os.getpid()
        self._read, self._write = os.pipe()
        for descriptor in (self._read, self._write):
            os.set_blocking(descriptor, False)
        self.clock = Clock()
        self._said: Dict[str, List[float]] = {}
        self._shared = mmap.mmap(-1, 8)
        #: What the kernel printed last; None where the system has no memory for it.
        self.journal = make_journal()
        #: The other processes of a job of several (``ranks.Ranks``); None in any other.
        self.ranks: Any = None
        #: Private directory for the kernel's sockets, removed in the end.
        self.sockets: Optional[Path] = None
        #: What the runner does when it is told to end; until it can, it only takes note.
        self.on_sigterm: Optional[Callable[[], None]] = None
        self._told = False

    def hear_signals(self) -> None:
        """Called by the runner, first of all: SIGTERM no longer ends it in the middle."""
        signal.signal(signal.SIGTERM, self._on_sigterm)
        # heard and passed over: what is ignored, here or by the shell that started the job, would
        # be ignored by every program that is started from here, kernels included
        for number in (signal.SIGINT, signal.SIGQUIT):
            signal.signal(number, lambda number, frame: None)

    def _on_sigterm(self, number: int, frame: Any) -> None:
        self._told = True
        if self.on_sigterm is not None:
            self.on_sigterm()

    def watch_signals(self, action: Callable[[], None]) -> None:
        """Called by the runner: ``action`` ends the job; at once, if it is late."""
        self.on_sigterm = action
        # a supervisor that died before the runner asked for a signal of its death sends none
        if self._told or self.is_orphan():
            action()

    def is_orphan(self) -> bool:
        """Whether the supervisor has died before the runner."""
        return os.getppid() != self.supervisor

    def say(self, word: str, *numbers: float) -> None:
        """Called by the supervisor, before the signal that the runner will wonder about."""
        # kept here as well: a runner that dies later has taken it out of the pipe
        self._said[word] = list(numbers)
        try:
            os.write(self._write, json.dumps([word, *numbers]).encode("ascii") + b"\n")
        except BlockingIOError:
            # the runner stands still, and there is nothing in the pipe that it must hear twice
            pass

    def received(self) -> Dict[str, List[float]]:
        """Everything said so far, by word, in the process that said it and in the other."""
        data = b""
        try:
            while chunk := os.read(self._read, 4096):
                data += chunk
        except BlockingIOError:
            pass
        for line in data.splitlines():
            word, *numbers = json.loads(line)
            self._said[word] = numbers
        return self._said

    @property
    def peak(self) -> int:
        """The largest memory of the job so far, in bytes."""
        return int(struct.unpack("Q", self._shared[:8])[0])

    @peak.setter
    def peak(self, size: int) -> None:
        self._shared[:8] = struct.pack("Q", size)
