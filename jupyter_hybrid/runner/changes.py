"""Which files the job made, changed and deleted.

Standard library only.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping

from .layout import Layout, stamp

#: Directories that nobody wants back: made by the way, or (``.hybrid``) of our own making.
IGNORED = ("__pycache__", ".ipynb_checkpoints", ".pytest_cache", ".hybrid")


def walk(directory: str, relative: str = "") -> Iterator[os.DirEntry[str]]:
    """Regular files below the directory; links are not followed."""
    try:
        with os.scandir(directory) as entries:
            found = sorted(entries, key=lambda entry: os.fsencode(entry.name))
    except OSError:
        return
    for entry in found:
        if entry.is_dir(follow_symlinks=False):
            if entry.name not in IGNORED:
                yield from walk(entry.path)
        elif entry.is_file(follow_symlinks=False):
            yield entry


def find_changes(work: Path, layout: Layout, sent: Mapping[str, Any]) -> Dict[str, Any]:
    """The manifest of changes: files that are new or differ from what was laid out, and deleted."""
    prefix = len(str(work)) + 1
    seen = set()
    files: List[Dict[str, Any]] = []
    for entry in walk(str(work)):
        relative = entry.path[prefix:]
        seen.add(relative)
        try:
            status = entry.stat(follow_symlinks=False)
        except OSError:
            continue
        before = layout.stamps.get(relative)
        # equal, or left by an earlier attempt and never laid out by this one
        if stamp(status) == before or (before is None and relative in sent):
            continue
        record = {
            "path": relative,
            "size": status.st_size,
            "mtime": status.st_mtime,
            "new": before is None,
        }
        files.append(record)
    # of what was sent, that which nobody laid out was deleted by nobody
    expected = [p for p in (*layout.stamps, *layout.links) if not p.startswith(".hybrid/")]
    deleted = [p for p in dict.fromkeys(expected) if p not in seen and not _exists(work, p)]
    return {"files": files, "deleted": deleted}


def _exists(work: Path, relative: str) -> bool:
    return os.path.lexists(f"{work}/{relative}")
