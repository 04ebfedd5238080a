"""Keeps files, functions and signatures small enough to be read in one go (design §10).

Hard: 400 lines a file, 40 lines a function without its docstring, 6 parameters without ``self``.
Said, but let through: files over 250 lines.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from tree import ROOT, files

FILE, FILE_NORM, FUNCTION, PARAMETERS = 400, 250, 40, 6

Function = ast.FunctionDef | ast.AsyncFunctionDef


def main() -> int:
    """Exit status 1 where something is too large; every such place is named."""
    faults = []
    for path in files(".py", ".ts", ".tsx", ".sql", ".sh"):
        name = path.relative_to(ROOT)
        text = path.read_text(encoding="utf-8")
        lines = text.count("\n")
        if lines > FILE:
            faults.append(f"{name}: {lines} lines; at most {FILE}")
        elif lines > FILE_NORM:
            print(f"note: {name}: {lines} lines; {FILE_NORM} are the norm")
        if path.suffix == ".py":
            faults += [f"{name}:{fault}" for fault in function_faults(text, path)]
    for fault in faults:
        print(fault)
    return 1 if faults else 0


def function_faults(text: str, path: Path) -> Iterator[str]:
    """``line: what`` for each function that is too long or asks for too much."""
    for node in ast.walk(ast.parse(text, str(path))):
        if isinstance(node, Function):
            length, parameters = measure(node)
            where = f"{node.lineno}: {node.name}"
            if length > FUNCTION:
                yield f"{where} has {length} lines; at most {FUNCTION}"
            if parameters > PARAMETERS:
                yield f"{where} has {parameters} parameters; at most {PARAMETERS}"


def measure(node: Function) -> tuple[int, int]:
    """Lines from ``def`` to the end without the docstring; parameters without ``self``."""
    length = (node.end_lineno or node.lineno) - node.lineno + 1
    first = node.body[0]
    if ast.get_docstring(node, clean=False) is not None:
        length -= (first.end_lineno or first.lineno) - first.lineno + 1
    every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    return length, len([a for a in every if a.arg not in ("self", "cls")])


if __name__ == "__main__":
    sys.exit(main())
