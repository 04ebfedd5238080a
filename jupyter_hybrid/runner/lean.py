"""What a kernel imports at its start and no job uses then: it comes when it is used.

Read and executed by path, in kernels whose environment knows nothing of this package: standard
library only, Python 3.8.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec, module_from_spec
from types import ModuleType

#: For debugging and completion, which no job is asked for.
ABSENT = ("debugpy", "jedi")
#: A prompt in a terminal, for which IPython imports a whole library of those.
PROMPT = "IPython.terminal.embed"
#: What starts and manages kernels; a kernel needs two modules of it.
CLIENT = "jupyter_client"


def begin() -> None:
    """Import no more than a kernel's start needs; ``bootstrap.let_import`` is the end of it."""
    for name in ABSENT:
        # None makes an import fail as if the module were not installed
        sys.modules[name] = None  # type: ignore[assignment]
    _put_off_prompt()
    if CLIENT not in sys.modules:
        _put_off_package(CLIENT, "connect")


def _put_off_prompt() -> None:
    prompt = ModuleType(PROMPT)

    def embed(*arguments: object, **options: object) -> object:
        """IPython's own, which is imported now."""
        if sys.modules.get(PROMPT) is prompt:
            del sys.modules[PROMPT]
        real: object = import_module(PROMPT).embed(*arguments, **options)
        return real

    prompt.__dict__.update(embed=embed, kept_by="jupyter_hybrid")
    sys.modules[PROMPT] = prompt


def _put_off_package(name: str, first: str) -> None:
    """A package executes its ``__init__`` once somebody wants more of it than ``first`` has."""
    spec = find_spec(name)
    if spec is None or spec.loader is None:
        return
    package, loader = module_from_spec(spec), spec.loader

    def missing(wanted: str) -> object:
        part = import_module(f"{name}.{first}")
        if wanted in getattr(part, "__all__", ()):
            return getattr(part, wanted)
        if package.__dict__.pop("__getattr__", None) is not None:
            loader.exec_module(package)
        if wanted in package.__dict__:
            return package.__dict__[wanted]
        raise AttributeError(f"module {name!r} has no attribute {wanted!r}")

    package.__dict__["__getattr__"] = missing
    sys.modules[name] = package
