"""Names in texts that are code: ``df.query("age > @limit")`` reads ``limit``."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from .bindings import loads, root

#: pandas' mark of a variable of Python's in what it evaluates.
_MARKED = re.compile(r"@([^\W\d]\w*)")
#: Functions, and modules' functions, whose text is an expression or statements of Python's.
_PYTHON = frozenset({"eval", "exec", "evaluate"})
_MODULES = frozenset({"pd", "pandas", "ne", "numexpr"})


def names_in_text(call: ast.Call) -> Iterator[str]:
    """Names that a call reads by a text: of ``eval`` and its relatives, and of pandas' methods."""
    text = _text(call)
    if text is None:
        return
    function = call.func
    if isinstance(function, ast.Attribute) and root(function) not in _MODULES:
        # the names without a mark are columns
        if function.attr in ("query", "eval"):
            yield from _MARKED.findall(text)
    elif (function.attr if isinstance(function, ast.Attribute) else root(function)) in _PYTHON:
        yield from _loads(_MARKED.sub(r"\1", text))


def _text(call: ast.Call) -> str | None:
    """The call's first argument where it stands there, an f-string without what it computes."""
    first = call.args[0] if call.args else None
    parts = first.values if isinstance(first, ast.JoinedStr) else [first]
    if not any(isinstance(part, ast.Constant) and isinstance(part.value, str) for part in parts):
        return None
    return "".join(str(p.value) if isinstance(p, ast.Constant) else " 0 " for p in parts)


def _loads(text: str) -> Iterator[str]:
    try:
        yield from loads(ast.parse(text.strip()))
    except (SyntaxError, ValueError):
        # it says so itself when it is evaluated
        return
