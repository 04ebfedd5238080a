"""The OpenAPI document as the handlers use it: what a request may say is read from there."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from ..errors import UsageError

DOCUMENT = Path(__file__).with_name("openapi.yaml")
#: libyaml reads the document in a tenth of the time, where it is there.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@lru_cache(maxsize=1)
def document() -> dict[str, Any]:
    """The OpenAPI document."""
    parsed: dict[str, Any] = yaml.load(DOCUMENT.read_text("utf-8"), _LOADER)
    return parsed


def operation(path: str, method: str) -> dict[str, Any]:
    """What the document says of a method (in lower case) of a path, as written there."""
    found: dict[str, Any] = document()["paths"][path][method]
    return found


def validator(schema: Mapping[str, Any]) -> Draft202012Validator:
    """A validator for a schema of the document, references into its components included."""
    return Draft202012Validator({**schema, "components": document()["components"]})


def check_body(path: str, method: str, body: Any) -> None:
    """Raise ``UsageError`` where a request's body is not what the document says."""
    wanted = _body_schema(path, method)
    error = best_match(wanted.iter_errors(body)) if wanted is not None else None
    if error is not None:
        where = ".".join(str(part) for part in error.absolute_path)
        raise UsageError(f"{where}: {_shortened(error.message)}" if where else error.message)


def read_query(path: str, method: str, given: Mapping[str, str]) -> dict[str, Any]:
    """The query's values in their types, with defaults; what the document has not is passed over.

    Raises ``UsageError`` for a value of another type, for one out of its range, and without one
    that is required.
    """
    values: dict[str, Any] = {}
    for parameter in operation(path, method).get("parameters", ()):
        if parameter["in"] != "query":
            continue
        name, schema = parameter["name"], parameter["schema"]
        if name in given:
            value = _typed(name, given[name], schema["type"])
            error = best_match(Draft202012Validator(schema).iter_errors(value))
            if error is not None:
                raise UsageError(f"{name}: {error.message}")
            values[name] = value
        elif "default" in schema:
            values[name] = schema["default"]
        elif parameter.get("required"):
            raise UsageError(f"{name} is not given: {parameter['description']}")
    return values


@lru_cache(maxsize=32)
def _body_schema(path: str, method: str) -> Draft202012Validator | None:
    body = operation(path, method).get("requestBody")
    return validator(body["content"]["application/json"]["schema"]) if body else None


def _typed(name: str, text: str, kind: str) -> Any:
    if kind == "integer":
        if not text.isascii() or not text.isdecimal():
            raise UsageError(f"{name}: {_shortened(repr(text))} is not a whole number")
        return int(text[:20])
    if kind == "boolean":
        if text not in ("true", "false", "1", "0"):
            raise UsageError(f"{name}: {_shortened(repr(text))} is neither true nor false")
        return text in ("true", "1")
    return text


def _shortened(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:100]} … {text[-80:]}"
