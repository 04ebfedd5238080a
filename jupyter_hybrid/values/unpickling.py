"""Read the names of a directory of variables one after another; one that fails spoils no other."""

from __future__ import annotations

import linecache
import pickle
import pickletools
import sys
from dataclasses import dataclass
from typing import Any, Dict, FrozenSet, List, Mapping, Sequence, Set, Tuple

from .pickling import SlowUnpickler, Unpickler
from .stream import Variable


def load_names(
    manifest: Mapping[str, Any], stream: Any, buffers: Sequence[Any], namespace: Dict[str, Any]
) -> Tuple[List[Variable], List[Variable]]:
    """Put the manifest's names into the namespace; returns what came and what did not."""
    builtins = namespace.get("__builtins__")
    _restore_sources(manifest.get("sources") or {})
    pickled = [record for record in manifest["names"] if not record.get("module")]
    reader = _Reader(stream, [record["offset"] for record in pickled], buffers, namespace)
    reader.foreign = tuple(manifest.get("python") or sys.version_info[:2]) != sys.version_info[:2]
    numbers = iter(range(len(pickled)))
    came, refused = [], [_variable(record) for record in manifest["refused"]]
    for record in manifest["names"]:
        variable = _variable(record)
        try:
            if record.get("module"):
                value = _import(record["module"])
            else:
                value = reader.read(next(numbers))
        # unpickling calls what any class there is brings along; whatever it raises is a reason
        except Exception as error:  # noqa: BLE001
            note = _reason(error, manifest)
            refused.append(Variable(variable.name, variable.type, variable.size, note))
        else:
            namespace[variable.name] = value
            came.append(variable)
    # cloudpickle puts a dictionary there, where IPython has the module
    if builtins is not None:
        namespace["__builtins__"] = builtins
    return came, refused


def _variable(record: Mapping[str, Any]) -> Variable:
    known = {
        key: record[key] for key in ("name", "type", "size", "note", "module") if key in record
    }
    return Variable(**known)


def _import(name: str) -> Any:
    __import__(name)
    return sys.modules[name]


def _restore_sources(sources: Mapping[str, str]) -> None:
    """Let tracebacks show the lines of functions whose files are not here."""
    for filename, text in sources.items():
        if text and filename not in linecache.cache:
            # no time of change: such entries are never checked against a file
            linecache.cache[filename] = (len(text), None, text.splitlines(True), filename)


def _reason(error: BaseException, manifest: Mapping[str, Any]) -> str:
    there, here = tuple(manifest.get("python") or ()), sys.version_info[:2]
    if manifest.get("code") and there and there != here:
        return (
            "functions of Python {}.{} cannot be read by Python {}.{}; --replay executes the cells "
            "that define them there instead".format(*there, *here)
        )
    if isinstance(error, ModuleNotFoundError):
        return f"the module {error.name} is not installed here"
    return f"it cannot be read here: {type(error).__name__}: {error}"


@dataclass(frozen=True)
class _Segment:
    """What one pickle of the stream does to the memo and the buffers that all share."""

    offset: int
    #: Entries of the memo before it, and made by it.
    before: int
    puts: int
    #: Entries it uses.
    gets: FrozenSet[int]
    #: Number of buffers used before it.
    buffers: int


def scan(stream: Any, offsets: Sequence[int]) -> List[_Segment]:
    """Describe the pickles at the offsets without executing any."""
    segments, memo, buffers = [], 0, 0
    for offset in offsets:
        stream.seek(offset)
        puts, used, gets = 0, 0, set()
        for opcode, argument, _ in pickletools.genops(stream):
            if opcode.name == "MEMOIZE":
                puts += 1
            elif opcode.name in ("BINGET", "LONG_BINGET", "GET"):
                gets.add(int(argument or 0))
            elif opcode.name == "NEXT_BUFFER":
                used += 1
        segments.append(_Segment(offset, memo, puts, frozenset(gets), buffers))
        memo, buffers = memo + puts, buffers + used
    return segments


class _Reader:
    """Reads pickles that share one memo, and goes on behind one that cannot be read."""

    def __init__(
        self, stream: Any, offsets: Sequence[int], buffers: Sequence[Any], namespace: Dict[str, Any]
    ) -> None:
        self._stream, self._offsets = stream, offsets
        self._buffers, self._namespace = buffers, namespace
        self._unpickler: Any = Unpickler(stream, namespace, buffers=iter(buffers))
        #: Only once a pickle could not be read: what each does, and the memo entries that are lost.
        self._segments: List[_Segment] = []
        self._memo: Dict[int, Any] = {}
        self._lost: Set[int] = set()
        self.foreign = False

    def read(self, number: int) -> Any:
        """The value of the stream's pickle with this number; numbers must ascend."""
        if self._segments:
            return self._read_carefully(self._segments[number])
        self._unpickler.foreign = self.foreign
        try:
            return self._unpickler.load()
        except BaseException:
            self._memo = self._unpickler.memo.copy()
            self._segments = scan(self._stream, self._offsets)
            self._lose(self._segments[number])
            raise

    def _read_carefully(self, segment: _Segment) -> Any:
        if segment.gets & self._lost:
            self._lose(segment)
            raise pickle.UnpicklingError("it shares objects with a variable that cannot be read")
        self._stream.seek(segment.offset)
        # the C unpickler cannot be given a memo
        unpickler = SlowUnpickler(
            self._stream, self._namespace, buffers=iter(self._buffers[segment.buffers :])
        )
        unpickler.memo, unpickler.foreign = self._memo, self.foreign
        try:
            return unpickler.load()
        except BaseException:
            self._lose(segment)
            raise

    def _lose(self, segment: _Segment) -> None:
        made = range(segment.before, segment.before + segment.puts)
        self._lost.update(made)
        self._memo.update((number, None) for number in made)
