"""Which of the names in the code, and of the user's globs, stand for files that are here.

Also how far up a job's base directory may be raised to take them in.
"""

# plain strings: a name in the code is a string, and most are not paths
# ruff: noqa: PTH119, PTH111, PTH112, PTH118, PTH120

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ..errors import BundleError
from .globs import Wanted, is_pattern, split_pattern
from .ignore import ALWAYS
from .literals import Name, Names
from .tree import is_within

#: Directories of the system: every place has its own.
_SYSTEM = ("/dev", "/proc", "/sys", "/bin", "/sbin", "/lib", "/usr", "/etc", "/run")


class Wish(NamedTuple):
    """Files that are wanted."""

    #: As it was written.
    text: str
    #: Absolute and normal: the file or directory, or where the pattern begins.
    path: str
    #: The rest of a pattern, name by name.
    names: tuple[str, ...]
    wanted: Wanted

    @property
    def folder(self) -> str:
        """The directory that must be within the base."""
        return self.path if self.names or os.path.isdir(self.path) else os.path.dirname(self.path)


def explicit_wish(text: str, directory: str) -> Wish:
    """What ``--files`` asks for; raises ``BundleError`` where it cannot be meant."""
    fixed, names = split_pattern(text)
    if not text or fixed.startswith(("/", "~")) or ".." in names or "\0" in text:
        raise BundleError(
            f"--files {shlex.quote(text)}: write a path or glob relative to the notebook's "
            f"directory ({directory}), for example --files 'data/*.csv'; "
            "what has an absolute path must be at the target already"
        )
    path = os.path.normpath(os.path.join(directory, fixed))
    return Wish(text, path, tuple(names), Wanted(f"--files {text}", explicit=True))


def named_wishes(names: Names, directory: str, where: str) -> Iterator[Wish]:
    """Names in the code that are relative and stand for something that exists."""
    for name in names.files:
        wish = _wish(name, directory, where)
        if wish is not None:
            yield wish


def absolute_names(names: Names) -> Iterator[str]:
    """Names in the code that are absolute and stand for something that exists here."""
    for name in names.files:
        text = name.text
        if text.startswith(("/", "~/")) and text.count("/") + (text[0] == "~") > 1:
            path = split_pattern(os.path.normpath(os.path.expanduser(text)))[0]
            own = not path.startswith(tuple(f"{folder}/" for folder in _SYSTEM))
            if own and path not in _SYSTEM and path != "/" and exists(path):
                yield text


def _wish(name: Name, directory: str, where: str) -> Wish | None:
    text = name.text
    if text.startswith(("/", "~")) or "\0" in text:
        return None
    why = f"{text!r} in {where}"
    if not name.pattern:
        path = os.path.normpath(os.path.join(directory, text))
        if exists(path):
            plausible = not os.path.isdir(path) or _is_plausible(path, directory)
            return Wish(text, path, (), Wanted(why)) if plausible else None
        if not is_pattern(text):
            return None
    fixed, names = split_pattern(text)
    folder = os.path.normpath(os.path.join(directory, fixed))
    if ".." in names or not names or not os.path.isdir(folder):
        return None
    # "*" and "[a-z]+" stand in code for much else
    if not fixed and not re.search(r"\.\w+\*?$", names[-1]):
        return None
    return Wish(text, folder, tuple(names), Wanted(why, directories=name.pattern))


def exists(path: str) -> bool:
    """True where the path is there, be it a link that leads nowhere."""
    try:
        return os.path.lexists(path)
    except ValueError:  # a lone surrogate that stands for no byte
        return False


def _is_plausible(path: str, directory: str) -> bool:
    """A directory that code may well read from: not the notebook's own, or one above, or hidden."""
    name = os.path.basename(path)
    above = is_within(directory, path)
    return not above and not name.startswith(".") and name not in ALWAYS


class Base:
    """The directory that becomes the job's work directory: the notebook's, or one above."""

    def __init__(self, directory: str) -> None:
        self.path = directory
        self.floor = highest_base(directory)

    def include(self, folder: str) -> bool:
        """Raise the base so that the folder is within; False where that is not allowed."""
        common = os.path.commonpath([self.path, folder])
        if common != self.path and not is_within(common, self.floor):
            return False
        self.path = common
        return True

    def relative(self, path: str) -> str:
        """The path relative to the base, ``""`` for the base itself; it must be within."""
        relative = os.path.relpath(path, self.path)
        return "" if relative == "." else relative

    def holds(self, path: str) -> bool:
        """True where the path is within the base."""
        return is_within(path, self.path)


def highest_base(directory: str) -> str:
    """The highest directory that may be a base: the user's home, a mount point, or ``/x``."""
    home = os.path.realpath(Path.home())
    if home != "/" and is_within(directory, home):
        return home
    highest = directory
    while not os.path.ismount(highest) and os.path.dirname(highest) != "/":
        highest = os.path.dirname(highest)
    return highest
