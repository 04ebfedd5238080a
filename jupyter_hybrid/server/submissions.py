"""From the body of a request to what the manager is asked for."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from ..containers.references import parse_reference
from ..errors import (
    BundleError,
    HybridError,
    ImageError,
    NotebookError,
    ParameterError,
    UnknownTarget,
    UsageError,
)
from ..notebook_request import request_for
from ..parameters import parse_value
from ..spec import Resources
from ..units import parse_duration, parse_size
from .workspace import possible

if TYPE_CHECKING:
    from ..config import Hybrid
    from ..notebooks import Notebook
    from ..request import Request
    from .service import Service

#: Which field of a form an error belongs to.
_FIELDS: tuple[tuple[type[HybridError], str], ...] = (
    (NotebookError, "notebook"),
    (ParameterError, "parameters"),
    (BundleError, "files"),
    (UnknownTarget, "target"),
    (ImageError, "image"),
)


async def notebook_of(service: Service, body: Mapping[str, Any]) -> tuple[Notebook, bool, bool]:
    """The notebook that is meant, whether it is the one on screen, and whether that is unsaved."""
    path = await service.workspace.clean(body["path"])
    return await service.workspace.notebook(path, body.get("content"))


def request_of(service: Service, notebook: Notebook, body: Mapping[str, Any]) -> Request:
    """The request that a body describes; raises ``UsageError``."""
    target = service.manager.config.target(body.get("target"))
    stem = PurePosixPath(body["path"]).stem
    request = request_for(
        notebook,
        parameters=parameters_of(body),
        kernel=body.get("kernel"),
        unchecked=body.get("unchecked", False),
        here=service.manager.config.runs_here(target.name, body.get("image")),
        directory=None if notebook.path else service.empty(),
        name=body.get("name") or stem or None,
        target=target.name,
        resources=resources_of(body.get("resources") or {}),
        image=_checked_image(body.get("image")),
        env={**_checked(body.get("env") or {}), **variables_of(body.get("env_text") or "")},
        files=tuple(map(_glob, body.get("files") or ())),
        exclude=tuple(body.get("exclude") or ()),
    )
    if not service.workspace.files:
        note = "the server's contents are no files: nothing but the notebook travels"
        request = replace(request, notes=(*request.notes, note))
    return request


def parameters_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters; what somebody typed is read as the command line's ``-p`` reads it."""
    typed = body.get("parameter_texts") or {}
    return {
        **(body.get("parameters") or {}),
        **{name: parse_value(text) for name, text in typed.items()},
    }


def variables_of(text: str) -> dict[str, str]:
    """Variables as somebody types them, ``NAME=value``, one a line; raises ``UsageError``."""
    pairs = [line.partition("=") for line in text.splitlines() if line.strip()]
    for name, equals, value in pairs:
        named = equals and re.fullmatch(r"[A-Za-z_]\w*", name.strip(), re.ASCII)
        if not named or not possible(value):
            raise _no_variable(name + equals + value)
    return {name.strip(): value for name, _, value in pairs}


def _checked(variables: Mapping[str, str]) -> Mapping[str, str]:
    """Variables that a process can be given; raises ``UsageError``."""
    for name, value in variables.items():
        if not name or "=" in name or not possible(name + value):
            raise _no_variable(f"{name}={value}")
    return variables


def _no_variable(text: str) -> UsageError:
    return UsageError(f"{text!r} is no variable; write NAME=value, one a line")


def resources_of(body: Mapping[str, Any], old: Resources | None = None) -> Resources:
    """Hardware and time, where a size or a duration may be in words; raises ``UsageError``."""
    given = {name: value for name, value in body.items() if value not in (None, "")}
    for name, value in given.items():
        if isinstance(value, float) and name != "time":
            # JSON has one kind of numbers, and 2.0 counts as whole; programs' options have two
            given[name] = int(value)
    if isinstance(given.get("mem"), str):
        given["mem"] = parse_size(given["mem"])
    if isinstance(given.get("time"), str) or given.get("time") == math.inf:
        given["time"] = parse_duration(str(given["time"]))
    for name in ("mem", "time"):
        if name in given and not given[name] > 0:
            raise UsageError(
                f"{name}: {given[name]} is not enough; leave it empty, or ask for more"
            )
    return replace(old or Resources(), **given)


def image_named(name: str | None, config: Hybrid) -> str | None:
    """The image by the name that registries know; None for the target's own."""
    name = (_checked_image(name) or "").strip()
    return config.images.get(name, name) if name else None


def _checked_image(name: str | None) -> str | None:
    """The name if it is text that a program can be given; raises ``ImageError``."""
    if name and ("\0" in name or not _encodes(name)):
        # the grammar knows no such characters, and says what it wants
        parse_reference(name)
    return name


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def field_of(error: HybridError) -> str:
    """The field of the form that an error belongs to; empty where it is none's."""
    return next((field for kind, field in _FIELDS if isinstance(error, kind)), "")


def _glob(text: str) -> str:
    """A glob that stays in the notebook's folder or below it."""
    path = PurePosixPath(text)
    if not text.strip() or path.is_absolute() or ".." in path.parts or text.startswith("~"):
        raise BundleError(
            f"{text!r} does not stay in the notebook's folder; name files in it or below it"
        )
    return text
