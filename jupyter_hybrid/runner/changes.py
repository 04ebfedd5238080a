"""Which files the job made, changed and deleted.

Standard library only.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Tuple

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


def walk_links(directory: str) -> Iterator[Tuple[str, str]]:
    """Symbolic links below the directory: each one's path from there, and where it leads."""
    for folder, directories, files in os.walk(directory):
        directories[:] = sorted(name for name in directories if name not in IGNORED)
        for name in sorted([*directories, *files], key=os.fsencode):
            path = f"{folder}/{name}"
            try:
                to = os.readlink(path)
            except OSError:
                continue
            yield os.path.relpath(path, directory), to


def find_changes(work: Path, layout: Layout, sent: Mapping[str, Any]) -> Dict[str, Any]:
    """The manifest of changes: files and links that are new or differ from what was laid out, and
    what was deleted of that.
    """
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
    links = [
        {"path": path, "to": to}
        for path, to in walk_links(str(work))
        if layout.links.get(path) != to
    ]
    return {"files": files, "links": links, "deleted": deleted}


def _exists(work: Path, relative: str) -> bool:
    return os.path.lexists(f"{work}/{relative}")
