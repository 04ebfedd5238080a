"""Values of parameters: typed on the command line, in YAML, or given as Python objects."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from ..errors import ParameterError
from .words import article, shown

#: Words that ``-p`` takes for values: papermill's, and JSON's.
_WORDS = {"True": True, "true": True, "False": False, "false": False, "None": None, "null": None}


def parse_value(text: str) -> Any:
    """A value: ``2``, ``0.5``, ``true``, ``null``, ``[1]``, ``{"a": 1}``, ``"2"`` or text."""
    if text in _WORDS:
        return _WORDS[text]
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    if text[:1] in ("[", "{", '"'):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            # papermill gives such text as it is
            return text
    return text


def parse_yaml(text: str, source: str) -> dict[str, Any]:
    """A YAML mapping of parameters; dates stay ISO strings, as in papermill."""
    import yaml

    class Loader(yaml.SafeLoader):
        """YAML without dates: JSON has none."""

    Loader.yaml_implicit_resolvers = {
        first: [(tag, regexp) for tag, regexp in pairs if tag != "tag:yaml.org,2002:timestamp"]
        for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    try:
        values = yaml.load(text, Loader=Loader)
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())
        raise ParameterError(f"{source} is not YAML: {reason}") from error
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ParameterError(
            f"{source} must be a mapping of names to values such as 'a: 1', not {shown(values)}"
        )
    return {str(name): value for name, value in values.items()}


def read_parameter_file(path: Path) -> dict[str, Any]:
    """The parameters in a YAML or JSON file."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ParameterError(f"the parameter file {path} cannot be read: {reason}") from error
    return parse_yaml(text, f"the parameter file {path}")


def to_json(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values as JSON carries them: dates as ISO strings, tuples as lists, paths as text.

    Raises ``ParameterError`` for a value that JSON has no form of.
    """
    return {name: _to_json(name, value) for name, value in values.items()}


def _to_json(name: str, value: Any) -> Any:
    if isinstance(value, (bool, str, int, float, type(None))):
        return value
    if isinstance(value, (date, Path)):
        return value.isoformat() if isinstance(value, date) else str(value)
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_to_json(name, item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): _to_json(name, item) for key, item in value.items()}
    # NumPy's scalars and arrays, without importing NumPy
    if callable(plain := getattr(value, "tolist", None)):
        return _to_json(name, plain())
    raise ParameterError(
        f"the parameter {name!r} is {article(type(value).__name__)}; "
        "parameters are numbers, text, booleans, None, lists and dictionaries"
    )
