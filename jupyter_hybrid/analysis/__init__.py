"""What a cell reads and assigns, and what the functions it uses read in turn.

The source is Python, that is, behind IPython's transformation; calls of magics in it are looked
into as well (``magic_lines``).
"""

from __future__ import annotations

import dis
import functools
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from .scopes import Names
from .visitor import CellVisitor

__all__ = ["Names", "analyse", "reachable"]

_GLOBAL_READS = frozenset({"LOAD_GLOBAL", "LOAD_NAME", "STORE_GLOBAL", "DELETE_GLOBAL"})


def analyse(source: str, transform: Callable[[str], str] = lambda text: text) -> Names:
    """What the cell reads and assigns; raises ``SyntaxError``.

    ``transform`` turns the bodies of cell magics (``%%time``) into Python.
    """
    return CellVisitor(transform).run(source)


def reachable(names: Iterable[str], namespace: Mapping[str, Any]) -> list[str]:
    """These names and the globals that their functions and classes read, where they exist."""
    found = list(dict.fromkeys(name for name in names if name in namespace))
    seen: set[int] = set()
    for name in found:  # grows while it is walked
        for code in _codes(namespace[name], namespace, seen):
            new = (n for n in global_names(code) if n in namespace and n not in found)
            found.extend(dict.fromkeys(new))
    return found


@functools.lru_cache(maxsize=4096)
def global_names(code: types.CodeType) -> tuple[str, ...]:
    """Names of globals in the code, nested functions included."""
    found = {
        str(step.argval): None
        for step in dis.get_instructions(code)
        if step.opname in _GLOBAL_READS
    }
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            found.update(dict.fromkeys(global_names(constant)))
    return tuple(found)


def _codes(value: Any, namespace: Mapping[str, Any], seen: set[int]) -> Iterator[types.CodeType]:
    """The code that may run when the value is used, of functions with these globals only."""
    todo = [value]
    while todo:
        item = todo.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, types.FunctionType):
            if item.__globals__ is namespace:
                yield item.__code__
            todo.extend(_held_by(item))
        elif isinstance(item, type):
            if item.__module__ == "__main__":
                todo.extend(item.__bases__)
                todo.extend(vars(item).values())
        elif isinstance(item, property):
            todo.extend((item.fget, item.fset, item.fdel))
        elif isinstance(item, classmethod | staticmethod | types.MethodType):
            todo.append(item.__func__)
        elif isinstance(item, functools.partial):
            todo.extend((item.func, *item.args, *item.keywords.values()))
        else:
            todo.append(type(item))
            todo.append(_own_attribute(item, "__wrapped__"))


def _held_by(function: types.FunctionType) -> Iterator[Any]:
    yield from function.__defaults__ or ()
    yield from (function.__kwdefaults__ or {}).values()
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # not filled yet
            continue


def _own_attribute(item: Any, name: str) -> Any:
    """The instance's own attribute, without running any code of its class."""
    try:
        return object.__getattribute__(item, "__dict__").get(name)
    except (AttributeError, TypeError):
        return None
