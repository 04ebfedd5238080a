"""Import papermill without the half of its dependencies that a runner never calls.

The kernel boots meanwhile, on as few as one core, so every module that is not read makes the job
start sooner. All of this concerns the runner's own process; no kernel ever sees it.
"""

from __future__ import annotations

import gc
import importlib.util
import sys
from types import ModuleType
from typing import Any, Callable, ClassVar, Dict, List

#: Clouds' packages, by which papermill reads and writes notebooks elsewhere: where they are there,
#: they take longer than all the rest. papermill does without those that are not.
CLOUDS = ("boto3", "azure", "gcsfs", "pyarrow", "github")
#: jsonschema's optional format checkers: a grammar compiled at import takes up to a second.
FORMATS = ("rfc3987_syntax", "rfc3987", "isoduration", "fqdn", "webcolors", "uri_template")


class _SchemaError(Exception):
    """Stands in for jsonschema's ValidationError, of which nbformat derives its own."""

    def __init__(self, message: str = "", **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.__dict__.update(details)


class _Validator:
    """Stands in for the validator that nbformat keeps beside fastjsonschema, its default."""

    def __init__(self, schema: Any) -> None:
        self.schema = schema

    def iter_errors(self, data: Any, schema: Any = None) -> tuple[()]:
        """No errors: asked of cells that papermill has just made itself."""
        return ()


class _Loader:
    """Stands in for yaml's loader, of which papermill derives its own."""

    yaml_implicit_resolvers: ClassVar[Dict[str, Any]] = {}


def _as_it_is(**options: Any) -> Callable[[Any], Any]:
    """A decorator that changes nothing."""
    return lambda function: function


def _nothing(*arguments: Any, **options: Any) -> None:
    """Stands in for the options of such a decorator."""


def _with(name: str, **members: Any) -> ModuleType:
    module = ModuleType(name)
    module.__dict__.update(members)
    return module


def _stand_ins() -> Dict[str, ModuleType]:
    """Modules that papermill and nbformat import at their top and that nothing here calls."""
    # http and s3 notebooks, and the command line's help
    modules = {name: ModuleType(name) for name in ("requests", "click")}
    # engines and storages of other packages, looked for in the metadata of all that is installed
    modules["entrypoints"] = _with("entrypoints", get_group_all=lambda group: ())
    # files of parameters, and storages that fail at times
    modules["yaml"] = _with("yaml", SafeLoader=_Loader)
    retrying = ("retry_if_exception_type", "stop_after_attempt", "wait_exponential")
    modules["tenacity"] = _with("tenacity", retry=_as_it_is, **dict.fromkeys(retrying, _nothing))
    if importlib.util.find_spec("fastjsonschema") is not None:
        schema = ModuleType("jsonschema")
        errors = ModuleType("jsonschema.exceptions")
        schema.__dict__.update(Draft4Validator=_Validator, exceptions=errors, __path__=[])
        for module in (schema, errors):
            module.__dict__.update(ValidationError=_SchemaError, ErrorTree=_SchemaError)
        modules.update({"jsonschema": schema, "jsonschema.exceptions": errors})
    return {name: module for name, module in modules.items() if name not in sys.modules}


def _without_stand_ins(load: Callable[[], None], added: List[str]) -> None:
    for name in added:
        sys.modules.pop(name, None)
    for name in [*sys.modules]:
        if name.partition(".")[0] in ("papermill", "nbformat", "nbclient"):
            del sys.modules[name]
    load()


def _load() -> None:
    import nbclient.client  # noqa: F401
    import nbformat.v4  # noqa: F401
    import papermill.execute  # noqa: F401


def prepare_imports() -> None:
    """Keep jsonschema's slow optional parts out of this process."""
    for name in FORMATS:
        # None makes an import fail as if the module were not installed
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]


def load_papermill() -> None:
    """papermill, nbclient and nbformat can be imported at once; raises ``ImportError``."""
    prepare_imports()
    added: Dict[str, Any] = _stand_ins()
    added.update((name, None) for name in CLOUDS if name not in sys.modules)
    sys.modules.update(added)
    # modules make no garbage worth a tenth of the time that they take
    gc.disable()
    try:
        _load()
    except (ImportError, AttributeError, TypeError):
        # another version needs more of them than the ones known here do
        _without_stand_ins(_load, list(added))
    finally:
        gc.enable()
        for name, module in added.items():
            if sys.modules.get(name, sys) is module:
                del sys.modules[name]
