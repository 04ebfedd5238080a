"""What a cell tagged ``parameters`` declares: names, defaults, types and help."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..notebooks import Notebook

_TYPE_COMMENT = re.compile(r"type:\s*(?P<type>[^\s\[]+(?:\[.*?\])?)\s*(?P<help>.*)")


@dataclass(frozen=True)
class Parameter:
    """A name that the cell tagged ``parameters`` assigns."""

    name: str
    #: The right-hand side as it is written; empty where the name is only declared.
    default_source: str = ""
    #: The default's value where it is a literal; None otherwise.
    default: Any = None
    #: As annotated, else the type of a literal default; None where both are silent.
    type: str | None = None
    #: The comment behind it.
    help: str = ""


def infer_parameters(notebook: Notebook) -> tuple[Parameter, ...] | None:
    """What the cell tagged ``parameters`` assigns; None where nobody can tell.

    That is: there is no such cell, or it is not Python.
    """
    cell = notebook.tagged("parameters")
    if cell is None or notebook.language != "python":
        return None
    return read_cell(cell["source"])


def read_cell(source: str) -> tuple[Parameter, ...]:
    """Parameters in the order of first assignment; lines that are not Python are passed over."""
    source, tree = _parse(source)
    comments = _comments(source)
    found: dict[str, Parameter] = {}
    for statement in tree.body:
        comment = comments.get(statement.end_lineno or 0, "")
        for parameter in _declared(statement, source, comment):
            known = found.get(parameter.name)
            if known is None or not known.default_source:
                found[parameter.name] = parameter
            elif parameter.default_source:
                # assigned twice: the last default counts, the place is the first one's
                found[parameter.name] = parameter
    return tuple(found.values())


def _parse(source: str) -> tuple[str, ast.Module]:
    """The tree of what is Python; lines with errors or magics are blanked one by one."""
    lines = ["" if line.lstrip()[:1] in ("%", "!") else line for line in source.splitlines()]
    for _ in range(len(lines) + 1):
        text = "\n".join(lines)
        try:
            return text, ast.parse(text)
        except SyntaxError as error:
            number = min(max(error.lineno or 1, 1), len(lines))
            # an error at a line that is blank already comes from one above it
            while number > 1 and not lines[number - 1].strip():
                number -= 1
            lines[number - 1] = ""
        except ValueError:
            break
    return "", ast.Module(body=[], type_ignores=[])


def _comments(source: str) -> dict[int, str]:
    """Comments behind code, by line number."""
    found: dict[int, str] = {}
    try:
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type == tokenize.COMMENT and token.line[: token.start[1]].strip():
                found[token.start[0]] = token.string.lstrip("#").strip()
    except (tokenize.TokenError, IndentationError):
        pass
    return found


def _declared(statement: ast.stmt, source: str, comment: str) -> Iterator[Parameter]:
    if isinstance(statement, ast.AnnAssign):
        if isinstance(statement.target, ast.Name):
            annotation = ast.unparse(statement.annotation)
            yield _parameter(statement.target.id, statement.value, source, (annotation, comment))
    elif isinstance(statement, ast.Assign):
        declared, text = _type_comment(comment)
        for target in statement.targets:
            for name, value in _pairs(target, statement.value):
                yield _parameter(name, value, source, (declared, text))
    elif isinstance(statement, (ast.If, ast.Try, ast.With, ast.For, ast.While)):
        # names assigned under a condition are parameters too, of a type that depends
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield Parameter(node.id)


def _pairs(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, ast.expr | None]]:
    """Names of an assignment's target, each with its own part of the value, if written."""
    if isinstance(target, ast.Name):
        yield target.id, value
    elif isinstance(target, ast.Starred):
        yield from ((name, None) for name, _ in _pairs(target.value, value))
    elif isinstance(target, (ast.Tuple, ast.List)):
        same = isinstance(value, (ast.Tuple, ast.List)) and len(value.elts) == len(target.elts)
        for i, part in enumerate(target.elts):
            piece = value.elts[i] if same and isinstance(value, (ast.Tuple, ast.List)) else None
            for name, own in _pairs(part, piece or value):
                yield name, own if piece is not None else None


def _parameter(
    name: str, value: ast.expr | None, source: str, about: tuple[str | None, str]
) -> Parameter:
    declared, text = about
    default, literal = _literal(value)
    kind = declared or (_type_of(default) if literal else None)
    written = (ast.get_source_segment(source, value) or "") if value is not None else ""
    return Parameter(name, written, default, kind, text)


def _type_comment(comment: str) -> tuple[str | None, str]:
    match = _TYPE_COMMENT.fullmatch(comment)
    return (match["type"], match["help"]) if match else (None, comment)


def _literal(value: ast.expr | None) -> tuple[Any, bool]:
    if isinstance(value, ast.JoinedStr):
        return "", True
    if value is None:
        return None, False
    try:
        return ast.literal_eval(value), True
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None, False


def _type_of(default: Any) -> str | None:
    return None if default is None else type(default).__name__
