"""Refuse what a notebook cannot take, before anything is sent."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from ..errors import ParameterError
from .annotations import accepted_types
from .cell import Parameter, infer_parameters
from .words import article, shown

if TYPE_CHECKING:
    from ..notebooks import Notebook

#: Names in other languages: R allows dots, none of them quotes, spaces or operators.
_NAME = re.compile(r"[^\W\d][\w.]*")


def check(
    values: Mapping[str, Any], notebook: Notebook, *, unchecked: bool = False
) -> tuple[str, ...]:
    """Refuse values that the notebook cannot take; returns notes for the user.

    Raises ``ParameterError`` for an unknown name or a wrong type. Without a ``parameters`` cell
    everything is taken and set at the top of the notebook, as papermill does; ``unchecked`` takes
    everything in any case.
    """
    check_names(values, notebook.language)
    if unchecked or not values:
        return ()
    known = infer_parameters(notebook)
    if known is not None:
        validate(values, known)
        return ()
    if notebook.tagged("parameters") is None:
        return ("no cell is tagged 'parameters'; the values are set at the top of the notebook",)
    return (f"parameters of {notebook.language} notebooks are not checked before they are sent",)


def check_names(names: Iterable[str], language: str = "python") -> None:
    """Raise ``ParameterError`` for a name that no variable can have."""
    for name in names:
        if language == "python":
            valid = name.isidentifier() and not keyword.iskeyword(name)
        else:
            valid = _NAME.fullmatch(name) is not None
        if not valid:
            raise ParameterError(
                f"{name!r} cannot be the name of a parameter: it is not a name in {language}"
            )


def validate(values: Mapping[str, Any], parameters: Iterable[Parameter]) -> None:
    """Raise ``ParameterError`` for a name that is not among the parameters, or for a wrong type.

    An int will do for a float, None for everything; a parameter whose default is None takes
    everything, and True is no int.
    """
    known = {parameter.name: parameter for parameter in parameters}
    for name, value in values.items():
        if name in known:
            _check_type(known[name], value)
        else:
            raise ParameterError(f"the notebook has no parameter {name!r}{_valid(name, known)}")


def _valid(name: str, known: Mapping[str, Parameter]) -> str:
    if not known:
        return ": its cell tagged 'parameters' assigns nothing"
    close = get_close_matches(name, known, n=1, cutoff=0.6)
    guess = f"; did you mean {close[0]!r}?" if close else "."
    return f"{guess} It has: {', '.join(known)} (--unchecked sets it all the same)"


def _check_type(parameter: Parameter, value: Any) -> None:
    accepted = accepted_types(parameter.type)
    given = type(value).__name__
    if value is None or accepted is None or given in accepted:
        return
    if given == "int" and "float" in accepted:
        return
    raise ParameterError(
        f"the parameter {parameter.name!r} is {article(parameter.type or '')}"
        f"{f' (default {parameter.default_source})' if parameter.default_source else ''}, "
        f"but {shown(value)} is {article(given)}{_way_out(accepted, parameter, value)} "
        "(--unchecked takes it all the same)"
    )


def _way_out(accepted: frozenset[str], parameter: Parameter, value: Any) -> str:
    if "str" in accepted and isinstance(value, (int, float)):
        return f"; for text write -r {parameter.name} {value}"
    if accepted == {"int"} and isinstance(value, float):
        return f"; if it may be one, write '{parameter.name}: float = …' in the parameters cell"
    return ""
