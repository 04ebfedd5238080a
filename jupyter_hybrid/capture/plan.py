"""What would travel with a job, and why: records only."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..bundle import Link
from ..errors import BundleError
from ..units import format_size
from .ignore import FILE_NAME, MODULES

if TYPE_CHECKING:
    from ..bundle.blobs import BlobStore
    from ..bundle.statcache import Known, Stat, StatCache

#: Files of one directory that are named one by one.
_FEW = 3


class PlannedFile(NamedTuple):
    """One file that would travel. A tuple, for there may be a hundred thousand."""

    #: Relative to the plan's base, ``/`` between names.
    path: str
    #: Absolute path of the file here.
    source: str
    size: int
    #: Permission bits.
    mode: int
    #: In words: ``named in the code``, ``module helper``, ``--files data/*.csv``.
    why: str
    stat: Stat
    #: True where the user named it with ``--files``; the limit does not count it.
    explicit: bool = False


class Refused(NamedTuple):
    """Something that was found and does not travel."""

    path: str
    reason: str


class PreviewRow(NamedTuple):
    """One line of a preview."""

    path: str
    size: int
    why: str
    #: Its bytes, or 0 where an earlier job here had the same content.
    new: int


@dataclass(frozen=True)
class Preview:
    """What a submit would send, with sums."""

    rows: tuple[PreviewRow, ...]
    #: Bytes of all files, and of those whose content no earlier job here had.
    total: int
    new: int


@dataclass(frozen=True)
class Plan:
    """What would travel with a job. Paths are relative to ``base``, which becomes ``work``."""

    base: Path
    #: Where the kernel starts, relative to the base.
    cwd: str = "."
    #: Sorted by path.
    items: tuple[PlannedFile, ...] = ()
    links: tuple[Link, ...] = ()
    #: Directories that hold no file.
    directories: tuple[str, ...] = ()
    #: Directories that the kernel imports from besides its own (``JobSpec.import_paths``).
    import_paths: tuple[str, ...] = ()
    #: What the user should know.
    notes: tuple[str, ...] = ()
    refused: tuple[Refused, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(item.size for item in self.items)

    def without(self, paths: Collection[str]) -> Plan:
        """The plan but for these paths."""
        if not paths:
            return self
        left_out = frozenset(paths)
        return replace(
            self,
            items=tuple(item for item in self.items if item.path not in left_out),
            links=tuple(link for link in self.links if link.path not in left_out),
        )

    def preview(self, blobs: BlobStore | None = None, cache: StatCache | None = None) -> Preview:
        """Every file with its size and why; ``new`` is exact for files that were read before.

        Reads no contents: what is not in the cache counts as new.
        """
        known: dict[str, Known] = {}
        if blobs is not None and cache is not None:
            known = cache.lookup({item.source: item.stat for item in self.items})
        rows = []
        for item in self.items:
            content = known.get(item.source)
            there = content and blobs and blobs.has(content.digest, item.size)
            rows.append(PreviewRow(item.path, item.size, item.why, 0 if there else item.size))
        return Preview(tuple(rows), self.size, sum(row.new for row in rows))


def check_limit(plan: Plan, limit: int) -> None:
    """Raise ``BundleError`` where more travels by itself; the message says what to write for it."""
    found = [item for item in plan.items if not item.explicit]
    size = sum(item.size for item in found)
    if size <= limit:
        return
    biggest = sorted(found, key=lambda item: (-item.size, item.path))[:5]
    listed = ", ".join(f"{item.path!r} ({format_size(item.size)}, {item.why})" for item in biggest)
    options = " ".join(
        f"--files {shlex.quote(path)}" for path in _to_name(plan, found, size - limit)
    )
    needed = f"if the job needs them, write {options}; if not, " if options else ""
    raise BundleError(
        f"{format_size(size)} in {len(found)} files would travel, and {format_size(limit)} do so "
        f"without being named. The biggest: {listed}. Next: {needed}"
        f"name what is not needed in {FILE_NAME}"
    )


def _to_name(plan: Plan, items: list[PlannedFile], excess: int) -> list[str]:
    """Paths, relative to the notebook, that bring the rest below the limit when they are named."""
    groups: dict[str, list[PlannedFile]] = {}
    for item in items:
        # modules from elsewhere have no path that could be named
        if not item.path.startswith(f"{MODULES}/"):
            path = os.path.relpath(item.path, plan.cwd)
            top = re.match(r"(?:\.\./)*[^/]+", path)
            groups.setdefault(top[0] if top else path, []).append(item)
    paths: list[str] = []
    for group in sorted(groups.values(), key=lambda group: -sum(item.size for item in group)):
        if excess <= 0:
            break
        if len(group) <= _FEW:
            names = [item.path for item in group]
        else:
            names = [os.path.commonpath([item.path for item in group])]
        paths += (os.path.relpath(name, plan.cwd) for name in names)
        excess -= sum(item.size for item in group)
    return paths
