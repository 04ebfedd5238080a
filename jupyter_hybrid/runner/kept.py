"""The modules that a program starts with, in one file: read at once, and not looked for one by one.

Most clusters mount images by FUSE, where every look for a file is a question to another process; a
kernel and its runner ask thousands of them. The file is made in the image itself (``keep``) and
counts for an interpreter that looks for modules in the same places (``use``).

Read and executed by path, in kernels whose environment knows nothing of this package: standard
library only, Python 3.8.
"""

from __future__ import annotations

import marshal
import os
import sys
from importlib.machinery import ExtensionFileLoader, ModuleSpec, SourceFileLoader

# what is imported here cannot be kept: it is there before the file is
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Set, Tuple

#: Where the files are in a job's image: ``kernel`` and ``runner``.
PLACE = "/opt/jupyter-hybrid/start"
#: Changes with what is in the files.
FORMAT = 2
#: What a Python kernel imports until it is ready; those that another version lacks are passed over.
KERNEL = (
    *("ipykernel_launcher", "ipykernel.kernelapp", "ipykernel.debugger", "IPython.core.debugger"),
    *("IPython.core.completerlib", "IPython.core.oinspect", "IPython.extensions.storemagic"),
    *("ipykernel.parentpoller", "ipykernel.iostream", "ipykernel.datapub", "tornado.locks"),
    *("tornado.platform.asyncio", "sqlite3", "pdb", "faulthandler", "unicodedata", "argcomplete"),
)


class Kept(SourceFileLoader):
    """Loads a module from the code that was kept; else like any other."""

    code = b""

    def get_code(self, fullname: str) -> Any:
        """The module's code; its file is not looked at."""
        return marshal.loads(self.code)


class KeptLibrary(ExtensionFileLoader):
    """Loads a compiled module from its copy, with the libraries that it is linked to."""

    #: The directory of all copies: what is ``/opt/…`` in the image is ``opt/…`` below it.
    place = ""

    def create_module(self, spec: ModuleSpec) -> Any:
        """The module, which does not know of the copy."""
        origin = str(spec.origin)
        copy = ModuleSpec(spec.name, self, origin=self.place + origin)
        try:
            module = super().create_module(copy)
        except ImportError:
            return super().create_module(spec)
        if hasattr(module, "__file__"):
            module.__file__ = origin
        return module


class Finder:
    """Finds what was kept; where nothing was to be found, the other finders do not look again."""

    #: By this it is known to who does not know the class.
    kept_by = "jupyter_hybrid"

    def __init__(self, modules: Dict[str, Tuple[str, bool, bytes]], missing: Sequence[str]) -> None:
        self._modules, self._missing = modules, frozenset(missing)
        #: The finders in whose place it is.
        self.others: List[Any] = []
        #: Where compiled modules are copied to.
        self.place = ""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Optional[ModuleSpec]:
        """Called by Python's import."""
        found = self._modules.get(name)
        if found is None:
            asked = () if name in self._missing else self.others
            specs = (other.find_spec(name, path, target) for other in asked)
            return next((spec for spec in specs if spec is not None), None)
        origin, package, code = found
        loader: Any = Kept(name, origin) if code else KeptLibrary(name, origin)
        loader.code, loader.place = code, self.place
        spec = ModuleSpec(name, loader, origin=origin, is_package=package)
        spec.has_location = True
        if package:
            spec.submodule_search_locations = [origin.rpartition("/")[0]]
        return spec

    def find_distributions(self, *context: Any) -> Iterator[Any]:
        """Called by importlib.metadata."""
        for other in self.others:
            if hasattr(other, "find_distributions"):
                yield from other.find_distributions(*context)

    def invalidate_caches(self) -> None:
        """Called by importlib where files were written."""
        for other in self.others:
            if hasattr(other, "invalidate_caches"):
                other.invalidate_caches()


class _Missed:
    """Takes note of what no other finder finds."""

    def __init__(self) -> None:
        self.names: Set[str] = set()

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        """Called by Python's import, last of all."""
        self.names.add(name)


def _looks() -> List[Any]:
    """What decides which modules this interpreter finds, and whether it can read their code."""
    flags = (sys.flags.optimize, sys.flags.no_site, sys.flags.no_user_site, sys.flags.isolated)
    return [FORMAT, sys.version, sys.prefix, sys.path, *flags]


def keep(path: str, load: Callable[[], Any]) -> None:
    """Write what ``load`` imports into the file."""
    looks, known, missed = list(map(repr, _looks())), set(sys.modules), _Missed()
    mapped = _mapped()
    sys.meta_path.append(missed)
    load()
    for library in _mapped() - mapped:
        _copy(library, _place(path) + library)
    modules: Dict[str, Tuple[str, bool, bytes]] = {}
    for name, module in list(sys.modules.items()):
        spec = getattr(module, "__spec__", None)
        if name in known or spec is None or spec.name != name or not spec.origin:
            continue
        if type(spec.loader) is SourceFileLoader:
            package = spec.submodule_search_locations is not None
            modules[name] = (spec.origin, package, marshal.dumps(spec.loader.get_code(name)))
        elif type(spec.loader) is ExtensionFileLoader:
            modules[name] = (spec.origin, False, b"")
    missing = sorted(missed.names - set(sys.modules))
    scratch = f"{path}.{os.getpid()}"
    with open(scratch, "wb") as file:
        marshal.dump((looks, modules, missing), file)
    os.replace(scratch, path)


def _place(path: str) -> str:
    """Beside the file, where copies of compiled modules and of libraries are.

    On a disk that the machine knows, and not in an image that is unpacked as it is read.
    """
    return path.rpartition("/")[0] + "/lib"


def _mapped() -> Set[str]:
    """The libraries that this process has loaded."""
    try:
        with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as file:
            found = {line.split(None, 5)[5].rstrip("\n") for line in file if "/" in line}
    except OSError:
        return set()
    return {name for name in found if ".so" in name.rpartition("/")[2] and os.access(name, os.R_OK)}


def _copy(source: str, target: str) -> None:
    """The file is there as well, whole or not at all."""
    # (pathlib could not be kept, if it were imported here)
    os.makedirs(target.rpartition("/")[0], exist_ok=True)  # noqa: PTH103
    scratch = f"{target}.{os.getpid()}"
    with open(source, "rb") as read, open(scratch, "wb") as write:
        write.write(read.read())
    os.chmod(scratch, 0o755)
    os.replace(scratch, target)


def use(path: str) -> bool:
    """Import from the file from now on, where it is there and counts for this interpreter."""
    try:
        with open(path, "rb") as file:
            looks, modules, missing = marshal.loads(file.read())
    except (OSError, EOFError, ValueError, TypeError):
        return False
    if looks != list(map(repr, _looks())):
        return False
    finder = Finder(modules, missing)
    finder.others[:] = sys.meta_path
    finder.place = _place(path)
    sys.meta_path[:] = [finder]
    return True


def forget() -> None:
    """From now on imports are Python's own."""
    for place, finder in enumerate(sys.meta_path):
        if isinstance(finder, Finder):
            sys.meta_path[place : place + 1] = finder.others
            return


def load_kernel(lean: str) -> None:
    """Import what a kernel starts with, as ``lean`` (a path) lets it."""
    import importlib

    # the launcher's own first step
    sys.path[:] = [path for path in sys.path if path]
    scope: Dict[str, Any] = {"__name__": "lean"}
    exec(SourceFileLoader("lean", lean).get_code("lean"), scope)  # type: ignore[arg-type]
    scope["begin"]()
    for name in KERNEL:
        try:
            importlib.import_module(name)
        except ImportError:
            continue


def load_runner() -> None:
    """Import what the runner executes a job with."""
    import importlib

    from . import __main__, conduct, control, finish, guest, supervise  # noqa: F401
    from .imports import load_papermill

    load_papermill()
    from . import engine  # noqa: F401

    try:
        # looked for in order to know whether there is a kernel
        importlib.import_module("ipykernel_launcher")
    except ImportError:
        pass
