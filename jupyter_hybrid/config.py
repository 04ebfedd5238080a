"""What administrators and users decide: targets and limits, by traitlets.

Read from ``jupyter_hybrid_config.py`` and ``.json`` in Jupyter's configuration directories, the
user's own last::

    c.Hybrid.default_target = "local"
    c.Hybrid.targets = {"local": {"executor": "local", "python": "/opt/lab/bin/python"}}
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jupyter_core.paths import jupyter_config_path
from traitlets import Dict, Float, Int, TraitError, Unicode, default
from traitlets.config import Configurable
from traitlets.config.loader import Config, JSONFileConfigLoader, PyFileConfigLoader

from .errors import ConfigError, UnknownTarget
from .executors.base import TargetConfig
from .store import default_directory

FILE_NAME = "jupyter_hybrid_config"


class Hybrid(Configurable):
    """Configuration of jupyter-hybrid."""

    directory = Unicode(
        help="Directory of jobs and blobs. Default: jupyter-hybrid in Jupyter's data directory."
    ).tag(config=True)

    default_target = Unicode("local", help="Target of jobs that name none.").tag(config=True)

    targets = Dict(
        per_key_traits=None,
        key_trait=Unicode(),
        value_trait=Dict(),
        help="Targets by name: {'executor': …, 'root': …, and the executor's own options}.",
    ).tag(config=True)

    max_bundle_size = Int(
        2**30,
        help="Bytes of files that travel by themselves; more must be named with --files.",
    ).tag(config=True)

    max_result_size = Int(
        4 * 2**30, help="Bytes of variables that come back into a kernel by themselves."
    ).tag(config=True)

    grace = Float(
        10.0, help="Seconds a cancelled job has to save what it can before it is killed."
    ).tag(config=True)

    lost_after = Float(
        10.0, help="Seconds after which a job that its place does not know is called lost."
    ).tag(config=True)

    @default("directory")
    def _default_directory(self) -> str:
        return str(default_directory())

    def target(self, name: str | None = None) -> TargetConfig:
        """The named target's configuration; raises ``UnknownTarget``."""
        name = name or self.default_target
        options = self.target_options().get(name)
        if options is None:
            known = ", ".join(sorted(self.target_options()))
            raise UnknownTarget(f"there is no target named {name!r}; there are: {known}")
        options = dict(options)
        executor = options.pop("executor", None)
        if not isinstance(executor, str):
            raise ConfigError(
                f"the target {name!r} names no executor; "
                f"add c.Hybrid.targets[{name!r}]['executor'], for example 'local'"
            )
        root = Path(options.pop("root", None) or self.directory).expanduser()
        return TargetConfig(name=name, executor=executor, root=root, options=options)

    def target_options(self) -> dict[str, dict[str, Any]]:
        """All targets; ``local`` is there without being configured."""
        return {"local": {"executor": "local"}, **self.targets}


def load_config(directories: list[str] | None = None) -> Hybrid:
    """Read the configuration files; raises ``ConfigError`` naming the file that is wrong."""
    config = Config()
    # jupyter_config_path() has the user's directory first; later files win, so go backwards
    for directory in reversed(jupyter_config_path() if directories is None else directories):
        for suffix, loader in ((".json", JSONFileConfigLoader), (".py", PyFileConfigLoader)):
            path = Path(directory, FILE_NAME + suffix)
            if path.is_file():
                config.merge(_read(path, loader))
    try:
        return Hybrid(config=config)
    except TraitError as error:
        raise ConfigError(f"the configuration of jupyter-hybrid is wrong: {error}") from error


def _read(path: Path, loader: Any) -> Config:
    try:
        config: Config = loader(path.name, path=str(path.parent)).load_config()
        return config
    # a configuration file is a program of the site's: whatever it raises is its own mistake
    except Exception as error:
        raise ConfigError(
            f"{path} cannot be read: {type(error).__name__}: {error}; mend or remove it"
        ) from error
