"""What was changed here while a job ran is kept; the job's goes beside it.

Only for the kernel that submitted the job: it knows which values its variables had then. What is
changed in place is not seen.
"""

from __future__ import annotations

import re
import sys
import weakref
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from ..job import SHORT_ID, Job
from ..values import Loaded

#: Bytes of a value that is kept for the comparison alone.
SMALL = 10_000
#: Types of values that are the same where they are equal.
_PLAIN = (str, bytes, int, float, complex, bool, type(None))

_known: dict[str, dict[str, Binding]] = {}


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

    def is_still(self, value: Any) -> bool:
        """Whether the name has the same value."""
        if not self._there:
            return False
        if self._weak is not None:
            return self._weak() is value
        if self._plain:
            return type(value) is type(self._value) and bool(value == self._value)
        return bool(_look(value) == self._value)


def _look(value: Any) -> tuple[Any, ...]:
    """What tells an object from the next one, which may get the same address."""
    sized = isinstance(value, list | tuple | dict | set | frozenset | str | bytes | bytearray)
    return id(value), type(value), len(value) if sized else 0


Bindings = dict[str, Binding]


def bindings(namespace: Mapping[str, Any], source: str, names: Iterable[str]) -> Bindings:
    """The values of the names, and of those that stand in the source, as they are now."""
    found = {*re.findall(r"\b[^\W\d]\w*", source), *names}
    return {name: Binding(namespace, name) for name in found}


def remember(job: Job, known: Bindings) -> None:
    """These are the values that the job's submitter had."""
    _known.setdefault(job.id, {}).update(known)


def keep(
    job: Job, before: Mapping[str, Any], namespace: dict[str, Any], loaded: Loaded
) -> tuple[Loaded, dict[str, str]]:
    """Put back what was changed here since the submit, and the job's beside it.

    ``before`` is the namespace before the job's variables were loaded into it. Returns what has
    really come, and the names of the job's copies by the names that were kept.
    """
    known = _known.get(job.id, {})
    kept: dict[str, str] = {}
    for name in [*(v.name for v in loaded.names), *loaded.deleted]:
        binding = known.get(name)
        same = name in namespace and name in before and namespace[name] is before[name]
        if binding is None or name not in before or same or binding.is_still(before[name]):
            continue
        kept[name] = ""
        if name in namespace:
            kept[name] = f"{name}_{job.id[-SHORT_ID:]}"
            namespace[kept[name]] = namespace[name]
        namespace[name] = before[name]
    came = tuple(variable for variable in loaded.names if variable.name not in kept)
    if known:
        remember(job, {v.name: Binding(namespace, v.name) for v in came})
    gone = tuple(name for name in loaded.deleted if name not in kept)
    return replace(loaded, names=came, deleted=gone), kept


def kept_text(kept: Mapping[str, str]) -> str:
    """The receipt's part on what was kept."""
    told = []
    for name, beside in kept.items():
        theirs = f"the job's is {beside}" if beside else "the job deleted it"
        told.append(f"{name} (changed here meanwhile; {theirs})")
    return " · kept: " + ", ".join(told) if told else ""
