"""Which JSON types a Python annotation admits."""

from __future__ import annotations

import ast

#: Types by the names annotations give them; what is not here accepts everything.
_JSON_TYPES = {
    "int": "int",
    "float": "float",
    "str": "str",
    "bool": "bool",
    "list": "list",
    "List": "list",
    "Sequence": "list",
    "tuple": "list",
    "Tuple": "list",
    "set": "list",
    "Set": "list",
    "frozenset": "list",
    "dict": "dict",
    "Dict": "dict",
    "Mapping": "dict",
}


def accepted_types(annotation: str | None) -> frozenset[str] | None:
    """Names of the JSON types that an annotation admits; None where it admits everything."""
    try:
        return _accepted_by(ast.parse(annotation or "Any", mode="eval").body)
    except SyntaxError:
        return None


def _accepted_by(node: ast.expr) -> frozenset[str] | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return accepted_types(node.value)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _union([node.left, node.right])
    if isinstance(node, ast.Subscript):
        outer = _last_name(node.value)
        if outer in ("Optional", "Union"):
            inner = node.slice
            return _union(inner.elts if isinstance(inner, ast.Tuple) else [inner])
        return _named(outer)
    if isinstance(node, ast.Constant) and node.value is None:
        return frozenset()
    return _named(_last_name(node))


def _union(nodes: list[ast.expr]) -> frozenset[str] | None:
    accepted: frozenset[str] = frozenset()
    for part in map(_accepted_by, nodes):
        if part is None:
            return None
        accepted |= part
    return accepted


def _named(name: str) -> frozenset[str] | None:
    return frozenset({_JSON_TYPES[name]}) if name in _JSON_TYPES else None


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
