"""Variables to and from a directory, big arrays without a second copy.

::

    variables.pkl    one pickle stream (protocol 5), one pickle per name, one memo for all
    buffers/N.bin    the large buffers of the stream, in the stream's order
    variables.json   the manifest: names with type, size and offset; buffers with size and digest
    signature        made by the runner: what the job's key vouches for

This module travels into containers: Python 3.8, standard library; cloudpickle where it is used.
"""

from __future__ import annotations

import sys
import types
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Dict, Iterable, Mapping, Optional, Sequence, Tuple

from .files import (
    MANIFEST,
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
from .stream import Pass, Variable, write_stream

__all__ = [
    "MANIFEST",
    "Dumped",
    "Loaded",
    "Terms",
    "Variable",
    "dump",
    "load",
    "read_manifest",
    "sign",
]


@dataclass(frozen=True)
class Terms:
    """What ``dump`` writes of a variable."""

    #: Bytes that each may have.
    limit: Optional[int] = None
    #: Without them nobody can vouch for the large buffers.
    digests: bool = True
    #: What is refused before it is tried.
    stayed: Sequence[Variable] = ()


@dataclass(frozen=True)
class Dumped:
    """What ``dump`` wrote."""

    names: Tuple[Variable, ...]
    refused: Tuple[Variable, ...]
    #: Modules from which classes and functions are imported when the variables are read.
    references: Tuple[str, ...] = ()

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
    #: Names whose object is the one that was sent, changed.
    in_place: Tuple[str, ...] = ()
    #: The mapped buffers.
    buffers: Tuple[Any, ...] = ()
    #: Of what was refused, what was sent and cannot be read here.
    unreadable: Tuple[Variable, ...] = ()


def dump(
    namespace: Dict[str, Any],
    names: Sequence[str],
    directory: Path,
    *,
    follow: Optional[Iterable[str]] = None,
    in_place: Iterable[str] = (),
    terms: Terms = Terms(),
) -> Dumped:
    """Write the variables; what cannot be written is refused by name, with the reason.

    ``namespace`` is the globals of the functions among them, and the globals that travelling
    functions read travel as well: those in ``follow``, or any. A name that is not in the namespace
    tells the reader to delete it, one of ``in_place`` that its object is the one that came,
    changed.
    """
    directory.mkdir(parents=True, exist_ok=True)
    allowed = None if follow is None else frozenset(follow)
    wanted = [name for name in dict.fromkeys(names) if name in namespace]
    deleted = [name for name in dict.fromkeys(names) if name not in namespace]
    refused = {variable.name: variable for variable in terms.stayed}
    while True:
        # definitions first: what is read later may need them while it is being read
        wanted.sort(key=lambda name: not isinstance(namespace.get(name), _DEFINITIONS))
        done = write_stream(namespace, wanted, directory / STREAM, terms.limit)
        refused.update((variable.name, variable) for variable in done.refused)
        found = [n for n in done.found if n in namespace and n not in refused]
        if allowed is not None:
            found = [n for n in found if n in allowed]
        new = [n for n in dict.fromkeys(found) if n not in wanted]
        wanted = [n for n in wanted if n not in refused] + new
        if not new and not done.refused:
            break
    buffers = write_buffers(directory, [b.raw() for b in done.buffers], digests=terms.digests)
    marks = {"deleted": deleted, "in_place": [v.name for v in done.names if v.name in in_place]}
    _write_manifest(directory, done, refused.values(), marks, buffers)
    return Dumped(tuple(done.names), tuple(refused.values()), tuple(sorted(done.references)))


_DEFINITIONS = (type, types.FunctionType)


def _write_manifest(
    directory: Path,
    done: Pass,
    refused: Iterable[Variable],
    marks: Mapping[str, Sequence[str]],
    buffers: Sequence[Mapping[str, Any]],
) -> None:
    manifest = {
        "python": list(sys.version_info[:2]),
        "code": done.has_code,
        "names": [dict(asdict(v), offset=o) for v, o in zip(done.names, done.offsets)],
        "refused": [asdict(variable) for variable in refused],
        **marks,
        "buffers": list(buffers),
        "sources": done.sources,
    }
    write_manifest(directory, manifest)


def load(
    directory: Path,
    namespace: Dict[str, Any],
    *,
    key: Optional[bytes] = None,
    here: bool = False,
) -> Loaded:
    """Put the variables into the namespace; large arrays are mapped, writable, and not copied.

    A name that cannot be read here is refused with the reason, the others come. With a key,
    nothing is unpickled that ``sign`` with the same key does not vouch for (``ResultError``).
    Of large buffers, which are numbers and no code, those without a digest are taken where the
    directory is the one ``here`` to which they were written.
    """
    from .unpickling import load_names

    content = manifest_bytes(directory)
    manifest = parse_manifest(directory, content)
    with (directory / STREAM).open("rb") as stream:
        if key is not None:
            verify(directory, content, stream, key)
        buffers = map_buffers(directory, manifest["buffers"], check=key is not None, here=here)
        names, refused = load_names(manifest, stream, buffers, namespace)
    deleted = tuple(manifest.get("deleted", ()))
    for name in deleted:
        namespace.pop(name, None)
    return Loaded(
        tuple(names),
        tuple(refused),
        deleted,
        tuple(manifest.get("in_place", ())),
        tuple(buffers),
        unreadable=tuple(refused[len(manifest["refused"]) :]),
    )
