"""What classes and functions of a notebook hold, and what of it has changed since they arrived.

This module travels into containers: Python 3.8, standard library; cloudpickle where it is used.
"""

from __future__ import annotations

import enum
import types
import weakref
from typing import Any, Dict, Optional

from .contents import content_digest

#: What an arrived definition looked like on arrival, and the digests of what it then held.
_arrived: weakref.WeakKeyDictionary[Any, Dict[str, Any]] = weakref.WeakKeyDictionary()
_digests: weakref.WeakKeyDictionary[Any, Dict[str, Optional[str]]] = weakref.WeakKeyDictionary()

#: Attributes that Python itself makes and changes as a class is used.
NOISE = frozenset(
    (
        "__dict__",
        "__weakref__",
        "_abc_impl",
        "__annotate__",
        "__annotate_func__",
        "__annotations__",
        "__annotations_cache__",
        "__slotnames__",
    )
)
_PLAIN = (int, float, complex, str, bytes, bool, type(None))
#: Nothing in these changes in place, or they have a look of their own.
_FIXED = (
    *_PLAIN,
    type,
    property,
    classmethod,
    staticmethod,
    types.ModuleType,
    types.CodeType,
    types.MemberDescriptorType,
    types.GetSetDescriptorType,
)


def is_plain(function: types.FunctionType) -> bool:
    """True where nothing of the function can change without being seen in its look."""
    defaults = (function.__defaults__ or ()) + tuple((function.__kwdefaults__ or {}).values())
    return function.__closure__ is None and all(isinstance(d, _PLAIN) for d in defaults)


def arrive(obj: Any) -> None:
    """Remember what the definition looks like: whatever differs later travels back."""
    _arrived[obj] = _look(obj)


def has_arrived(obj: Any) -> bool:
    """Whether it is a class or function that came from another process, and can be set back."""
    try:
        return isinstance(obj, (type, types.FunctionType)) and obj in _arrived
    except TypeError:  # a metaclass may make its classes unhashable
        return False


def look_inside(namespace: Dict[str, Any]) -> None:
    """Remember what those that have arrived hold, now that all of it is there."""
    for obj in list(_arrived):
        _digests[obj] = _contents(obj, namespace)


def changes(obj: Any, namespace: Dict[str, Any]) -> Optional[Dict[str, Any]]:
    """What differs, by attribute, also in place; None for what has not arrived as a definition."""
    if not has_arrived(obj):
        return None
    before = _arrived[obj]
    missing, now = object(), _look(obj)
    found = {name: value for name, value in now.items() if before.get(name, missing) is not value}
    digests = _digests.get(obj)
    if digests is not None:
        contents = _contents(obj, namespace)
        found.update((n, now[n]) for n, digest in contents.items() if digests.get(n) != digest)
    return found


def _look(obj: Any) -> Dict[str, Any]:
    if isinstance(obj, types.FunctionType):
        own = {"__code__": obj.__code__, "__defaults__": obj.__defaults__}
        return dict(obj.__dict__, **own)
    return {name: value for name, value in vars(obj).items() if name not in NOISE}


def _contents(obj: Any, namespace: Dict[str, Any]) -> Dict[str, Optional[str]]:
    """Digests of what the attributes hold that may change in place."""
    if isinstance(obj, enum.EnumMeta):
        return {}  # it notes which combinations of its members were asked for
    # (what has two underscores is Python's, or a library's)
    held = {n: _held(value) for n, value in _look(obj).items() if not n.startswith("__")}
    return {n: content_digest(v, namespace) for n, v in held.items() if v is not _FIXED}


def _held(value: Any) -> Any:
    """What of an attribute's value may change in place; ``_FIXED`` for nothing."""
    if isinstance(value, types.FunctionType):
        own = {n: v for n, v in value.__dict__.items() if not n.startswith("__")}
        held = (value.__defaults__, value.__kwdefaults__, own)
        return held if own or not is_plain(value) else _FIXED
    return _FIXED if isinstance(value, _FIXED) else value
