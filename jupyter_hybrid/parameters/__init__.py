"""Parameters of a notebook in papermill's sense: read them, infer them, check them."""

from __future__ import annotations

from .cell import Parameter, infer_parameters
from .check import check, check_names, validate
from .values import parse_value, parse_yaml, read_parameter_file, to_json

__all__ = [
    "Parameter",
    "check",
    "check_names",
    "infer_parameters",
    "parse_value",
    "parse_yaml",
    "read_parameter_file",
    "to_json",
    "validate",
]
