"""Glob patterns over a tree: ``*``, ``?``, ``[…]`` within a name, ``**`` for any directories.

As in a shell, wildcards do not match a leading dot. A pattern without wildcards names one file, or
a directory with all that is in it; so does one that ends in ``/``. Others name files.
"""

from __future__ import annotations

import fnmatch
import os
import re
from typing import NamedTuple

from .tree import Tree, join

_MAGIC = re.compile(r"[*?[]")


class Wanted(NamedTuple):
    """How matches are added."""

    why: str
    explicit: bool = False
    #: True where a wildcard at the end also takes directories, with all that is in them.
    directories: bool = False


def is_pattern(text: str) -> bool:
    """True where the text has wildcards."""
    return _MAGIC.search(text) is not None


def split_pattern(pattern: str) -> tuple[str, list[str]]:
    """The leading directories without wildcards, and the names behind them."""
    names = pattern.split("/")
    count = next((n for n, name in enumerate(names) if is_pattern(name)), len(names))
    return "/".join(names[:count]), names[count:]


def add_matches(tree: Tree, folder: str, names: list[str], wanted: Wanted) -> bool:
    """Add what matches the names below the folder; False where nothing does."""
    resolved = tree.resolve(folder)
    if resolved is None or not names:
        return False
    name, rest = names[0], names[1:]
    if name == "**":
        return _any_depth(tree, resolved, rest, wanted)
    matches = re.compile(fnmatch.translate(name)).match
    found = False
    for entry in tree.entries(resolved, hidden=name.startswith(".")):
        if not matches(entry.name):
            continue
        path = join(resolved, entry.name)
        # os.path's answer where a link cannot be followed is no, and entry's an error
        if not os.path.isdir(entry):  # noqa: PTH112
            if not rest:
                tree.take_entry(path, entry, wanted.why, wanted.explicit)
                found |= path in tree.files or path in tree.links
        elif rest and rest != [""]:
            found |= add_matches(tree, path, rest, wanted)
        elif rest or wanted.directories:
            found |= tree.add(path, wanted.why, explicit=wanted.explicit)
    return found


def _any_depth(tree: Tree, folder: str, rest: list[str], wanted: Wanted) -> bool:
    if rest in ([], [""]):
        tree.walk(folder, wanted.why, explicit=wanted.explicit, hidden=False)
        below = f"{folder}/" if folder else ""
        return any(path.startswith(below) for path in (*tree.files, *tree.links))
    found = add_matches(tree, folder, rest, wanted)
    for entry in tree.entries(folder, hidden=False):
        # links to directories are not entered: they may lead back here
        if entry.is_dir(follow_symlinks=False):
            found |= _any_depth(tree, join(folder, entry.name), rest, wanted)
    return found
