"""From the options of ``run`` to a request."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ParameterError, UsageError
from ..notebook_request import notebook_request
from ..parameters import parse_value, parse_yaml, read_parameter_file
from ..spec import Resources

if TYPE_CHECKING:
    from ..request import Request


def make_request(
    name: str, options: Namespace, *, here: bool, swept: Mapping[str, Any] | None = None
) -> Request:
    """The request for this notebook and the options; ``here`` as ``Hybrid.runs_here`` says.

    ``swept`` are parameters of this job of several.
    """
    parameters = read_parameters(options)
    if twice := parameters.keys() & (swept or {}).keys():
        raise ParameterError(f"the parameter {min(twice)!r} is set, and swept as well; do one")
    parameters.update(swept or {})
    notebook = fill_in(name, parameters)
    check_output(options.output, None if notebook == "-" else Path(notebook))
    directory = Path(options.cwd).expanduser().absolute() if options.cwd else None
    if directory is not None and not directory.is_dir():
        raise UsageError(f"there is no directory {directory}; check --cwd")
    return notebook_request(
        notebook,
        parameters=parameters,
        kernel=options.kernel,
        directory=directory,
        unchecked=options.unchecked,
        here=here,
        name=options.name,
        target=options.target,
        resources=resources_of(options),
        image=options.image,
        files=tuple(options.files),
        env=dict(options.env),
    )


def resources_of(options: Namespace) -> Resources:
    """The hardware and time that the options ask for."""
    return Resources(
        gpus=options.gpus,
        gpu_type=options.gpu_type,
        cpus=options.cpus,
        mem=options.mem,
        nodes=options.nodes,
        ntasks_per_node=options.ntasks_per_node,
        time=options.time,
    )


def read_parameters(options: Namespace) -> dict[str, Any]:
    """The parameters; the last of -b, -f, -y, -p, -r that gives a name counts, as in papermill."""
    values: dict[str, Any] = {}
    for text in options.base64:
        values.update(parse_yaml(_decoded(text), "--parameters-base64"))
    for name in options.files_of:
        values.update(read_parameter_file(Path(name).expanduser()))
    for text in options.yaml:
        values.update(parse_yaml(text, "--parameters-yaml"))
    values.update((name, parse_value(text)) for name, text in options.parameters)
    values.update(options.raw)
    return values


def read_sweep(options: Namespace) -> list[dict[str, Any]]:
    """The swept parameters of each job: all combinations, the last parameter changing first."""
    swept: dict[str, list[Any]] = {}
    for name, text in options.sweep:
        whole = parse_value(text) if text.lstrip().startswith("[") else None
        values = whole if isinstance(whole, list) else [*map(parse_value, text.split(","))]
        if name in swept or not values:
            raise ParameterError(f"--sweep {name}=… is wanted once, with at least one value")
        swept[name] = values
    return [dict(zip(swept, values, strict=True)) for values in product(*swept.values())]


def _decoded(text: str) -> str:
    import base64

    try:
        return base64.b64decode(text, validate=True).decode()
    except ValueError as error:
        raise ParameterError(f"--parameters-base64 is not base 64: {error}") from error


def fill_in(path: str, parameters: Mapping[str, Any]) -> str:
    """A path with the parameters' values in its ``{name}`` places, as papermill does it."""
    if "{" not in path or Path(path).exists():
        return path
    try:
        return path.format(**{"pm": _builtin(), **parameters})
    except (KeyError, IndexError) as error:
        raise ParameterError(f"{path} names the parameter {error}, which is not given") from error
    except (ValueError, AttributeError, TypeError) as error:
        raise ParameterError(f"{path} cannot be filled in with the parameters: {error}") from error


def _builtin() -> dict[str, Any]:
    from datetime import datetime, timezone
    from uuid import uuid4

    return {
        "run_uuid": str(uuid4()),
        "current_datetime_local": datetime.now(),
        "current_datetime_utc": datetime.now(timezone.utc),
    }


def check_output(output: str | None, notebook: Path | None) -> None:
    """Raise ``UsageError`` where the executed notebook cannot be written to ``output``."""
    if output is None:
        return
    path = Path(output).expanduser()
    if notebook is not None and path.exists() and notebook.exists() and path.samefile(notebook):
        raise UsageError(f"{output} is the notebook itself; name another file with --output")
    if path.is_dir():
        raise UsageError(f"{output} is a directory; name a file with --output")
