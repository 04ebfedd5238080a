"""The Python in a cell, with IPython's magics opened up.

::

    cell source ── parse_source ──> trees (Python)  +  commands (shell lines, other languages)
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

#: Cell magics whose body is neither Python nor names files that are read.
_NOT_CODE = {"html", "javascript", "js", "latex", "markdown", "svg", "SVG", "writefile", "file"}
#: Cell magics whose body is for a shell or another interpreter.
_COMMANDS = {"bash", "sh", "script", "system", "sx", "cmd", "perl", "ruby", "R", "julia"}


@dataclass(frozen=True)
class Source:
    """What stands in a cell."""

    trees: tuple[ast.AST, ...] = ()
    #: Text that is not Python: arguments of ``!``, of line magics, bodies of ``%%bash``.
    commands: tuple[str, ...] = ()
    #: Modules loaded by ``%load_ext``.
    extensions: tuple[str, ...] = ()


def parse_source(text: str, language: str = "python") -> Source:
    """The cell's Python as syntax trees. Never raises: what is not Python is a command."""
    if language not in ("python", "python3", "ipython"):
        return Source(commands=(text,))
    tree = _parse(text)
    # IPython is a quarter of a second to import; most cells are plain Python
    if tree is None:
        tree = _parse(_transform(text))
    if tree is None:
        return Source(commands=(text,))
    trees, commands, extensions = [tree], list[str](), list[str]()
    for call, name in _magic_calls(tree):
        for inner in _open(name, call):
            trees += inner.trees
            commands += inner.commands
            extensions += inner.extensions
    return Source(tuple(trees), tuple(commands), tuple(extensions))


def _parse(text: str) -> ast.AST | None:
    try:
        with warnings.catch_warnings():
            # "\d" in the user's strings is the user's business, at the time it is executed
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _transform(text: str) -> str:
    from IPython.core.inputtransformer2 import TransformerManager

    try:
        return str(TransformerManager().transform_cell(text))  # type: ignore[no-untyped-call]
    except SyntaxError:
        return text


def _magic_calls(tree: ast.AST) -> Iterator[tuple[list[str], str]]:
    """``get_ipython().NAME(…)`` calls, with their arguments as far as they are strings."""
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Call)
            and isinstance(node.func.value.func, ast.Name)
            and node.func.value.func.id == "get_ipython"
        ):
            texts = [
                a.value
                for a in node.args
                if isinstance(a, ast.Constant) and isinstance(a.value, str)
            ]
            yield texts, node.func.attr


def _open(method: str, texts: list[str]) -> Iterator[Source]:
    if method in ("system", "getoutput"):
        yield Source(commands=tuple(texts))
    elif method == "run_line_magic" and len(texts) == 2:
        magic, line = texts
        if magic in ("load_ext", "reload_ext"):
            yield Source(extensions=tuple(line.split()))
        else:
            yield _python_or_command(line)
    elif method == "run_cell_magic" and len(texts) == 3:
        magic, line, body = texts
        yield Source(commands=(line,))
        if magic in _COMMANDS:
            yield Source(commands=(body,))
        elif magic not in _NOT_CODE:
            yield parse_source(body)


def _python_or_command(line: str) -> Source:
    """``%time f("a.csv")`` holds Python; ``%run script.py`` does not."""
    tree = _parse(line)
    return Source(commands=(line,)) if tree is None else Source(trees=(tree,), commands=(line,))
