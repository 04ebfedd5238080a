"""Executors by name: our own, and those of the entry point group ``jupyter_hybrid.executors``."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from ..errors import ConfigError
from .base import Executor, TargetConfig

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "jupyter_hybrid.executors"
#: Our own executors, as in our entry points. These names are taken: nothing is searched for them,
#: which would take longer than the rest of a submit.
OWN = {
    "local": "jupyter_hybrid.executors.local:LocalExecutor",
    "slurm": "jupyter_hybrid.executors.slurm:SlurmExecutor",
    "kubernetes": "jupyter_hybrid.executors.kubernetes.executor:KubernetesExecutor",
}


def load_executor(target: TargetConfig) -> Executor:
    """The executor that serves the target; its module is imported only now.

    Raises ``ConfigError`` where no installed distribution has it, several have it, or it is broken.
    """
    return executor_class(target.executor)(target)


def executor_class(name: str) -> type[Executor]:
    """The executor class of this name; raises ``ConfigError``."""
    if name in OWN:
        module, _, attribute = OWN[name].partition(":")
        own: type[Executor] = getattr(import_module(module), attribute)
        return own
    return _installed(name)


def _installed(name: str) -> type[Executor]:
    from importlib.metadata import entry_points

    found = {(p.value, _origin(p)): p for p in entry_points(group=GROUP) if p.name == name}
    if not found:
        known = ", ".join(sorted({p.name for p in entry_points(group=GROUP)}))
        raise ConfigError(f"no executor is named {name!r}; installed are: {known}")
    if len(found) > 1:
        places = " and ".join(sorted(origin for _, origin in found))
        raise ConfigError(f"the executor {name!r} is in {places}; uninstall all but one of them")
    ((_, origin), point) = found.popitem()
    try:
        loaded = point.load()
    # a stranger's module may raise anything while it is imported
    except Exception as error:
        raise ConfigError(
            f"the executor {name!r} of {origin} cannot be loaded "
            f"({type(error).__name__}: {error}); upgrade or uninstall {origin}"
        ) from error
    if not (isinstance(loaded, type) and issubclass(loaded, Executor)):
        raise ConfigError(f"the executor {name!r} of {origin} is not an Executor: {point.value}")
    return loaded


def _origin(point: EntryPoint) -> str:
    return point.dist.name if point.dist else point.value
