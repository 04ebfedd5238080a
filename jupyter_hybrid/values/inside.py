"""What a ``%%remote`` job's notebook calls inside its kernel: variables in, variables out.

This module travels into containers: Python 3.8, standard library; cloudpickle where it is used.
"""

from __future__ import annotations

import importlib
import os
import re
import sys
from pathlib import Path
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence

from ..errors import ResultError
from ..paths import JobPaths
from . import Dumped, Loaded, Terms, Variable, dump, load
from .contents import content_digest
from .definitions import changes, has_arrived, look_inside
from .mappings import address, written

#: Names that IPython keeps in the namespace for itself.
_IPYTHON = re.compile(
    r"_{1,3}|_i{1,3}|_i?\d+|_[dio]h|In|Out|exit|quit|open|get_ipython|_hybrid|__\w+__"
)

_current: Optional[_Cell] = None


def receive(
    *,
    number: Optional[int] = None,
    changed: Iterable[str] = (),
    only: Optional[Sequence[str]] = None,
    limit: Optional[int] = None,
    here: bool = False,
) -> None:
    """Load what was sent, and remember how things are before the user's cell.

    ``number`` is the execution count of the user's cell in its notebook, ``changed`` names the
    variables that it may change in place, ``only`` those that come back (None: all it assigns),
    and ``limit`` is in bytes for each. ``here`` tells that who reads them is on this machine.
    """
    global _current
    namespace = sys.modules["__main__"].__dict__
    paths = JobPaths(Path(os.environ.get("JUPYTER_HYBRID_JOB_DIR") or _job_directory()))
    loaded = Loaded(())
    if paths.inputs.is_dir():
        loaded = load(paths.inputs, namespace)
    # (what was not sent, as its user was told, the cell may well do without)
    if loaded.unreadable:
        told = "; ".join(f"{variable.name}: {variable.note}" for variable in loaded.unreadable)
        raise ResultError(f"what the cell needs cannot be read here: {told}")
    _show_figures()
    _current = _Cell(namespace, paths.outputs, only, limit, here)
    _current.look(changed, loaded)
    _watch_failure(number)


def give_back() -> None:
    """Write what the user's cell assigned, changed or deleted, for the way back."""
    if _current is not None:
        _current.write()


def _show_figures() -> None:
    """Let a figure that came along be shown as one that is made here.

    IPython draws figures once matplotlib's inline backend is there, which making one loads.
    """
    backend = os.environ.get("MPLBACKEND", "")
    if "matplotlib.figure" in sys.modules and "matplotlib_inline" in backend:
        importlib.import_module("matplotlib_inline.backend_inline")


def _job_directory() -> Path:
    for directory in (Path.cwd(), *Path.cwd().parents):
        if (directory / "spec.json").is_file():
            return directory
    raise ResultError("this notebook is part of a job of jupyter-hybrid and works only as one")


class _Cell:
    """The namespace before and after the user's cell."""

    def __init__(
        self,
        namespace: Dict[str, Any],
        outputs: Path,
        only: Optional[Sequence[str]],
        limit: Optional[int],
        here: bool,
    ) -> None:
        self._namespace, self._outputs = namespace, outputs
        self._only, self._limit, self._here = only, limit, here
        self._before: Dict[str, Any] = {}
        self._digests: Dict[str, Optional[str]] = {}
        #: Mapped buffers that nobody had written to before the user's cell.
        self._watched: List[Any] = []
        self._changed_in_place: List[str] = []
        self._stayed: List[Variable] = []
        self._written = False

    def look(self, changed: Iterable[str], loaded: Loaded) -> None:
        """Remember the bindings, and the contents of what may be changed in place."""
        self._before = dict(self._namespace)
        look_inside(self._namespace)
        changed = [name for name in changed if name in self._before and self._is_asked(name)]
        if changed:
            touched = written(loaded.buffers)
            self._watched = [b for b in loaded.buffers if touched.get(address(b)) is False]
        known = self._buffers()
        self._digests = {name: self._content(name, known) for name in changed}

    def _is_asked(self, name: str) -> bool:
        return self._only is None or name in self._only

    def _buffers(self) -> Dict[int, str]:
        """What stands for the contents of the watched buffers, which are not read."""
        touched = written(self._watched)
        # (with its address: of two that change places nobody has written to either)
        return {a: f"{a} {own}" for a, own in touched.items()}

    def _content(self, name: str, known: Mapping[int, str]) -> Optional[str]:
        """What changes when the variable's content does."""
        value = self._namespace[name]
        differs = changes(value, self._namespace)
        # (a definition is set back by what differs alone, which can be nothing)
        if differs is not None:
            return " ".join(sorted(differs))
        return content_digest(value, self._namespace, known)

    def write(self) -> Optional[Dumped]:
        """Write the variables once."""
        if self._written:
            return None
        self._written = True
        names = self._names()
        return dump(
            self._namespace,
            names,
            self._outputs,
            follow=names,
            in_place=self._changed_in_place,
            terms=Terms(self._limit, digests=not self._here, stayed=self._stayed),
        )

    def _names(self) -> List[str]:
        # (a thread of the cell may go on)
        now, known = dict(self._namespace), self._buffers()
        for name, digest in self._digests.items():
            same = name in now and now[name] is self._before[name]
            if same and digest != self._content(name, known):
                self._changed(name)
        if self._only is not None:
            return [name for name in self._only if name in now or name in self._before]
        names = [
            name
            for name, value in now.items()
            if not _IPYTHON.fullmatch(name)
            and (name not in self._before or self._before[name] is not value)
        ]
        gone = [n for n in self._before if n not in now and not _IPYTHON.fullmatch(n)]
        return names + self._changed_in_place + gone

    def _changed(self, name: str) -> None:
        value = self._namespace[name]
        if self._only is None and isinstance(value, type) and not has_arrived(value):
            # with the replayed one in its place, nothing here would be an instance of it
            note = f"a class that was made anew there, and changed; -o {name} brings that one"
            self._stayed.append(Variable(name, type(value).__name__, note=note))
        else:
            self._changed_in_place.append(name)


def _watch_failure(number: Optional[int]) -> None:
    """Show the user's own cell number, and write what there is where the cell fails."""
    get_ipython = sys.modules["__main__"].__dict__.get("get_ipython")
    shell = get_ipython() if get_ipython is not None else None
    if shell is None:
        return
    if number is not None:
        # newer IPython counts up when a cell begins, older when it ends
        early = shell.execution_count - shell.displayhook.prompt_count
        shell.execution_count = number - 1 + early

    def after(result: Any) -> None:
        if not result.success:
            give_back()

    shell.events.register("post_run_cell", after)
