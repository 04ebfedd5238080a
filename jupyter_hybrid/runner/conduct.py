"""The runner's course: kernel first, everything else while it boots, the exit record last."""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Union

from ..errors import BundleError, HybridError, NotebookError
from ..paths import JobPaths
from .control import Control
from .kernel import (
    KernelNotStarted,
    LogTail,
    RunningKernel,
    kernel_environment,
    socket_directory,
    start_kernel,
)
from .kernelspec import Kernel, KernelMissing, find_kernel

if TYPE_CHECKING:
    from ..spec import ExitRecord

#: Seconds that a kernel has to end by itself.
FAREWELL = 5.0

_AGAIN = (
    "The place has started this job again (attempt {}): it begins with its first cell. What it "
    "had written or sent elsewhere before is still there."
)


def _kernel_cwd(paths: JobPaths, spec: Dict[str, Any]) -> Path:
    from .layout import safe_path

    relative = str(spec.get("cwd") or ".")
    cwd = paths.work if relative == "." else paths.work / safe_path(relative)
    cwd.mkdir(parents=True, exist_ok=True)
    return cwd


class Runner:
    """One job from its directory to its exit record."""

    def __init__(self, paths: JobPaths, blobs: Path, control: Control, claim: Dict[str, Any]):
        self._paths, self._blobs, self._control, self._claim = paths, blobs, control, claim
        self._cwd = paths.work
        self._kernel: Any = None
        self._started: Any = None
        self._files: Any = None
        self._start_error: Union[HybridError, OSError, None] = None
        self._env: Dict[str, str] = {}
        self._log = LogTail()
        self._ask_kernel_to_end: Callable[[], Any] = lambda: None

    def start(self, spec: Dict[str, Any]) -> None:
        """Start the kernel, before anything is imported that it does not need."""
        try:
            self._cwd = _kernel_cwd(self._paths, spec)
            self._kernel = find_kernel(spec.get("kernel"))
            self._env = kernel_environment(
                os.environ, self._kernel, spec.get("env") or {}, self._paths
            )
            # others may read files of the work directory at their start: those must be there first
            if self._kernel.provisioner is None and _is_python(self._kernel):
                self._started = self._start()
        except (KernelMissing, KernelNotStarted, BundleError, OSError) as error:
            self._start_error = error

    def _start(self) -> RunningKernel:
        directory = self._control.sockets
        if directory is None:
            directory = self._control.sockets = socket_directory()
        journal = self._control.journal
        inherited = () if journal is None else (journal.descriptor,)
        return start_kernel(self._kernel, directory, self._cwd, self._env, inherited)

    def conduct(self) -> None:
        """Execute the notebook and write everything that is to be known of it."""
        from .endings import Ending, completed
        from .finish import Finish
        from .session import Session

        session = Session(self._paths, self._control)
        session.watch_signals()
        session.kernel = self._started
        finish = Finish(session)
        doing = "preparing the job"
        try:
            self._prepare(session, finish)
            self._load(session)
            doing = "executing the notebook"
            self._execute(session)
            record = completed()
        except Ending as ending:
            record = ending.record
        # the runner's door: whatever else goes wrong must end in an exit record
        except Exception as error:  # noqa: BLE001
            traceback.print_exc()
            record = record_of(error, doing, self._paths.directory)
        if self._files is not None:
            self._files.stop()
        finish.write(record)
        self._ask_kernel_to_end = session.end_by_message

    def part(self) -> None:
        """Let the kernel end by itself, as one of several that have completed.

        Processes of MPI then take leave of each other, for which all wait; Slurm's PMIx takes one
        that is killed for a failure, and calls the job of those that it ends cancelled.
        """
        if self._started is None:
            return
        self._ask_kernel_to_end()
        until = time.monotonic() + FAREWELL
        while self._started.process.poll() is None and time.monotonic() < until:
            time.sleep(0.02)

    def _prepare(self, session: Any, finish: Any) -> None:
        from ..events import Kind
        from ..spec import Cause, JobSpec
        from .endings import Ending, disk_full, failed
        from .guest import bootstrap_code
        from .layout import LayingOut

        if session.emitter.no_room:
            raise Ending(disk_full(str(self._paths.directory)))
        session.spec = JobSpec.from_json(json.loads(self._paths.spec.read_bytes()))
        python = ".".join(map(str, sys.version_info[:3]))
        claim = {name: self._claim[name] for name in ("host", "pid", "attempt")}
        session.emitter.emit(Kind.STARTED, python=python, **claim)
        if claim["attempt"] > 1:
            session.note(_AGAIN.format(claim["attempt"]))
        if isinstance(self._start_error, OSError):
            raise self._start_error
        if self._start_error is not None:
            cause = Cause.INTERNAL
            if isinstance(self._start_error, (KernelMissing, KernelNotStarted)):
                cause = Cause.KERNEL_START
            raise Ending(failed(cause, str(self._start_error)))
        self._read(session)
        is_python = _is_python(self._kernel)
        finish.sent = self._manifest()
        self._files = LayingOut(finish.sent, self._paths.work, self._blobs)
        finish.layout = self._files.layout
        if is_python:
            imports, journal = session.spec.import_paths, self._control.journal
            session.bootstrap = bootstrap_code(self._paths, imports, journal)
        else:
            self._await_files(session)
        if self._started is None and self._kernel.provisioner is None:
            session.kernel = self._started = self._start()
        session.kernel_log, session.kernel_cwd = self._log, self._cwd
        session.kernel_env, session.kernel_name = self._env, self._kernel.name
        session.check()

    def _read(self, session: Any) -> None:
        from .documents import read_document

        session.notebook = self.document = read_document(self._paths.notebook)
        session.sent_ids = [cell["id"] for cell in self.document["cells"]]
        _check_parameters(session.spec.parameters, session.spec.language)

    def _manifest(self) -> Dict[str, Any]:
        try:
            data = json.loads(self._paths.files.read_bytes())
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise BundleError(f"files.json is not a file manifest: {error}") from error
        return data if isinstance(data, dict) else {}

    def _load(self, session: Any) -> None:
        from .imports import load_papermill

        load_papermill()
        session.check()
        from . import engine  # noqa: F401 - what it imports takes as long as many files
        from .kept import forget

        forget()
        self._await_files(session)

    def _await_files(self, session: Any) -> None:
        self._files.wait(lambda: session.stopping is None)
        session.check()

    def _execute(self, session: Any) -> None:
        from .engine import execute

        ranks = self._control.ranks
        if ranks is not None:
            ranks.await_files(lambda: session.stopping is None)
        execute(self.document, session)
        if ranks is not None:
            ranks.await_others(lambda: session.stopping is None)
            session.check()


def _is_python(kernel: Kernel) -> bool:
    # bash_kernel and others start with python -m as well; the language tells
    return kernel.language == "python"


def _check_parameters(parameters: Any, language: str) -> None:
    wrong: List[str] = [name for name in parameters if not str(name).isidentifier()]
    if wrong and language == "python":
        raise NotebookError(
            f"{wrong[0]!r} is not a name that Python can assign to, so it cannot be a parameter."
        )


def record_of(error: Exception, doing: str, directory: Path) -> ExitRecord:
    """The record of a job that this error ended."""
    from .endings import failed, from_os_error

    if isinstance(error, OSError):
        return from_os_error(error, doing)
    return failed(*_translate(error, doing, directory))


def _translate(error: Exception, doing: str, directory: Path) -> tuple[str, str]:
    """Cause and sentence for an error that nobody has put into words yet."""
    from ..spec import Cause
    from .emit import DiskFull
    from .endings import disk_full

    if isinstance(error, NotebookError):
        return Cause.BAD_NOTEBOOK, str(error)
    if isinstance(error, KernelNotStarted):
        return Cause.KERNEL_START, str(error)
    if isinstance(error, BundleError):
        return Cause.INTERNAL, str(error)
    if isinstance(error, DiskFull):
        return Cause.DISK_FULL, disk_full(str(directory)).message
    if isinstance(error, ImportError):
        return Cause.INTERNAL, (
            f"The job's environment lacks what executes notebooks ({error}). Install papermill "
            "and ipykernel there, or name an image that has them."
        )
    return Cause.INTERNAL, (
        f"While {doing}: {type(error).__name__}: {error}. This is an error of jupyter-hybrid; "
        "%remote logs has the details."
    )
