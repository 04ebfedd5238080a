"""Small questions about pieces of a syntax tree."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

_SCOPES = (
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.Lambda,
    ast.ClassDef,
    ast.ListComp,
    ast.SetComp,
    ast.DictComp,
    ast.GeneratorExp,
)


@dataclass
class Bindings:
    """What a function or class body binds, and what it declares to be global."""

    bound: set[str] = field(default_factory=set)
    globals: set[str] = field(default_factory=set)


def root(node: ast.AST | None) -> str | None:
    """``a`` of ``a``, ``a.b[0].c`` and ``*a``; None for anything else."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Starred):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def loads(node: ast.AST, stores: bool = False) -> Iterator[str]:
    """Names that are read in the tree, or else stored."""
    for child in ast.walk(node):
        if isinstance(child, ast.Name) and isinstance(child.ctx, ast.Store) is stores:
            yield child.id


def bindings(node: ast.AST) -> Bindings:
    """The names bound in a function's or class's own scope, parameters included."""
    found = Bindings()
    declared: set[str] = set()
    for child in _own_nodes(node):
        if isinstance(child, ast.Global):
            found.globals.update(child.names)
        elif isinstance(child, ast.Nonlocal):
            declared.update(child.names)
        else:
            found.bound.update(_bound_by(child))
    found.bound -= found.globals | declared
    return found


def _own_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """Nodes of a scope without those of the scopes inside, but with walruses of comprehensions."""
    todo = list(ast.iter_child_nodes(node))
    while todo:
        child = todo.pop()
        yield child
        if isinstance(child, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
            inner = (n for n in ast.walk(child) if isinstance(n, ast.NamedExpr))
            todo.extend(n.target for n in inner)
        elif not isinstance(child, _SCOPES):
            todo.extend(ast.iter_child_nodes(child))


def _bound_by(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
        yield node.id
    elif isinstance(node, ast.arg):
        yield node.arg
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.alias):
        yield node.asname or node.name.split(".")[0]
    elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar):
        if node.name is not None:
            yield node.name
    elif isinstance(node, ast.MatchMapping) and node.rest is not None:
        yield node.rest
