"""Names of files in code: literals, f-strings and the usual ways to put a path together.

``Path("data") / f"{year}.csv"`` is the pattern ``data/*.csv``; nothing is executed or looked up.
"""

from __future__ import annotations

import ast
import re
import shlex
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from ..sources import Source

#: Stands for what only the execution will tell.
HOLE = "\0"
#: Longer texts are not paths (PATH_MAX).
_LONGEST = 4096
_PATHS = {"Path", "PurePath", "PosixPath", "PurePosixPath"}
#: Calls and methods that leave the path what it is.
_SAME = {"abspath", "realpath", "normpath", "expanduser", "fspath", "str"}
_SAME_METHODS = {"resolve", "absolute", "expanduser", "as_posix"}
_QUOTED = re.compile(r"""(["'])(.+?)\1""")


class Name(NamedTuple):
    """A text in the code that may name files."""

    text: str
    #: True where ``text`` is a glob pattern made of the code (holes are ``*``).
    pattern: bool = False


@dataclass
class Names:
    """What the code names, in the order of the code."""

    files: dict[Name, None] = field(default_factory=dict)
    #: Directories that the code adds to ``sys.path``.
    import_roots: dict[str, None] = field(default_factory=dict)


def names_in(sources: Iterable[Source], *, complete: bool = True) -> Names:
    """The texts that may name files, without duplicates.

    With ``complete``, the sources are all the code there is: a directory that is assigned to a
    variable is not wanted as a whole where all uses of the variable say which file in it.
    """
    sources = list(sources)
    trees = [tree for source in sources for tree in source.trees]
    fold = _Folder(trees)
    names = Names()
    used = {id(node) for value in fold.values.values() for node in ast.walk(value)}
    for tree in trees:
        _collect(tree, fold, names, used)
    for variable, value in fold.values.items():
        if not complete or not fold.loads[variable] or fold.loads[variable] - used:
            _collect(value, fold, names, set())
    for source in sources:
        for command in source.commands:
            for word in _words(command):
                names.files.setdefault(Name(word))
    return names


def _collect(tree: ast.AST, fold: _Folder, names: Names, used: set[int]) -> None:
    # breadth first: a composed path is met before its parts, which are then used up
    for node in ast.walk(tree):
        if id(node) in used:
            continue
        root = _import_root(node)
        if root is not None:
            text, parts = fold(root)
            if text and HOLE not in text:
                names.import_roots.setdefault(text)
                used |= parts
            continue
        if isinstance(node, ast.Constant | ast.JoinedStr | ast.BinOp | ast.Call | ast.Attribute):
            text, parts = fold(node)
            if text is not None:
                used |= parts
                name = _name(text)
                if name is not None:
                    names.files.setdefault(name)


def _import_root(node: ast.AST) -> ast.expr | None:
    """The argument of ``sys.path.append(…)`` or ``sys.path.insert(n, …)``."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
        return None
    method = node.func
    adds = method.attr in ("append", "insert") and ast.unparse(method.value) == "sys.path"
    return node.args[-1] if adds else None


def _name(text: str) -> Name | None:
    if not text or len(text) > _LONGEST:
        return None
    if HOLE not in text:
        return Name(text)
    known = text.split(HOLE, 1)[0]
    # "data/…" says where, "part_….csv" says what; "loss: …" says nothing
    where = known.rpartition("/")[0]
    what = re.search(r"\.\w+$", text.rpartition("/")[2])
    if not known or not (where or what):
        return None
    escaped = re.sub(r"([*?[])", r"[\1]", text)
    return Name(re.sub(f"{HOLE}+", "*", escaped), pattern=True)


def _words(command: str) -> Iterator[str]:
    """Words of a shell command, and strings of a language that is not known."""
    for line in command.splitlines():
        try:
            words = shlex.split(line, comments=True)
        except ValueError:
            words = line.split()
        for word in words:
            yield from (w for w in (word, word.partition("=")[2]) if w and not w.startswith("-"))
        for match in _QUOTED.finditer(line):
            yield match[2]


class _Folder:
    """Puts texts and paths together, as far as the code says what they are."""

    def __init__(self, trees: Iterable[ast.AST]) -> None:
        self._known: dict[str, str] = {}
        #: What is assigned to the variables that are assigned once, and are texts or paths.
        self.values: dict[str, ast.expr] = {}
        #: Ids of the nodes that use a variable.
        self.loads: defaultdict[str, set[int]] = defaultdict(set)
        nodes = [node for tree in trees for node in ast.walk(tree)]
        stores: Counter[str] = Counter()
        for node in nodes:
            if isinstance(node, ast.Name):
                if isinstance(node.ctx, ast.Load):
                    self.loads[node.id].add(id(node))
                else:
                    stores[node.id] += 1
        for node in nodes:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                name = node.targets[0].id
                text = self(node.value)[0] if stores[name] == len(node.targets) == 1 else None
                if text is not None:
                    self._known[name], self.values[name] = text, node.value

    def __call__(self, node: ast.expr) -> tuple[str | None, set[int]]:
        """The text, ``HOLE`` where it is not known, and the ids of the nodes it is made of."""
        used: set[int] = set()
        try:
            return _fold(node, used, self._known), used
        except RecursionError:  # a sum of a thousand terms is not a path
            return None, used


def _fold(node: ast.expr, used: set[int], known: Mapping[str, str]) -> str | None:
    text: str | None = None
    if isinstance(node, ast.Constant):
        text = node.value if isinstance(node.value, str) else None
    elif isinstance(node, ast.Name):
        text = known.get(node.id)
    elif isinstance(node, ast.JoinedStr):
        parts = [_fold(part, used, known) for part in node.values]
        text = "".join(HOLE if part is None else part for part in parts)
    elif isinstance(node, ast.BinOp):
        text = _fold_operator(node, used, known)
    elif isinstance(node, ast.Attribute) and node.attr == "parent":
        inner = _fold(node.value, used, known)
        text = None if inner is None else f"{inner}/.."
    elif isinstance(node, ast.Call):
        text = _fold_call(node, used, known)
    if text is not None:
        used.add(id(node))
    return text


def _fold_operator(node: ast.BinOp, used: set[int], known: Mapping[str, str]) -> str | None:
    left = _fold(node.left, used, known)
    if left is None:
        return None
    if isinstance(node.op, ast.Mod):
        return re.sub(r"%[-+ #0]*\d*(?:\.\d+)?[a-zA-Z]", HOLE, left)
    if not isinstance(node.op, ast.Add | ast.Div):
        return None
    right = _fold(node.right, used, known)
    right = HOLE if right is None else right
    return left + right if isinstance(node.op, ast.Add) else _join(left, right)


def _fold_call(node: ast.Call, used: set[int], known: Mapping[str, str]) -> str | None:
    function = node.func
    called = function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")
    if called in ("cwd", "getcwd") and not node.args:
        return "."
    if called in _SAME and len(node.args) == 1:
        return _fold(node.args[0], used, known)
    if called in _PATHS or (called == "join" and ast.unparse(function).endswith("path.join")):
        return _fold_parts(node.args, used, known)
    if not isinstance(function, ast.Attribute):
        return None
    if called in ("joinpath", "glob", "rglob", "format", *_SAME_METHODS):
        inner = _fold(function.value, used, known)
        if inner is None or called in _SAME_METHODS:
            return inner
        if called == "format":
            return re.sub(r"\{[^{}]*\}", HOLE, inner)
        rest = _fold_parts(node.args, used, known)
        if rest is None or called != "rglob":
            return None if rest is None else _join(inner, rest)
        return _join(_join(inner, "**"), rest)
    return None


def _fold_parts(parts: list[ast.expr], used: set[int], known: Mapping[str, str]) -> str | None:
    if not parts:
        return "."
    texts = [_fold(part, used, known) for part in parts]
    if texts[0] is None:
        return None
    whole = texts[0]
    for text in texts[1:]:
        whole = _join(whole, HOLE if text is None else text)
    return whole


def _join(left: str, right: str) -> str:
    return right if right.startswith("/") else f"{left.rstrip('/') or left}/{right}"
