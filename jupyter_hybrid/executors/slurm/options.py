"""What a Slurm target's configuration says::

c.Hybrid.targets = {"dgx": {
    "executor": "slurm", "host": "dgx", "root": "/scratch", "partition": "gpu",
    "setup": "module load python/3.11", "python": "/opt/site/bin/python",
}}
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from ...errors import ConfigError
from ..base import TargetConfig

#: Kinds of values that an option may have.
_TEXT, _NUMBER, _FLAG, _WORDS = "text", "number", "flag", "words"


@dataclass(frozen=True, kw_only=True)
class SlurmOptions:
    """The options of a Slurm target; all may be left out."""

    #: The login node as ssh knows it: a host, user@host or an alias; empty: this machine.
    host: str = field(default="", metadata={"kind": _TEXT})
    #: The words before ssh's own options: another program, a configuration file.
    ssh: tuple[str, ...] = field(default=("ssh",), metadata={"kind": _WORDS})
    #: Seconds that a shared connection stays open without anybody using it.
    persist: int = field(default=600, metadata={"kind": _NUMBER})
    #: The login node's Python (3.6 or newer) that speaks with this side.
    remote_python: str = field(default="", metadata={"kind": _TEXT})
    partition: str = field(default="", metadata={"kind": _TEXT})
    account: str = field(default="", metadata={"kind": _TEXT})
    qos: str = field(default="", metadata={"kind": _TEXT})
    constraint: str = field(default="", metadata={"kind": _TEXT})
    reservation: str = field(default="", metadata={"kind": _TEXT})
    licenses: str = field(default="", metadata={"kind": _TEXT})
    #: Further gres besides the GPUs that are asked for: ``nvme:1``.
    gres: str = field(default="", metadata={"kind": _TEXT})
    #: Nodes for this job alone.
    exclusive: bool = field(default=False, metadata={"kind": _FLAG})
    #: A preempted job is run again; without, a job never runs twice.
    requeue: bool = field(default=False, metadata={"kind": _FLAG})
    #: Further options of sbatch: ``["--mail-type=END"]``.
    sbatch: tuple[str, ...] = field(default=(), metadata={"kind": _WORDS})
    #: Lines of shell before the job: ``module load …``.
    setup: tuple[str, ...] = field(default=(), metadata={"kind": "lines"})
    #: The compute nodes' Python that has a kernel and papermill.
    python: str = field(default="python3", metadata={"kind": _TEXT})
    #: ``apptainer`` or ``singularity`` for jobs in images; empty or ``none``: there are no images.
    engine: str = field(default="", metadata={"kind": "engine"})
    #: Image of jobs that name none: a reference, or a path of a SIF over there.
    image: str = field(default="", metadata={"kind": _TEXT})
    #: Who fetches images and makes SIFs of them: the login node, a job, or this machine, which
    #: sends what it fetched to the login node.
    images: str = field(default="login", metadata={"kind": "images"})
    #: What containers see besides the job: ``["/scratch", "/data/shared:/data:ro"]``; ``{user}`` is
    #: the user over there.
    mounts: tuple[str, ...] = field(default=(), metadata={"kind": "mounts"})
    #: Further options of the engine's ``exec``: ``["--contain"]``, ``["--rocm"]``.
    engine_options: tuple[str, ...] = field(default=(), metadata={"kind": _WORDS})
    #: Price per hour of a node, or of a GPU where there are any.
    price: float | None = field(default=None, metadata={"kind": _NUMBER})

    @property
    def asked(self) -> dict[str, str]:
        """Options that sbatch may refuse, by name."""
        names = ("partition", "account", "qos", "constraint", "reservation", "licenses")
        return {name: getattr(self, name) for name in names}


def read_options(target: TargetConfig) -> SlurmOptions:
    """The target's options, checked; raises ``ConfigError``."""
    known = {f.name: f.metadata["kind"] for f in fields(SlurmOptions)}
    values: dict[str, Any] = {}
    for name, value in target.options.items():
        if name not in known:
            raise ConfigError(
                f"the target {target.name!r} has the unknown option {name!r}; "
                f"a Slurm one has: {', '.join(sorted(known))}"
            )
        try:
            values[name] = _READ[known[name]](value)
        except (TypeError, ValueError) as error:
            raise ConfigError(
                f"c.Hybrid.targets[{target.name!r}][{name!r}] is {value!r}; it must be {error}"
            ) from error
    return SlurmOptions(**values)


def _text(value: Any) -> str:
    if not isinstance(value, str) or "\n" in value:
        raise TypeError("a text of one line")
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("a number")
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError("True or False")
    return value


def _words(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(shlex.split(value))
    return tuple(map(_text, _listed(value)))


def _lines(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(value.splitlines())
    return tuple(map(_text, _listed(value)))


def _engine(value: Any) -> str:
    if value not in ("", "none", "apptainer", "singularity"):
        raise TypeError("'apptainer', 'singularity' or 'none'")
    return str(value)


def _images(value: Any) -> str:
    if value not in ("login", "job", "here"):
        raise TypeError("'login', 'job' or 'here'")
    return str(value)


def _mounts(value: Any) -> tuple[str, ...]:
    found = tuple(map(_text, _listed(value)))
    for text in found:
        parts = text.split(":")
        paths = parts[:-1] if len(parts) > 1 and parts[-1] in ("ro", "rw") else parts
        if len(paths) > 2 or not all(path.startswith("/") for path in paths):
            raise TypeError("a list of mounts: '/data', '/data:/inside' or '/data:/inside:ro'")
    return found


def _listed(value: Any) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise TypeError("a text, or a list of texts")
    return list(value)


_READ: Mapping[str, Any] = {
    _TEXT: _text, _NUMBER: _number, _FLAG: _flag, _WORDS: _words, "lines": _lines,
    "engine": _engine, "images": _images, "mounts": _mounts,
}  # fmt: skip
