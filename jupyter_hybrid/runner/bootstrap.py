"""Prepare a Python kernel for a job; runs inside it, and leaves no name in the user's namespace.

Read and executed by path, in kernels whose environment knows nothing of this package: standard
library only, Python 3.8. ``SETTINGS`` is in the globals: paths, flush_interval and
journal (a descriptor and the bytes of a ring), if there is one.
"""

from __future__ import annotations

import importlib
import mmap
import os
import struct
import sys
import threading
from typing import Any, Mapping, Optional


def quicken_streams(interval: float) -> None:
    """What the user prints leaves the kernel after ``interval`` seconds instead of 0.2."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "flush_interval"):
            stream.flush_interval = interval


class LastWords:
    """Keeps the end of what is printed in the runner's memory (``journal.py``).

    ipykernel's streams write to their ``echo`` all that is written to them, before it leaves.
    """

    def __init__(self, memory: Any, area: int, ring: int, echo: Any) -> None:
        self._memory, self._area, self._ring, self._echo = memory, area, ring, echo
        self._numbers = struct.Struct("2Q")
        self._lock, self._pid = threading.RLock(), os.getpid()

    def write(self, text: str) -> None:
        """Called by the stream, in the thread that prints."""
        if os.getpid() != self._pid:
            # a forked child may find the lock taken by a thread that it does not have
            self._lock, self._pid = threading.RLock(), os.getpid()
        with self._lock:
            self._keep(text.encode("utf-8", "surrogatepass"), len(text))
        if self._echo is not None:
            self._echo.write(text)

    def _keep(self, data: bytes, length: int) -> None:
        memory, ring, start = self._memory, self._ring, self._area + 24
        size, before = self._numbers.unpack_from(memory, self._area)
        end = size + len(data)
        data = data[-ring:]
        begin = (end - len(data)) % ring
        first = data[: ring - begin]
        memory[start + begin : start + begin + len(first)] = first
        memory[start : start + len(data) - len(first)] = data[len(first) :]
        self._numbers.pack_into(memory, self._area, end, before + length)

    def flush(self) -> None:
        """Called by the stream when it sends."""
        if self._echo is not None:
            self._echo.flush()


def keep_last_words(descriptor: int, ring: int) -> None:
    """What the user prints outlives the kernel."""
    area = 24 + ring
    memory = mmap.mmap(descriptor, 2 * area)
    # no child of the kernel is to have it
    os.close(descriptor)
    for number, stream in enumerate((sys.stdout, sys.stderr)):
        if hasattr(stream, "echo"):
            stream.echo = LastWords(memory, number * area, ring, stream.echo)


def keep_all_messages() -> None:
    """A burst of outputs is queued; by default ZeroMQ drops what is beyond a thousand."""
    shell: Optional[Any] = sys.modules["IPython"].get_ipython()
    thread: Any = getattr(getattr(shell, "kernel", None), "iopub_thread", None)
    socket = getattr(thread, "socket", None)
    if socket is None:
        return

    def unlimited() -> None:
        socket.sndhwm = 0

    # the socket belongs to its thread
    thread.schedule(unlimited)


def keep_streams_usable() -> None:
    """A cell cannot leave behind a stream that the kernel fails at: it gets its own one back.

    ipykernel flushes both before it replies, and IPython replaces their ``write``. Where that fails
    there is no reply, and the job would wait for one for ever.
    """
    shell: Optional[Any] = sys.modules["IPython"].get_ipython()
    own = {"stdout": sys.stdout, "stderr": sys.stderr}
    if shell is None:
        return

    def look() -> None:
        for name, kernels in own.items():
            stream: Any = getattr(sys, name, None)
            if stream is kernels:
                continue
            try:
                stream.flush()
                stream.write = stream.write
            except Exception as error:  # noqa: BLE001 (it is the user's code)
                setattr(sys, name, kernels)
                why = f"{type(error).__name__}: {error}"
                text = f"sys.{name} is the kernel's again, which cannot use what it was: {why}"
                own["stderr"].write(text + "\n")

    shell.events.register("post_execute", look)


def end_by_exit() -> None:
    """``exit()`` ends the notebook as ``sys.exit()`` does.

    ipykernel would end the kernel a tenth of a second later, whichever cell that is at by then.
    """
    shell: Optional[Any] = sys.modules["IPython"].get_ipython()
    if shell is None:
        return
    usual = shell.ask_exit

    def ask_exit() -> None:
        if not getattr(shell, "keepkernel_on_exit", None):
            sys.exit(0)
        usual()

    shell.ask_exit = ask_exit


def let_import() -> None:
    """From now on imports are Python's own: nothing is kept out (``lean``), or kept (``kept``)."""
    for place, finder in enumerate(sys.meta_path):
        if getattr(finder, "kept_by", "") == "jupyter_hybrid":
            sys.meta_path[place : place + 1] = finder.others  # type: ignore[attr-defined]
            break
    for name in ("debugpy", "jedi", "IPython.terminal.embed"):
        module = sys.modules.get(name, sys)
        if module is None or getattr(module, "kept_by", "") == "jupyter_hybrid":
            del sys.modules[name]


def close_port() -> None:
    """What forked processes print comes over a socket of the kernel's directory, not over TCP.

    ipykernel opens a port for that as it starts, which every user of the machine could connect to.
    Where it does so in another way than is known here, it is left alone.
    """
    kernel: Any = getattr(sys.modules["IPython"].get_ipython(), "kernel", None)
    app: Any = getattr(kernel, "parent", None)
    thread: Any = getattr(kernel, "iopub_thread", None)
    pipe = getattr(getattr(thread, "_pipe_in", None), "socket", None)
    if pipe is None or getattr(app, "transport", None) != "ipc":
        return
    zmq = sys.modules["zmq"]
    address = f"ipc://{app.ip}-6"

    def move() -> None:
        pipe.unbind(pipe.last_endpoint)
        pipe.bind(address)

    def connect() -> Any:
        # as ipykernel has it, but for the address: a context does not outlive a fork
        context = zmq.Context()
        out = context.socket(zmq.PUSH)
        out.linger = 3000
        out.connect(address)
        return context, out

    thread._setup_pipe_out = connect
    # the socket belongs to its thread
    thread.schedule(move)


def install(settings: Mapping[str, Any]) -> None:
    """Do all of it."""
    # appended, never in front: the environment's own packages win
    sys.path.extend(path for path in settings["paths"] if path not in sys.path)
    quicken_streams(settings["flush_interval"])
    if settings["journal"]:
        keep_last_words(*settings["journal"])
    keep_all_messages()
    keep_streams_usable()
    end_by_exit()
    let_import()
    close_port()
    importlib.invalidate_caches()


if "SETTINGS" in globals():
    install(globals()["SETTINGS"])
