"""Configuration files, read and checked by traitlets as Jupyter's own are."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from traitlets import Dict, Float, Int, List, TraitError, Unicode, Union
from traitlets.config import Configurable
from traitlets.config.loader import Config, JSONFileConfigLoader, PyFileConfigLoader

from ..errors import ConfigError


class Hybrid(Configurable):
    """Types of the settings, which ``jupyter_hybrid.config`` explains."""

    directory = Unicode().tag(config=True)
    default_target = Unicode().tag(config=True)
    targets = Dict(per_key_traits=None, key_trait=Unicode(), value_trait=Dict()).tag(config=True)
    max_bundle_size = Int().tag(config=True)
    max_result_size = Int().tag(config=True)
    grace = Float().tag(config=True)
    lost_after = Float().tag(config=True)
    registry_mirrors = Dict(
        key_trait=Unicode(), value_trait=Union([Unicode(), List(Unicode())])
    ).tag(config=True)
    insecure_registries = List(Unicode()).tag(config=True)
    registry_certificates = Dict(key_trait=Unicode(), value_trait=Unicode()).tag(config=True)
    allowed_images = List(Unicode()).tag(config=True)
    checks = Dict(key_trait=Unicode()).tag(config=True)
    images = Dict(key_trait=Unicode(), value_trait=Unicode()).tag(config=True)
    image_cache_size = Int().tag(config=True)
    image_cache_days = Float().tag(config=True)


def read_files(paths: Iterable[Path]) -> dict[str, Any]:
    """The settings that are made in the files, of which later ones win; raises ``ConfigError``."""
    config = Config()
    for path in paths:
        config.merge(_read(path))
    try:
        checked = Hybrid(config=config)
    except TraitError as error:
        raise ConfigError(f"the configuration of jupyter-hybrid is wrong: {error}") from error
    made = config.get("Hybrid", {})
    return {
        name: getattr(checked, name) for name in checked.trait_names(config=True) if name in made
    }


def _read(path: Path) -> Config:
    loader: Any = JSONFileConfigLoader if path.suffix == ".json" else PyFileConfigLoader
    try:
        config: Config = loader(path.name, path=str(path.parent)).load_config()
        return config
    # a configuration file is a program of the site's: whatever it raises is its own mistake, and
    # an exit would be that of Jupyter Server, with everybody's kernels
    except (Exception, SystemExit) as error:
        raise ConfigError(
            f"{path} cannot be read: {type(error).__name__}: {error}; mend or remove it"
        ) from error
