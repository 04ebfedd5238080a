"""What is asked for: a job's specification and the results it ends with.

Frozen records with their JSON form next to them. Readers ignore keys they do not know, so that
an older runner understands a newer submitter. Python 3.8, standard library only.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any, Mapping, Optional, Tuple, Type, TypeVar

T = TypeVar("T")


def _from_json(cls: Type[T], data: Mapping[str, Any]) -> T:
    known = {f.name for f in fields(cls)}  # type: ignore[arg-type]
    return cls(**{key: value for key, value in data.items() if key in known})


@dataclass(frozen=True)
class Resources:
    """Hardware and time a job asks for."""

    #: Number of GPUs per node.
    gpus: int = 0
    #: Model of GPU as the target names it, e.g. ``v100``.
    gpu_type: Optional[str] = None
    #: CPU cores per node; None leaves it to the target.
    cpus: Optional[int] = None
    #: Memory per node in bytes; None leaves it to the target.
    mem: Optional[int] = None
    #: Number of nodes.
    nodes: int = 1
    #: Processes on each node, each of which runs the whole notebook (MPI, torchrun).
    ntasks_per_node: int = 1
    #: Wall time in seconds; None leaves it to the target.
    time: Optional[float] = None

    @property
    def ranks(self) -> int:
        """Processes in all, each of which runs the notebook."""
        return self.nodes * self.ntasks_per_node


@dataclass(frozen=True)
class JobSpec:
    """What was asked for. Never holds a secret."""

    #: What the user calls the job.
    name: str
    #: The target's name.
    target: str
    #: ``cell`` (from ``%%remote``) or ``notebook``.
    kind: str
    #: Absolute path of the user's notebook, where one is known.
    notebook_path: Optional[str] = None
    #: Kernel name (kernelspec); None: this environment's Python kernel.
    kernel: Optional[str] = None
    #: The notebook's language, as in its metadata.
    language: str = "python"
    #: Parameters in papermill's sense; JSON values.
    parameters: Mapping[str, Any] = field(default_factory=dict)
    #: Directory, relative to the work directory, in which the kernel starts.
    cwd: str = "."
    #: Directories, relative to the work directory, that the kernel also imports from, last of all.
    import_paths: Tuple[str, ...] = ()
    #: Ids of the cells that are the user's own (``cell`` jobs have context cells as well).
    shown_cells: Tuple[str, ...] = ()
    #: Id, in the user's notebook, of the ``%%remote`` cell that this is; None where nobody told it.
    source_cell: Optional[str] = None
    #: Container image reference; None runs in the target's own environment.
    image: Optional[str] = None
    #: Extra environment variables for the kernel. Values are not secret.
    env: Mapping[str, str] = field(default_factory=dict)
    resources: Resources = field(default_factory=Resources)
    #: Seconds between the polite and the firm signal.
    grace: float = 10.0

    def to_json(self) -> dict[str, Any]:
        """A JSON object; ``from_json`` reads it back."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> JobSpec:
        """Read ``to_json``'s object, ignoring keys of newer versions."""
        values = dict(data)
        values["resources"] = _from_json(Resources, values.get("resources") or {})
        for name in ("shown_cells", "import_paths"):
            values[name] = tuple(values.get(name) or ())
        return _from_json(cls, values)


#: Final states that an exit record may name.
COMPLETED, FAILED, CANCELLED = "COMPLETED", "FAILED", "CANCELLED"


class Cause:
    """Why a job did not complete. The values are stored and shown; never rename one."""

    CELL_ERROR = "cell-error"
    KERNEL_DIED = "kernel-died"
    KERNEL_START = "kernel-not-started"
    OUT_OF_MEMORY = "out-of-memory"
    WALL_TIME = "wall-time"
    PREEMPTED = "preempted"
    DISK_FULL = "disk-full"
    RUNNER_DIED = "runner-died"
    BAD_NOTEBOOK = "bad-notebook"
    INPUT_REFUSED = "input-refused"
    CANCELLED = "cancelled"
    SUBMIT_INTERRUPTED = "submit-interrupted"
    REFUSED = "refused"
    IMAGE_NOT_PULLED = "image-not-pulled"
    LOST = "lost"
    INTERNAL = "internal"


@dataclass(frozen=True)
class ExitRecord:
    """How a job ended; the runner's last word."""

    #: ``COMPLETED``, ``FAILED`` or ``CANCELLED``.
    state: str
    #: One of ``Cause``'s values; None where the job completed.
    cause: Optional[str] = None
    #: One sentence for the user: what happened and what to do next.
    message: str = ""
    #: The failing cell.
    cell_id: Optional[str] = None
    #: The exception's class name, text and traceback lines (with ANSI colours) of that cell.
    ename: Optional[str] = None
    evalue: Optional[str] = None
    traceback: Tuple[str, ...] = ()
    #: Exit code and signal of the process that died, where one did.
    code: Optional[int] = None
    signal: Optional[int] = None
    #: Seconds since the epoch, by the place's clock.
    started_at: Optional[float] = None
    finished_at: Optional[float] = None
    #: Seconds by a monotonic clock.
    seconds: Optional[float] = None
    #: Largest resident memory of the job's processes together, in bytes.
    peak_memory: Optional[int] = None

    def to_json(self) -> dict[str, Any]:
        """A JSON object; ``from_json`` reads it back."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ExitRecord:
        """Read ``to_json``'s object, ignoring keys of newer versions."""
        values = dict(data)
        values["traceback"] = tuple(values.get("traceback") or ())
        return _from_json(cls, values)
