"""Pickle what a notebook defines so that it is the same thing on the other side, and again here.

Beyond cloudpickle: functions of the notebook see the other side's namespace itself, not a copy of
the names they read; a class or function that comes back unchanged *is* the one that left, so that
``isinstance`` holds; and tracebacks through them show their source. Python 3.8.
"""

from __future__ import annotations

import copyreg
import functools
import io
import os
import pickle
import sys
import types
import weakref
from collections import ChainMap
from typing import Any, Callable, ClassVar, Dict, Mapping, Optional, Tuple

import cloudpickle

from .definitions import NOISE, arrive, changes, is_plain

#: Names of definitions that left this process or arrived in it: object -> token, token -> object.
_tokens: weakref.WeakKeyDictionary[Any, str] = weakref.WeakKeyDictionary()
_known: weakref.WeakValueDictionary[str, Any] = weakref.WeakValueDictionary()

#: cloudpickle's classes and functions have no types to speak of.
_Base: Any = cloudpickle.Pickler
_Cached: Any = type(functools.lru_cache(None)(len))


class _Namespace:
    """Stands for the dictionary of the notebook's globals, whichever side is reading."""

    def __reduce__(self) -> Tuple[Any, ...]:
        return namespace, ()


def namespace() -> Dict[str, Any]:
    """In a pickle: the loading side's namespace."""
    raise pickle.UnpicklingError("this pickle is read by jupyter_hybrid.values.load only")


def define(token: Optional[str], make: Callable[..., Any], args: Tuple[Any, ...]) -> Any:
    """In a pickle: a class or function, the existing one where this process knows it."""
    raise pickle.UnpicklingError("this pickle is read by jupyter_hybrid.values.load only")


def complete(made: Any, state: Tuple[Any, ...]) -> None:
    """In a pickle: fill what ``define`` made, or apply what has changed to the existing one."""
    raise pickle.UnpicklingError("this pickle is read by jupyter_hybrid.values.load only")


def cached(maxsize: Optional[int], typed: bool, function: Any) -> Any:
    """In a pickle: a function of the notebook below ``lru_cache``, its cache empty."""
    return functools.lru_cache(maxsize, typed)(function)


def _reduce_cached(obj: Any) -> Tuple[Any, ...]:
    # by itself it is a name, which the other side's namespace does not have
    known: Dict[str, Any] = getattr(obj, "cache_parameters", dict)()  # Python 3.9
    maxsize, typed = known.get("maxsize", obj.cache_info().maxsize), known.get("typed", False)
    return cached, (maxsize, typed, obj.__wrapped__)


def _reduce_code(code: types.CodeType) -> Tuple[Any, ...]:
    # cloudpickle forgets the file name, and with it the source lines in tracebacks
    make, args = _Base._dispatch_table[types.CodeType](code)
    return make, tuple(code.co_filename if arg == "<dynamic-code>" else arg for arg in args)


def _reduce_text_file(file: Any) -> Tuple[Any, ...]:
    # cloudpickle sends all of its text, and makes an io.StringIO of it, which is no file
    for name in ("stdout", "stderr"):
        if file is getattr(sys, name):
            return getattr, (sys, name)
    reduced: Tuple[Any, ...] = file.__reduce_ex__(pickle.HIGHEST_PROTOCOL)  # which says why not
    return reduced


class Pickler(_Base):  # type: ignore[misc]
    """Writes values whose functions refer to ``globals_dict``.

    ``on_code`` is called with the code of each function of the notebook and the names of
    ``globals_dict`` that it reads, ``on_module`` with the module of what is written as a reference.
    ``digesting`` writes for no reader, only to compare.
    """

    dispatch_table: ClassVar[Any] = ChainMap(
        {types.CodeType: _reduce_code, io.TextIOWrapper: _reduce_text_file},
        _Base._dispatch_table,
        copyreg.dispatch_table,
    )

    def __init__(
        self,
        file: Any,
        globals_dict: Dict[str, Any],
        *,
        buffer_callback: Optional[Callable[[Any], Any]] = None,
        on_code: Callable[[types.CodeType, Mapping[str, Any]], None] = lambda code, names: None,
        on_module: Callable[[str], None] = lambda module: None,
        digesting: bool = False,
    ) -> None:
        super().__init__(file, protocol=5, buffer_callback=buffer_callback)
        self._globals = globals_dict
        self._on_code, self._on_module = on_code, on_module
        self._digesting = digesting
        self.globals_ref[id(globals_dict)] = _Namespace()

    def reducer_override(self, obj: Any) -> Any:
        """Give definitions of the notebook a token; leave everything else to cloudpickle."""
        if self._digesting and _is_of_pandas(obj):
            return _without_cache(obj.__reduce_ex__(5))
        if type(obj) is _Cached and self._is_the_notebooks(obj.__wrapped__):
            return _reduce_cached(obj)
        reduced = super().reducer_override(obj)
        if reduced is NotImplemented or len(reduced) < 6:
            if isinstance(obj, (type, types.FunctionType, types.BuiltinFunctionType)):
                self._on_module(obj.__module__ or "builtins")
            return reduced
        make, args, state, _, _, fill = reduced
        if isinstance(obj, types.FunctionType):
            if obj.__globals__ is self._globals:
                self._on_code(obj.__code__, state[1]["__globals__"])
                # the names are there by themselves, or travel by themselves
                state[1]["__globals__"] = {}
            token = _token(obj) if is_plain(obj) else None
        else:
            _keep_slots(obj, args, state)
            token = _token(obj)
        if self._digesting:
            _leave_out_what_comes_with_use(state)
            changed = None
        else:
            changed = changes(obj, self._globals) if token else None
        return define, (token, make, args), (token, changed, fill, state), None, None, complete

    def _is_the_notebooks(self, function: Any) -> bool:
        return getattr(function, "__globals__", None) is self._globals


class _Reading:
    """How both unpicklers below understand what ``Pickler`` wrote."""

    def __init__(self, file: Any, globals_dict: Dict[str, Any], *, buffers: Any = None) -> None:
        super().__init__(file, buffers=buffers)  # type: ignore[call-arg]
        self._globals = globals_dict
        self._existing: Dict[int, Any] = {}
        #: True where another Python wrote it: its functions' code would crash this one.
        self.foreign = False

    def find_class(self, module: str, name: str) -> Any:
        """Resolve a global; those of this module mean this unpickler's own."""
        if module == __name__:
            return {
                "cached": cached,
                "namespace": lambda: self._globals,
                "define": self._define,
                "complete": self._complete,
            }[name]
        if self.foreign and name == "_make_function" and module.startswith("cloudpickle"):
            return _refuse_code
        return super().find_class(module, name)  # type: ignore[misc]

    def _define(self, token: Optional[str], make: Callable[..., Any], args: Any) -> Any:
        existing = _known.get(token) if token else None
        if existing is not None:
            self._existing[id(existing)] = existing
            return existing
        made = make(*args)
        if token:
            _known[token] = made
            _tokens[made] = token
        return made

    def _complete(self, made: Any, state: Tuple[Any, ...]) -> None:
        token, changed, fill, full = state
        if id(made) in self._existing:
            for name, value in (changed or {}).items():
                setattr(made, name, value)
            return
        fill(made, full)
        if token:
            arrive(made)


def _refuse_code(*arguments: Any) -> Any:
    raise pickle.UnpicklingError("the code is another Python's")


class Unpickler(_Reading, pickle.Unpickler):
    """Reads what ``Pickler`` wrote; the notebook's functions get ``globals_dict``."""


class SlowUnpickler(_Reading, pickle._Unpickler):
    """The same in Python, whose memo can be set."""

    memo: Dict[int, Any]


def _keep_slots(cls: type, args: Tuple[Any, ...], state: Tuple[Any, ...]) -> None:
    """Have the class made with its slots.

    cloudpickle makes it without them; instances of it then have a ``__dict__``, which those of the
    class here cannot take back.
    """
    if "__slots__" not in vars(cls) or args[0] is not type(cls):
        return
    members = {n for n, v in vars(cls).items() if isinstance(v, types.MemberDescriptorType)}
    given = members | ({"__dict__", "__weakref__"} & set(vars(cls)))
    args[3]["__slots__"] = tuple(sorted(given))
    for name in members:
        state[0].pop(name, None)


def _leave_out_what_comes_with_use(state: Tuple[Any, ...]) -> None:
    """Of a definition's state, take out what changes by itself."""
    for name in NOISE:
        state[0].pop(name, None)
    # (those that are loaded by now, of the modules that a function reads)
    state[1].pop("_cloudpickle_submodules", None)


def _is_of_pandas(obj: Any) -> bool:
    cls = type(obj)
    return cls.__module__.partition(".")[0] == "pandas" and "_cache" in getattr(obj, "__dict__", ())


def _without_cache(part: Any) -> Any:
    """What an object of pandas is reduced to, without what was once asked of it."""
    if type(part) is tuple:
        return tuple(
            kept for kept in map(_without_cache, part) if not (type(kept) is dict and not kept)
        )
    if type(part) is dict:
        return {name: value for name, value in part.items() if name != "_cache"}
    return part


def _token(obj: Any) -> Optional[str]:
    try:
        token = _tokens.get(obj)
        if token is None:
            token = os.urandom(16).hex()
            _tokens[obj] = token
            _known[token] = obj
    except TypeError:  # a metaclass may make its classes unhashable
        return None
    return token
