"""Variables to and from a directory, big arrays without a second copy.

::

    variables.pkl    one pickle stream (protocol 5), one pickle per name, one memo for all
    buffers/N.bin    the large buffers of the stream, in the stream's order
    variables.json   the manifest: names with type, size and offset; buffers with size and sha256
    signature        made by the runner: what the job's key vouches for

This module travels into containers: Python 3.8, standard library; cloudpickle where it is used.
"""

from __future__ import annotations

import linecache
import re
import sys
import types
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

from .value_files import (
    STREAM,
    manifest_bytes,
    map_buffers,
    parse_manifest,
    read_manifest,
    sign,
    verify,
    write_buffers,
    write_manifest,
)

__all__ = ["Dumped", "Loaded", "Variable", "dump", "load", "read_manifest", "sign"]

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


@dataclass(frozen=True)
class Dumped:
    """What ``dump`` wrote."""

    names: Tuple[Variable, ...]
    refused: Tuple[Variable, ...]

    @property
    def size(self) -> int:
        """Bytes of all variables together."""
        return sum(variable.size for variable in self.names)

    @property
    def modules(self) -> Dict[str, str]:
        """Names that stand for modules, which a reader has to import."""
        return {v.name: v.module for v in self.names if v.module is not None}


@dataclass(frozen=True)
class Loaded:
    """What ``load`` put into the namespace, and what it could not."""

    names: Tuple[Variable, ...]
    refused: Tuple[Variable, ...] = ()
    #: Names that were deleted on the other side.
    deleted: Tuple[str, ...] = ()


@dataclass
class _Pass:
    """One attempt at the stream."""

    names: List[Variable] = field(default_factory=list)
    refused: List[Variable] = field(default_factory=list)
    buffers: List[Any] = field(default_factory=list)
    offsets: List[int] = field(default_factory=list)
    found: List[str] = field(default_factory=list)
    sources: Dict[str, str] = field(default_factory=dict)
    has_code: bool = False


class _TooLarge(Exception):
    """A variable is larger than the limit."""


def dump(
    namespace: Mapping[str, Any],
    names: Sequence[str],
    directory: Path,
    *,
    limit: Optional[int] = None,
    globals_dict: Optional[Dict[str, Any]] = None,
    follow: Optional[Iterable[str]] = None,
) -> Dumped:
    """Write the variables; what cannot be written is refused by name, with the reason.

    The globals that travelling functions read travel as well: those in ``follow``, or any.
    ``limit`` is in bytes for each variable. A name that is not in the namespace tells the reader
    to delete it.
    """
    directory.mkdir(parents=True, exist_ok=True)
    main = globals_dict
    if main is None:
        main = namespace if isinstance(namespace, dict) else {}
    allowed = None if follow is None else frozenset(follow)
    wanted = [name for name in dict.fromkeys(names) if name in namespace]
    deleted = [name for name in dict.fromkeys(names) if name not in namespace]
    refused: Dict[str, Variable] = {}
    while True:
        # definitions first: what is read later may need them while it is being read
        wanted.sort(key=lambda name: not isinstance(namespace.get(name), _DEFINITIONS))
        done = _write_stream(namespace, wanted, directory / STREAM, limit, main)
        refused.update((variable.name, variable) for variable in done.refused)
        found = [n for n in done.found if n in namespace and n not in refused]
        if allowed is not None:
            found = [n for n in found if n in allowed]
        new = [n for n in dict.fromkeys(found) if n not in wanted]
        wanted = [n for n in wanted if n not in refused] + new
        if not new and not done.refused:
            break
    _write_manifest(directory, done, refused.values(), deleted)
    return Dumped(tuple(done.names), tuple(refused.values()))


_DEFINITIONS = (type, types.FunctionType)


def _write_stream(
    namespace: Mapping[str, Any],
    names: Sequence[str],
    path: Path,
    limit: Optional[int],
    main: Dict[str, Any],
) -> _Pass:
    from .pickling import Pickler

    done = _Pass()
    with path.open("wb") as file:
        counter = _Counter(file, limit)

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

        pickler: Any = Pickler(counter, main, buffer_callback=keep, on_code=on_code)
        for name in names:
            value = namespace[name]
            kind = type(value).__name__
            if isinstance(value, types.ModuleType):
                done.names.append(Variable(name, kind, module=value.__name__))
                done.offsets.append(counter.offset)
                continue
            start = counter.begin()
            try:
                pickler.dump(value)
            # pickling calls methods of any class there is; whatever one raises is a reason
            except Exception as error:  # noqa: BLE001
                done.refused.append(Variable(name, kind, note=_reason(error, value)))
                continue
            done.names.append(Variable(name, kind, size=counter.size))
            done.offsets.append(start)
    return done


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
        self.add(len(data))
        self.offset += len(data)
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


def _write_manifest(
    directory: Path, done: _Pass, refused: Iterable[Variable], deleted: Sequence[str]
) -> None:
    manifest = {
        "python": list(sys.version_info[:2]),
        "code": done.has_code,
        "names": [dict(asdict(v), offset=o) for v, o in zip(done.names, done.offsets)],
        "refused": [asdict(variable) for variable in refused],
        "deleted": list(deleted),
        "buffers": write_buffers(directory, [buffer.raw() for buffer in done.buffers]),
        "sources": done.sources,
    }
    write_manifest(directory, manifest)


def load(directory: Path, namespace: Dict[str, Any], *, key: Optional[bytes] = None) -> Loaded:
    """Put the variables into the namespace; large arrays are mapped, writable, and not copied.

    A name that cannot be read here is refused with the reason, the others come. With a key,
    nothing is unpickled that ``sign`` with the same key does not vouch for (``ResultError``).
    """
    from .unpickling import load_names

    content = manifest_bytes(directory)
    manifest = parse_manifest(directory, content)
    with (directory / STREAM).open("rb") as stream:
        if key is not None:
            verify(directory, content, stream, key)
        buffers = map_buffers(directory, manifest["buffers"], check=key is not None)
        names, refused = load_names(manifest, stream, buffers, namespace)
    deleted = tuple(manifest.get("deleted", ()))
    for name in deleted:
        namespace.pop(name, None)
    return Loaded(tuple(names), tuple(refused), deleted)
