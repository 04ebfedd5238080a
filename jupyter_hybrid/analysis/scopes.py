"""Follows names through a cell's scopes: bound for sure, bound perhaps, or read from before."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Names:
    """Names of the global scope, each in the order of its first mention."""

    #: Read before the cell itself assigned them.
    reads: list[str] = field(default_factory=list)
    #: Perhaps read before the cell assigned them: in a branch, or by a function called early.
    maybe: list[str] = field(default_factory=list)
    assigned: list[str] = field(default_factory=list)
    #: Deleted without having been read or assigned.
    deleted: list[str] = field(default_factory=list)
    #: Modules imported, by their dotted names.
    imports: list[str] = field(default_factory=list)


@dataclass
class Scope:
    """One scope; ``module`` and ``class`` run in order, ``function`` runs later."""

    kind: str
    #: Bound for sure by now, or perhaps; a function's are bound throughout.
    sure: set[str] = field(default_factory=set)
    perhaps: set[str] = field(default_factory=set)
    globals: set[str] = field(default_factory=set)


class Tracker:
    """The names seen so far, and what is bound where."""

    def __init__(self) -> None:
        self.names = Names()
        self.module = Scope("module")
        self.scopes = [self.module]
        #: Names read by function bodies, which run later.
        self._later: list[str] = []

    def finish(self) -> Names:
        """All names, once the whole cell was seen."""
        for name in self._later:
            late = name in self.module.sure or name in self.module.perhaps
            self.note(self.names.maybe if late else self.names.reads, name)
        self.names.maybe = [n for n in self.names.maybe if n not in self.names.reads]
        return self.names

    @staticmethod
    def note(names: list[str], name: str) -> None:
        """Add the name once."""
        if name not in names:
            names.append(name)

    # -- names ----------------------------------------------------------------------------------

    def read(self, name: str) -> None:
        """The name is read; noted where that means a value from before the cell."""
        later = False
        for depth, scope in enumerate(reversed(self.scopes)):
            if name in scope.globals:
                later = later or any(s.kind == "function" for s in self.scopes)
                break
            if scope.kind in ("function", "comprehension"):
                if name in scope.sure:
                    return
                later = later or scope.kind == "function"
            elif scope.kind == "class" and depth == 0 and name in scope.sure:
                return
        if name in self.module.sure:
            return
        if later:
            self.note(self._later, name)
        elif name in self.module.perhaps:
            self.note(self.names.maybe, name)
        else:
            self.note(self.names.reads, name)

    def read_perhaps(self, name: str) -> None:
        """The name may be read, by what is no code yet; noted unless the cell surely has it."""
        if name not in self.module.sure and self._is_global(name):
            self.note(self.names.maybe, name)

    def bind(self, name: str) -> None:
        """The name is assigned in the innermost scope."""
        scope = self.scopes[-1]
        if name in scope.globals:
            self.note(self.names.assigned, name)
            return
        if scope.kind == "comprehension":
            # a walrus binds in the scope around the comprehension
            scope = next(s for s in reversed(self.scopes) if s.kind != "comprehension")
        if scope.kind != "function":
            scope.sure.add(name)
        if scope is self.module:
            self.note(self.names.assigned, name)

    def unbind(self, name: str) -> None:
        """The name is not bound any more; in a function it stays a local one."""
        if self.scopes[-1].kind != "function":
            self.scopes[-1].sure.discard(name)

    def delete(self, name: str) -> None:
        """The name is unbound by ``del``."""
        if self.scopes[-1] is self.module:
            fresh = not any(
                name in names for names in (self.module.sure, self.module.perhaps, self.names.reads)
            )
            if fresh:
                self.note(self.names.deleted, name)
        elif self._is_global(name):
            self.read(name)
        self.unbind(name)

    def _is_global(self, name: str) -> bool:
        return not any(
            name in scope.sure and name not in scope.globals
            for scope in self.scopes
            if scope.kind in ("function", "comprehension")
        )

    # -- flow -----------------------------------------------------------------------------------

    @contextmanager
    def inside(self, scope: Scope) -> Iterator[Scope]:
        """What happens in here happens in that scope."""
        self.scopes.append(scope)
        yield scope
        self.scopes.pop()

    @contextmanager
    def branch(self) -> Iterator[None]:
        """What is bound in here is bound perhaps."""
        scope = self.scopes[-1]
        before = set(scope.sure)
        yield
        scope.perhaps |= scope.sure - before
        scope.sure = before & scope.sure

    def alternatives(self, *bodies: Callable[[], None]) -> None:
        """Exactly one of these runs; what all bind is bound for sure."""
        scope = self.scopes[-1]
        before, ends = set(scope.sure), []
        for body in bodies:
            scope.sure = set(before)
            body()
            ends.append(scope.sure)
        scope.sure = set.intersection(*ends)
        scope.perhaps |= set.union(*ends) - scope.sure
