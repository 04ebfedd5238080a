"""What was changed here while a job ran is kept; the job's goes beside it.

Only for the kernel that submitted the job: it knows which values its variables had then. While a
cell waits for its job nothing else changes them, so contents are looked at where it stops waiting.
"""

from __future__ import annotations

import re
import sys
import types
import unicodedata
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any

from ..job import SHORT_ID, Job
from ..values import Loaded

#: Bytes of a value that is kept for the comparison alone.
SMALL = 10_000
#: Types of values that are the same where they are equal.
_PLAIN = (str, bytes, int, float, complex, bool, type(None))

#: Types of values that nobody changes in place.
_CONSTANT = (*_PLAIN, range, types.ModuleType)


class Binding:
    """A name's value as it was, of which nothing large is held."""

    def __init__(self, namespace: Mapping[str, Any], name: str) -> None:
        self._there = name in namespace
        value = namespace.get(name)
        self._plain = type(value) in _PLAIN and sys.getsizeof(value) <= SMALL
        self._value: Any = value if self._plain else _look(value)
        self._weak: weakref.ref[Any] | None = None
        try:
            self._weak = weakref.ref(value)
        except TypeError:
            pass
        #: Whether somebody looked at the content, and its digest if it has one.
        self.looked, self.content = False, ""

    def look(self, value: Any, namespace: dict[str, Any]) -> None:
        """Remember the content of what is changed in place: the value that the name has now."""
        if not isinstance(value, _CONSTANT):
            self.looked, self.content = True, ""
            self.content = _content(value, namespace)

    def is_still(self, value: Any) -> bool:
        """Whether the name has the same value."""
        if not self._there:
            return False
        if self._weak is not None:
            return self._weak() is value
        if self._plain:
            return type(value) is type(self._value) and _equal(value, self._value)
        return bool(_look(value) == self._value)


def _equal(one: Any, other: Any) -> bool:
    # a nan equals nothing, not even itself
    return bool(one == other or (one != one and repr(one) == repr(other)))


def _look(value: Any) -> tuple[Any, ...]:
    """What tells an object from the next one, which may get the same address."""
    sized = isinstance(value, list | tuple | dict | set | frozenset | str | bytes | bytearray)
    return id(value), type(value), len(value) if sized else 0


def _content(value: Any, namespace: dict[str, Any]) -> str:
    """The digest of the value's content; empty where it has none."""
    from ..values.contents import content_digest

    return content_digest(value, namespace) or ""


Bindings = dict[str, Binding]


@dataclass
class _Known:
    """What the submitter of a job had."""

    bindings: Bindings = field(default_factory=dict)
    #: Names to which the job's own values were given.
    taken: set[str] = field(default_factory=set)
    #: Whether the job's results have come.
    over: bool = False


_known: dict[str, _Known] = {}


def bindings(namespace: Mapping[str, Any], source: str, names: Iterable[str]) -> Bindings:
    """The values of the names, and of those that stand in the source, as they are now."""
    # as Python reads them: ｘ is x
    source = unicodedata.normalize("NFKC", source)
    found = {*re.findall(r"\b[^\W\d]\w*", source), *names}
    return {name: Binding(namespace, name) for name in found}


@contextmanager
def remembering(
    was: Bindings, namespace: dict[str, Any], returning: Iterable[str]
) -> Iterator[Callable[[Job], None]]:
    """What is given to the block remembers the values for the job that it is called with.

    Where the block ends before the results have come, the contents of the ``returning`` names are
    remembered as well: from then on, other cells may change them in place.
    """
    jobs: list[Job] = []

    def remember(job: Job) -> None:
        jobs.append(job)
        _known.setdefault(job.id, _Known()).bindings.update(was)

    try:
        yield remember
    finally:
        if jobs and not _known[jobs[0].id].over:
            # an interrupt leaves a name without content, of which nobody can tell
            with suppress(KeyboardInterrupt):
                for name in sorted(was.keys() & set(returning) & namespace.keys()):
                    was[name].look(namespace[name], namespace)


def keep(
    job: Job, before: Mapping[str, Any], namespace: dict[str, Any], loaded: Loaded
) -> tuple[Loaded, dict[str, str]]:
    """Put back what was changed here since the submit, and the job's beside it.

    ``before`` is the namespace before the job's variables were loaded into it. Returns what has
    really come, and what to say of the names that were kept.
    """
    known = _known.get(job.id, _Known())
    kept: dict[str, str] = {}
    for name in [*(v.name for v in loaded.names), *loaded.deleted]:
        same = name in namespace and name in before and namespace[name] is before[name]
        if name not in known.bindings or name not in before or same:
            continue
        why = _change(known, name, before[name], namespace)
        if not why:
            continue
        kept[name] = f"{why}; the job deleted it"
        if name in namespace:
            beside = f"{name}_{job.id[-SHORT_ID:]}"
            kept[name] = f"{why}; the job's is {beside}"
            namespace[beside] = namespace[name]
        namespace[name] = before[name]
    came = tuple(variable for variable in loaded.names if variable.name not in kept)
    if known.bindings:
        known.bindings.update((v.name, Binding(namespace, v.name)) for v in came)
        known.taken.update(v.name for v in came)
    known.over = True
    gone = tuple(name for name in loaded.deleted if name not in kept)
    return replace(loaded, names=came, deleted=gone), kept


def _change(known: _Known, name: str, mine: Any, namespace: dict[str, Any]) -> str:
    """What happened here to a name whose other value has just come; empty for nothing."""
    binding = known.bindings[name]
    if not binding.is_still(mine):
        return "changed here meanwhile"
    if name in known.taken and name in namespace:
        # the job's own, of an earlier attach
        content = _content(namespace[name], namespace)
    elif binding.looked:
        content = binding.content
    else:
        return ""
    now = _content(mine, namespace) if content else ""
    if not now:
        return "perhaps changed here meanwhile"
    return "" if now == content else "changed here meanwhile"


def share(
    loaded: Loaded, before: Mapping[str, Any], namespace: dict[str, Any]
) -> dict[str, list[str]]:
    """Give what the job changed in place to the other names of the same object here.

    Returns those names, by the name that travelled. What holds the object (a list, an attribute)
    goes on holding the old one.
    """
    came = {variable.name for variable in loaded.names}
    shared: dict[str, list[str]] = {}
    for name in loaded.in_place:
        mine = before.get(name)
        if name not in came or isinstance(mine, _PLAIN) or namespace[name] is mine:
            continue
        others = [n for n, value in namespace.items() if value is mine and n not in came]
        # (names with an underscore are IPython's history)
        others = sorted(other for other in others if not other.startswith("_"))
        if others:
            shared[name] = others
            namespace.update(dict.fromkeys(others, namespace[name]))
    return shared


def shared_text(shared: Mapping[str, list[str]]) -> str:
    """The receipt's part on names that got what another one brought."""
    told = [f"{', '.join(others)} (the same object as {name})" for name, others in shared.items()]
    return f" · also: {', '.join(told)}" if told else ""


def kept_text(kept: Mapping[str, str]) -> str:
    """The receipt's part on what was kept."""
    told = ", ".join(f"{name} ({why})" for name, why in kept.items())
    return f" · kept: {told}" if told else ""
