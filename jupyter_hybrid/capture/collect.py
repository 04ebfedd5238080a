"""Collects the files that are wanted into one plan, at the places they will have at the job."""

# plain strings, for a hundred thousand files pass through here
# ruff: noqa: PTH120

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from pathlib import Path

from ..environment import EDITABLE
from ..errors import BundleError
from .globs import Wanted, add_matches
from .ignore import FILE_NAME, MODULES
from .modules import OwnModule
from .plan import Plan, Refused, check_limit
from .tree import Tree, join
from .wishes import Base, Wish, exists


@dataclass(frozen=True)
class Found:
    """What reading the code and the user's globs came to."""

    #: What the user named with ``--files``.
    explicit: list[Wish]
    #: What the code names.
    named: list[Wish]
    modules: list[OwnModule]
    #: Directories that the code adds to ``sys.path``.
    roots: list[str]
    notes: list[str]


class Collector:
    """One plan in the making."""

    def __init__(self, directory: str, exclude: list[str]) -> None:
        self._directory = directory
        self._exclude = exclude
        self._base = Base(directory)
        self._notes: list[str] = []
        self._refused: list[Refused] = []
        self._import_paths: dict[str, None] = {}
        self._tree = Tree(directory, exclude)
        #: Trees outside the base, whose files get a place in ``MODULES``.
        self._elsewhere: list[Tree] = []

    def take(self, found: Found) -> None:
        """Collect the files; the user's own globs first: the limit does not count them."""
        self._notes += found.notes
        named = self._raise_base(found)
        self._tree = Tree(self._base.path, self._exclude)
        for wish in found.explicit:
            if not self._add(wish):
                raise BundleError(self._matches_nothing(wish))
        for module in found.modules:
            self._add_module(module, found.roots)
        for wish in named:
            self._add(wish)
        for tree in (self._tree, *self._elsewhere):
            tree.finish()

    def _raise_base(self, found: Found) -> list[Wish]:
        """Find the base that holds all that is wanted; returns what is named and within it."""
        for wish in found.explicit:
            if not self._base.include(wish.folder):
                raise BundleError(f"--files {shlex.quote(wish.text)}: {self._too_high()}")
        named = []
        for wish in found.named:
            if self._base.include(wish.folder):
                named.append(wish)
            else:
                self._refused.append(Refused(wish.text, self._too_high()))
        for module in found.modules:
            for path in map(os.fspath, module.located.files):
                # the code itself puts this directory on sys.path, by a relative name
                if os.path.dirname(path) in found.roots:
                    self._base.include(os.path.dirname(path))
        return named

    def _too_high(self) -> str:
        return (
            f"it is above {self._base.floor}, the highest directory from which files travel; "
            f"copy or link it below, or name it by an absolute path that exists at the target"
        )

    def _add(self, wish: Wish) -> bool:
        path = self._base.relative(wish.path)
        if wish.names:
            return add_matches(self._tree, path, list(wish.names), wish.wanted)
        if not path:
            self._tree.walk("", wish.wanted.why, explicit=wish.wanted.explicit)
            return True
        if not exists(wish.path):
            return False
        return self._tree.add(path, wish.wanted.why, explicit=wish.wanted.explicit)

    def _matches_nothing(self, wish: Wish) -> str:
        sentence = f"--files {shlex.quote(wish.text)} matches nothing in {self._directory}"
        reason = self._tree.refused.get(self._base.relative(wish.path))
        if reason is not None:
            return f"{sentence} that can travel: {reason.path!r}: {reason.reason}"
        return f"{sentence}; check its spelling, and {FILE_NAME} files"

    def _add_module(self, module: OwnModule, roots: list[str]) -> None:
        located = module.located
        why = f"module {located.name}"
        if located.kind == EDITABLE:
            why = f"{why}, installed in place ({located.distribution})"
        for path in map(os.fspath, located.files):
            root = os.path.dirname(path)
            tree, importable = self._tree, root == self._directory or root in roots
            if not self._base.holds(path):
                tree, importable = Tree(root), False
                self._elsewhere.append(tree)
            name = os.path.relpath(path, tree.base or "/")
            if located.namespace:
                # without __init__ it may be any directory: only its modules are wanted
                add_matches(tree, name, ["**", "*.py"], Wanted(why))
            else:
                tree.add(name, why)
            if not importable:
                outside = tree is not self._tree
                self._import_paths.setdefault(MODULES if outside else self._base.relative(root))

    def plan(self, limit: int) -> Plan:
        """The plan, the same for the same files; raises ``BundleError`` over the limit."""
        files, links = self._tree.files, self._tree.links
        directories = set(self._tree.directories)
        for tree in self._elsewhere:
            for item in tree.files.values():
                path = join(MODULES, item.path)
                files.setdefault(path, item._replace(path=path))
            for link in tree.links.values():
                path = join(MODULES, link.path)
                links.setdefault(path, link._replace(path=path))
            directories |= {join(MODULES, folder) for folder in tree.directories}
        trees = (self._tree, *self._elsewhere)
        plan = Plan(
            base=Path(self._base.path),
            cwd=os.path.relpath(self._directory, self._base.path),
            items=tuple(files[path] for path in sorted(files)),
            links=tuple(links[path] for path in sorted(links)),
            directories=tuple(sorted(directories)),
            import_paths=tuple(path or "." for path in self._import_paths),
            notes=(*self._notes, *(note for tree in trees for note in tree.notes)),
            refused=(*self._refused, *(r for tree in trees for r in tree.refused.values())),
        )
        check_limit(plan, limit)
        return plan
