"""The stream of pickles in a directory of variables, one pickle per name. Python 3.8."""

from __future__ import annotations

import linecache
import re
import types
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Set

#: Buffers below this many bytes travel inside the stream: a file for each would cost more.
SMALLEST_BUFFER = 256 * 1024


@dataclass(frozen=True)
class Variable:
    """One name that travelled, or did not."""

    name: str
    #: Its class's name.
    type: str
    #: Bytes, in the stream and in buffers.
    size: int = 0
    #: Why it did not travel; empty where it did.
    note: str = ""
    #: The module of that name is meant, where the variable is a module.
    module: Optional[str] = None


@dataclass
class Pass:
    """One attempt at the stream."""

    names: List[Variable] = field(default_factory=list)
    refused: List[Variable] = field(default_factory=list)
    buffers: List[Any] = field(default_factory=list)
    offsets: List[int] = field(default_factory=list)
    found: List[str] = field(default_factory=list)
    sources: Dict[str, str] = field(default_factory=dict)
    references: Set[str] = field(default_factory=set)
    has_code: bool = False


class _TooLarge(Exception):
    """A variable is larger than the limit."""


def write_stream(
    namespace: Dict[str, Any], names: Sequence[str], path: Path, limit: Optional[int]
) -> Pass:
    """Pickle one name after another; where one fails, the stream has to be redone without it."""
    done = Pass()
    with path.open("wb") as file:
        counter = _Counter(file, limit)
        pickler = _pickler(counter, namespace, done)
        for name in names:
            _write_name(name, namespace[name], pickler, counter, done)
    return done


def _pickler(counter: _Counter, namespace: Dict[str, Any], done: Pass) -> Any:
    """A pickler whose memo all names share; what it comes across is noted in ``done``."""
    from .pickling import Pickler

    def keep(buffer: Any) -> bool:
        size = buffer.raw().nbytes
        if size < SMALLEST_BUFFER:
            return True
        counter.add(size)
        done.buffers.append(buffer)
        return False

    def on_code(code: types.CodeType, read: Mapping[str, Any]) -> None:
        done.has_code = True
        done.found.extend(read)
        _keep_source(done.sources, code.co_filename)

    return Pickler(
        counter, namespace, buffer_callback=keep, on_code=on_code, on_module=done.references.add
    )


def _write_name(name: str, value: Any, pickler: Any, counter: _Counter, done: Pass) -> None:
    kind = type(value).__name__
    if isinstance(value, types.ModuleType):
        done.names.append(Variable(name, kind, module=value.__name__))
        done.offsets.append(counter.offset)
        return
    start = counter.begin()
    try:
        pickler.dump(value)
    # pickling calls methods of any class there is; whatever one raises is a reason
    except Exception as error:  # noqa: BLE001
        done.refused.append(Variable(name, kind, note=_reason(error, value)))
        return
    done.names.append(Variable(name, kind, size=counter.size))
    done.offsets.append(start)


class _Counter:
    """Counts what a pickler writes, and stops it at the limit."""

    def __init__(self, file: Any, limit: Optional[int]) -> None:
        self._file, self._limit = file, limit
        self.offset = self.size = 0

    def begin(self) -> int:
        self.size = 0
        return self.offset

    def add(self, size: int) -> None:
        self.size += size
        if self._limit is not None and self.size > self._limit:
            raise _TooLarge

    def write(self, data: Any) -> int:
        # (buffers of middling size are written as PickleBuffer objects, which have no len)
        size = memoryview(data).nbytes
        self.add(size)
        self.offset += size
        return int(self._file.write(data))


def _keep_source(sources: Dict[str, str], filename: str) -> None:
    if filename not in sources and not Path(filename).is_file():
        sources[filename] = "".join(linecache.getlines(filename))


def _reason(error: BaseException, value: Any) -> str:
    if isinstance(error, _TooLarge):
        return "larger than the limit"
    text = str(error).strip()
    text = text.splitlines()[0] if text else type(error).__name__
    match = re.search(r"cannot pickle '?([\w.]+)'? object", text, re.IGNORECASE)
    if match is None:
        return text
    kind = match[1].rsplit(".", 1)[-1]
    if kind == type(value).__name__:
        return f"{kind} objects do not pickle"
    return f"it holds a {kind}, which does not pickle"
