"""What does not travel: ``.hybridignore`` files, and what never should.

The syntax is gitignore's (https://git-scm.com/docs/gitignore, all but ``[[:class:]]``), and so is
the meaning: the tests ask git. Libraries for it match what is below a directory too: with
them, ``!a`` brings back ``a/x.tmp``.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple

from ..errors import BundleError

FILE_NAME = ".hybridignore"

#: The directory in which modules from elsewhere are laid out at the job.
MODULES = ".hybrid/modules"

#: Names that never travel, files or directories.
ALWAYS = frozenset(
    {
        *(".git", ".hg", ".svn", ".jj", ".DS_Store"),
        *("__pycache__", ".ipynb_checkpoints", ".mypy_cache", ".pytest_cache", ".ruff_cache"),
        *(".venv", "node_modules", ".tox", ".nox", ".eggs", ".hypothesis", ".virtual_documents"),
        # ours: what does not travel, and what the job's modules lie in
        *(FILE_NAME, ".hybrid"),
    }
)
#: A directory that holds one of these is an environment, whatever its name.
ENVIRONMENT_MARKS = frozenset({"pyvenv.cfg", "conda-meta"})

#: What stands for what in a pattern; anything else is itself.
_TOKEN = re.compile(
    r"""
      (?P<all>     ^\*\*$ )
    | (?P<above>   ^\*\*/ )
    | (?P<middle>  /\*\*/ )
    | (?P<below>   /\*\*$ )
    | (?P<any>     \*+ )
    | (?P<one>     \? )
    | \[ (?P<none>[!^]?) (?P<set> \]? [^\]]* ) \]
    | \\ (?P<escaped> . )
    | (?P<itself>  [^\\] )
    """,
    re.VERBOSE | re.DOTALL,
)


class Rule(NamedTuple):
    """One line of a ``.hybridignore``."""

    #: Matches the whole path relative to the file's directory.
    pattern: re.Pattern[str]
    #: False for a line that begins with ``!``.
    ignores: bool
    directories_only: bool


class Ignore:
    """The ``.hybridignore`` files from a base directory downwards, in gitignore's syntax."""

    def __init__(self, base: str | Path) -> None:
        self._base = os.fspath(base)
        self._rules: dict[str, tuple[tuple[int, list[Rule]], ...]] = {}

    def why(self, path: str, *, is_directory: bool = False) -> str | None:
        """Why the path (relative to the base) does not travel; None where it does.

        As in gitignore, what is below an ignored directory is ignored.
        """
        names = path.split("/")
        for depth in range(1, len(names) + 1):
            part = "/".join(names[:depth])
            if names[depth - 1] in ALWAYS:
                return f"{names[depth - 1]} never travels"
            if self.matches(part, is_directory=is_directory or depth < len(names)):
                return f"{FILE_NAME} names it"
        return None

    def matches(self, path: str, *, is_directory: bool) -> bool:
        """True where the deepest ``.hybridignore`` that has a word on this very path ignores it."""
        rules = self.rules(path.rpartition("/")[0])
        if not rules:
            return False
        for start, own in reversed(rules):
            name = path[start:]
            for rule in reversed(own):
                if (is_directory or not rule.directories_only) and rule.pattern.match(name):
                    return rule.ignores
        return False

    def rules(self, folder: str) -> tuple[tuple[int, list[Rule]], ...]:
        """The files that apply in the folder, outermost first, with the length of their prefix."""
        known = self._rules.get(folder)
        if known is None:
            above = self.rules(folder.rpartition("/")[0]) if folder else ()
            own = _read(f"{self._base}/{folder}/{FILE_NAME}" if folder else self._base_file())
            prefix = len(folder) + 1 if folder else 0
            known = above if own is None else (*above, (prefix, own))
            self._rules[folder] = known
        return known

    def _base_file(self) -> str:
        return f"{self._base}/{FILE_NAME}"


def _read(path: str) -> list[Rule] | None:
    try:
        data = Path(path).read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    except OSError as error:
        raise BundleError(f"{path!r} cannot be read: {error.strerror}") from error
    rules = (parse_rule(line) for line in os.fsdecode(data).split("\n"))
    return [rule for rule in rules if rule is not None]


def parse_rule(line: str) -> Rule | None:
    """The rule that a line states; None for blank lines, comments, and what can match nothing."""
    line = line.removesuffix("\r")
    # blanks at the end count only behind a backslash
    line = re.sub(r"(?<!\\)((?:\\\\)*)[ \t]+$", r"\1", line)
    if not line or line.startswith("#"):
        return None
    ignores = not line.startswith("!")
    text = line if ignores else line[1:]
    directories_only = text.endswith("/")
    text = text.removesuffix("/")
    anchored = "/" in text
    text = text.removeprefix("/")
    if not text:
        return None
    expression = _translate(text)
    if expression is None:
        return None
    try:
        pattern = re.compile(f"{'' if anchored else '(?:.*/)?'}{expression}\\Z", re.DOTALL)
    except re.error:
        return None  # a set such as [z-a], which git takes for one that nothing is in
    return Rule(pattern, ignores, directories_only)


def _translate(text: str) -> str | None:
    text = re.sub(r"(^|/)(?:\*\*/)+", r"\1**/", text)
    parts, position = [], 0
    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is None or token["itself"] == "[":
            return None  # a backslash at the end, or a set without its end
        position = token.end()
        kind = token.lastgroup or ""
        if kind == "set":
            members = re.sub(r"(?s)(.)(?:-(.))?", _range, token["set"])
            parts.append(f"(?!/)[{'^' if token['none'] else ''}{members}]")
        else:
            parts.append(_MEANING.get(kind) or re.escape(token[kind]))
    return "".join(parts)


def _range(match: re.Match[str]) -> str:
    return re.escape(match[1]) + (f"-{re.escape(match[2])}" if match[2] else "")


_MEANING = {
    "all": ".+",
    "above": "(?:.*/)?",
    "middle": "/(?:.*/)?",
    "below": "/.+",
    "any": "[^/]*",
    "one": "[^/]",
}
