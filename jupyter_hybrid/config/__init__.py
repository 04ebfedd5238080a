"""What administrators and users decide: targets and limits.

Read from ``jupyter_hybrid_config.py`` and ``.json`` in Jupyter's configuration directories, the
user's own last::

    c.Hybrid.default_target = "local"
    c.Hybrid.targets = {"local": {"executor": "local", "python": "/opt/lab/bin/python"}}

Most users have no such file, and then traitlets, which reads them, is not imported.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_core.paths import jupyter_config_path

from ..errors import ConfigError, UnknownTarget
from ..executors.base import TargetConfig
from ..store import default_directory

if TYPE_CHECKING:
    from ..containers.endpoints import RegistrySettings

FILE_NAME = "jupyter_hybrid_config"


@dataclass(frozen=True)
class Hybrid:
    """The configuration; ``c.Hybrid`` in the files has these names."""

    #: Directory of jobs and blobs. Default: jupyter-hybrid in Jupyter's data directory.
    directory: str = field(default_factory=lambda: str(default_directory()))
    #: Target of jobs that name none.
    default_target: str = "local"
    #: Targets by name: {'executor': …, 'root': …, and the executor's own options}.
    targets: dict[str, dict[str, Any]] = field(default_factory=dict)
    #: Bytes of files that travel by themselves; more must be named with --files.
    max_bundle_size: int = 2**30
    #: Bytes of variables that come back into a kernel by themselves.
    max_result_size: int = 4 * 2**30
    #: Seconds a cancelled job has to save what it can before it is killed.
    grace: float = 10.0
    #: Seconds after which a job that its place does not know is called lost.
    lost_after: float = 10.0
    #: Registry to the place, or the places in turn, whence its images are pulled instead.
    registry_mirrors: dict[str, str | list[str]] = field(default_factory=dict)
    #: Registries (host[:port]) that are spoken to without TLS.
    insecure_registries: list[str] = field(default_factory=list)
    #: Registry to the file of the authority that vouches for it.
    registry_certificates: dict[str, str] = field(default_factory=dict)
    #: Images that may be used, as names or patterns; all where there are none.
    allowed_images: list[str] = field(default_factory=list)
    #: Rules for what may leave, each with what it does: {'secrets': 'refuse'} (``checks``).
    checks: dict[str, Any] = field(default_factory=dict)
    #: The short list that users see first: a name of the site's to an image.
    images: dict[str, str] = field(default_factory=dict)
    #: Bytes that layers and SIFs may take here; beyond that the longest unused go.
    image_cache_size: int = 100 * 2**30
    #: Days after which what nobody used of them goes.
    image_cache_days: float = 60.0

    @property
    def home(self) -> Path:
        """``directory`` as an absolute path, the same for whoever reads it from wherever."""
        return Path(self.directory).expanduser().absolute()

    @property
    def registries(self) -> RegistrySettings:
        """What concerns registries, for their client."""
        from ..containers.endpoints import RegistrySettings

        return RegistrySettings(
            self.registry_mirrors, tuple(self.insecure_registries), self.registry_certificates
        )

    @property
    def _knows_registries(self) -> bool:
        return bool(self.registry_mirrors or self.insecure_registries or self.registry_certificates)

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
        if options.get("price") is not None and price_of(options) is None:
            raise ConfigError(
                f"the target {name!r} has the price {options['price']!r}; "
                f"c.Hybrid.targets[{name!r}]['price'] is a number, per hour, for example 1.5"
            )
        named, root = options.pop("root", None), self.home
        if options.get("host"):
            root = Path(far_root(named))
        elif named:
            from getpass import getuser

            # a directory for several users has one below it for each, private to them
            root = Path(named).expanduser().absolute() / getuser()
        return TargetConfig(
            name=name,
            executor=executor,
            root=root,
            home=self.home,
            options=options,
            registries=self.registries if self._knows_registries else None,
        )

    def runs_here(self, name: str | None, image: str | None) -> bool:
        """True where the target's jobs have this environment's kernels; raises ``UnknownTarget``.

        Elsewhere, and in images, there are others, of which nothing is known here.
        """
        target = self.target(name)
        return target.executor == "local" and not (image or target.options.get("image"))

    def target_options(self) -> dict[str, dict[str, Any]]:
        """All targets; ``local`` is there without being configured."""
        return {"local": {"executor": "local"}, **self.targets}


def price_of(options: Mapping[str, Any]) -> float | None:
    """What a target with these options costs per hour; None where no such number is configured."""
    price = options.get("price")
    if isinstance(price, bool) or not isinstance(price, (int, float)):
        return None
    return float(price) if math.isfinite(price) and price >= 0 else None


def far_root(named: str | None) -> str:
    """A directory of another machine, which alone can say what ``~``, ``$NAME`` and ``{user}`` are.

    One that names no user has one below it for each, as here.
    """
    if named is None:
        return "~/.jupyter-hybrid"
    own = named.startswith("~") or "$" in named or "{user}" in named
    return named if own else f"{named.rstrip('/')}/{{user}}"


def load_config(directories: Sequence[str] | None = None) -> Hybrid:
    """Read the configuration files; raises ``ConfigError`` naming the file that is wrong."""
    # jupyter_config_path() has the user's directory first; later files win, so go backwards
    places = reversed(jupyter_config_path() if directories is None else directories)
    names = [Path(place, FILE_NAME + suffix) for place in places for suffix in (".json", ".py")]
    found = [path for path in names if path.is_file()]
    if not found:
        return Hybrid()
    from .loading import read_files

    return Hybrid(**read_files(found))
