"""A job's submit in other words: what to type, or to put into a program."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .cells.line import cell_parser
from .errors import UsageError
from .parameters import parse_value

if TYPE_CHECKING:
    from .job import Job
    from .spec import JobSpec, Resources

#: Fields of ``Resources`` in the order of the options, each with what means "not asked for".
_UNSET: tuple[tuple[str, Any], ...] = (
    ("gpus", 0),
    ("gpu_type", None),
    ("cpus", None),
    ("mem", None),
    ("nodes", 1),
    ("ntasks_per_node", 1),
    ("time", None),
)


#: A ``%%remote`` cell's line, which is the first of what the job executes.
_LINE = "# %%remote"


def commands(job: Job, notebook: Mapping[str, Any] | None = None) -> dict[str, str | None]:
    """For the command line, a notebook's cell and Python; None where there is no such way.

    A ``%%remote`` cell has a magic only: its line and, where the ``notebook`` that the job was sent
    with is given, what is below it.
    """
    spec = job.spec
    if spec.kind == "cell":
        return {"cli": None, "magic": _cell(spec, notebook), "python": None}
    if not spec.notebook_path:
        return {"cli": None, "magic": None, "python": None}
    where = ["--target", spec.target, *_options(spec)]
    named = ["--name", spec.name] if spec.name != Path(spec.notebook_path).stem else []
    words = [spec.notebook_path, *where, *named]
    env = [word for name, value in spec.env.items() for word in ("--env", f"{name}={value}")]
    return {
        "cli": shlex.join(["jupyter", "hybrid", "run", *words, *_parameters(spec), *env]),
        "magic": None if env else _magic(spec, words),
        "python": _python(spec),
    }


def _cell(spec: JobSpec, notebook: Mapping[str, Any] | None) -> str:
    """The cell as somebody would type it for this job."""
    cells = notebook["cells"] if notebook is not None else ()
    source = next((cell["source"] for cell in cells if cell["id"] in spec.shown_cells), "")
    typed, _, below = source.partition("\n")
    if not typed.startswith(_LINE):
        typed, below = "", source
    line = shlex.join(["%%remote", spec.target, *_options(spec), *_typed(typed)])
    # IPython ends a cell with a line break, notebooks do not
    return f"{line}\n{below}".removesuffix("\n")


def _typed(line: str) -> list[str]:
    """Options of the line that no spec has: what travels, and who waits."""
    # target, hardware and image are the spec's: a rerun may have changed them
    try:
        typed = cell_parser().parse_line(line.removeprefix(_LINE))
    except UsageError:
        # no line that was ever accepted: a notebook may have been written by anybody
        return []
    words = [word for names in typed.send for word in ("-i", names)]
    words += [word for names in typed.returns or () for word in ("-o", names)]
    words += ["--name", typed.name] if typed.name is not None else []
    words += ["--files", *typed.files] if typed.files else []
    return words + [f"--{flag}" for flag in ("replay", "detach") if getattr(typed, flag)]


def _options(spec: JobSpec) -> list[str]:
    words: list[str] = []
    for name, value in _asked(spec.resources).items():
        text = _plain(value) if isinstance(value, float) else str(value)
        words += [f"--{name.replace('_', '-')}", text]
    for name in ("image", "kernel"):
        value = getattr(spec, name)
        if value is not None and (name != "kernel" or value != "python3"):
            words += [f"--{name}", value]
    return words


def _plain(value: float) -> str:
    """All of its digits and no exponent, which no duration has."""
    return str(int(value)) if value.is_integer() else f"{Decimal(repr(value)):f}"


def _asked(resources: Resources) -> dict[str, Any]:
    values = {name: getattr(resources, name) for name, _ in _UNSET}
    return {name: values[name] for name, unset in _UNSET if values[name] != unset}


def _parameters(spec: JobSpec) -> list[str]:
    """Options that give the same values back when they are read."""
    words: list[str] = []
    for name, value in spec.parameters.items():
        if isinstance(value, str) and parse_value(value) != value:
            words += ["-r", name, value]
        else:
            words += ["-p", name, value if isinstance(value, str) else json.dumps(value)]
    return words


def _magic(spec: JobSpec, words: list[str]) -> str:
    pairs: list[str] = []
    for name, value in spec.parameters.items():
        plain = isinstance(value, str) and parse_value(value) == value
        pairs += ["-p", f"{name}={value if plain else json.dumps(value)}"]
    return shlex.join(["%remote", "run", *words, *pairs])


def _python(spec: JobSpec) -> str:
    arguments = [repr(spec.notebook_path), f"target={spec.target!r}"]
    if spec.parameters:
        arguments.append(f"parameters={dict(spec.parameters)!r}")
    asked = _asked(spec.resources)
    if asked:
        inner = ", ".join(f"{name}={value!r}" for name, value in asked.items())
        arguments.append(f"resources=jupyter_hybrid.Resources({inner})")
    if spec.name != Path(spec.notebook_path or "").stem:
        arguments.append(f"name={spec.name!r}")
    for name in ("image", "kernel"):
        value = getattr(spec, name)
        if value is not None and (name != "kernel" or value != "python3"):
            arguments.append(f"{name}={value!r}")
    if spec.env:
        arguments.append(f"env={dict(spec.env)!r}")
    return f"import jupyter_hybrid\n\njob = jupyter_hybrid.submit({', '.join(arguments)})"
