"""Start the kernel: first of all, with nothing but the standard library.

The kernel talks over sockets in a private directory, never over TCP, where every user of the
machine could connect.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence

from ..errors import HybridError
from ..paths import JobPaths
from .homes import writable_homes
from .kept import PLACE
from .kernelspec import Kernel
from .memory import human
from .processes import PR_SET_PDEATHSIG, prctl

#: Paths of sockets may have 107 bytes on Linux; some kernels allow fewer.
SOCKET_PATH = 100
#: Channels with the number that ends each one's socket path.
CHANNELS = {"shell": 1, "iopub": 2, "stdin": 3, "control": 4, "hb": 5}

#: Variables of the session that started the job, which are none of the job's business.
SESSION_VARIABLES = ("JPY_SESSION_NAME", "JPY_PARENT_PID", "JPY_INTERRUPT_EVENT")
SESSION_PREFIXES = ("JUPYTERHUB_", "JPY_API_TOKEN", "JUPYTER_TOKEN", "CONFIGPROXY_")


#: Starts ipykernel with what ``lean`` leaves of its imports, out of the file in which they were
#: ``kept``, if there is one. ``bootstrap.py`` lets the user's code import like any other.
#: The kernel itself asks to die with the runner (PR_SET_PDEATHSIG, SIGKILL): it needs ctypes in any
#: case, which the runner would have to load before it starts the kernel.
QUICK = """\
import os, sys
from importlib.machinery import SourceFileLoader
try:
    for path, function, arguments in {!r}:
        scope = {{"__name__": "start"}}
        exec(SourceFileLoader("start", path).get_code("start"), scope)
        scope[function](*arguments)
except Exception:
    # a Python that is too old for these: it starts as ever
    pass
try:
    import ctypes
    ctypes.CDLL(None).prctl(1, 9, 0, 0, 0)
except (ImportError, OSError, AttributeError):
    pass
if os.environ["JPY_PARENT_PID"] == str(os.getppid()):
    import runpy
    runpy.run_module("ipykernel_launcher", run_name="__main__", alter_sys=True)
"""

#: Variable that tells a job's processes where the job is.
JOB_DIRECTORY = "JUPYTER_HYBRID_JOB_DIR"


class KernelNotStarted(HybridError):
    """The kernel could not be started."""


@dataclass
class RunningKernel:
    """A kernel that has been started, and where it is reached."""

    kernel: Kernel
    process: subprocess.Popen[bytes]
    directory: Path
    connection_file: Path
    started: float

    def sockets(self) -> List[Path]:
        """The sockets that the kernel makes once it is ready to be connected to."""
        return [self.directory / f"k-{number}" for number in CHANNELS.values()]

    def interrupt(self) -> None:
        """Interrupt what the kernel and its children are doing, if that is done by a signal."""
        if self.kernel.interrupt_mode == "message":
            return
        try:
            os.killpg(self.process.pid, signal.SIGINT)
        except (ProcessLookupError, PermissionError):
            pass

    def kill(self) -> None:
        """The kernel's process has ended when this returns."""
        self.process.kill()
        self.process.wait()


def socket_directory() -> Path:
    """A new private directory whose sockets have short enough paths.

    Raises ``KernelNotStarted`` where there is no place for it.
    """
    name = f"jh-{os.getpid()}-{os.urandom(4).hex()}"
    places = (os.environ.get("TMPDIR", "/tmp"), "/tmp", "/dev/shm", "/run")
    for parent in places:
        if len(os.fsencode(parent)) + len(name) + len("//k-5") < SOCKET_PATH:
            directory = Path(parent, name)
            try:
                directory.mkdir(mode=0o700)
            except OSError:
                continue
            return directory
    raise KernelNotStarted(
        f"No directory for the kernel's sockets: {places[0]} cannot be written or its path is too "
        "long, and neither can /tmp. Set TMPDIR to a short path for the job."
    )


def connection(directory: Path, name: str) -> Dict[str, Any]:
    """What the kernel's connection file says."""
    info: Dict[str, Any] = {f"{channel}_port": n for channel, n in CHANNELS.items()}
    info.update(
        transport="ipc",
        ip=str(directory / "k"),
        key=os.urandom(16).hex(),
        signature_scheme="hmac-sha256",
        kernel_name=name,
    )
    return info


def kernel_environment(
    base: Mapping[str, str], kernel: Kernel, extra: Mapping[str, str], paths: JobPaths
) -> Dict[str, str]:
    """The kernel's environment variables: the place's, without the submitting session's."""
    env = {
        name: value
        for name, value in base.items()
        if name not in SESSION_VARIABLES and not name.startswith(SESSION_PREFIXES)
    }
    env.update(writable_homes(env, paths.runtime))
    env.update(kernel.env)
    env.update({name: str(value) for name, value in extra.items()})
    env[JOB_DIRECTORY] = str(paths.directory)
    env.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    return env


def _die_with_runner() -> None:
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def start_kernel(
    kernel: Kernel, directory: Path, cwd: Path, env: Mapping[str, str], inherited: Sequence[int]
) -> RunningKernel:
    """Start the kernel's process and return at once; raises ``KernelNotStarted``.

    ``directory`` is a private one for its sockets; ``inherited`` are descriptors that it gets.
    """
    file = directory / "connection.json"
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            json.dump(connection(directory, kernel.name), stream)
    except OSError as error:
        # of a write, Python does not say where
        error.filename = str(file)
        raise
    argv = kernel.command(file)
    quick = kernel.argv[1:3] == ("-m", "ipykernel_launcher")
    if quick:
        # the user's own history is theirs
        argv = [argv[0], "-c", _quick(), *argv[3:], "--HistoryManager.hist_file=:memory:"]
    try:
        process = subprocess.Popen(
            argv,
            cwd=str(cwd),
            # kernels end with the process that this names, also where prctl cannot see to it
            env=dict(env, JPY_PARENT_PID=str(os.getpid())),
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            pass_fds=inherited,
            # the runner has one thread; nothing else makes another kernel die with it
            preexec_fn=None if quick else _die_with_runner,  # noqa: PLW1509
        )
    except OSError as error:
        raise KernelNotStarted(
            f"The kernel {kernel.name!r} could not be started: {_why(error, argv[0], env)}"
        ) from error
    return RunningKernel(kernel, process, directory, file, time.monotonic())


def _quick() -> str:
    here = Path(__file__).parent
    first: List[Any] = [(str(here / "lean.py"), "begin", ())]
    file = f"{PLACE}/kernel"
    if os.path.exists(file):  # noqa: PTH110
        first.insert(0, (str(here / "kept.py"), "use", (file,)))
    return QUICK.format(first)


def _why(error: OSError, program: str, env: Mapping[str, str]) -> str:
    if error.errno == errno.E2BIG:
        size = sum(len(name) + len(value) + 2 for name, value in env.items())
        return (
            f"its environment variables are too large ({human(size)}; one may have 128 kB). "
            "Put what is large into a file."
        )
    return (
        f"{program}: {error.strerror}. "
        "Install the kernel again where the job ran, or choose another."
    )


def parse_log_tail(data: bytes, lines: int = 6) -> str:
    """The last lines of a log that say something, as one text."""
    text = data.decode("utf-8", "replace")
    useful = [line.rstrip()[:500] for line in text.splitlines() if line.strip()]
    return "\n".join(useful[-lines:])


class LogTail:
    """What has been written to this process's standard error since now, where that is a file."""

    def __init__(self) -> None:
        try:
            status = os.fstat(2)
        except OSError:
            self._start: Optional[int] = None
            return
        self._start = status.st_size if os.path.isfile("/proc/self/fd/2") else None  # noqa: PTH113

    def read(self) -> str:
        """The last lines, or an empty text."""
        if self._start is None:
            return ""
        try:
            with open("/proc/self/fd/2", "rb") as file:
                file.seek(self._start)
                return parse_log_tail(file.read(1 << 20))
        except OSError:
            return ""
