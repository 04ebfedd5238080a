"""Options of a target that concern images and their engine."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from ...containers.engines import Engine, Mount, engine_named, engines_here
from ...errors import ConfigError, UsageError

#: Their names.
OPTIONS = frozenset({"engine", "image", "mounts", "network", "read_only", "engine_options", "env"})
NONE = "none"


@dataclass(frozen=True)
class ImageSettings:
    """How a target runs images."""

    #: An engine's name, ``none``, or "" for the first that is there.
    engine: str = ""
    #: Image of jobs that name none.
    image: str = ""
    #: What containers see of the machine besides the job.
    mounts: tuple[Mount, ...] = ()
    network: bool = True
    read_only: bool = False
    #: Added to the engine's command, as the site wants it.
    engine_options: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)

    def engines(
        self, target: str, image: str, which: Callable[[str], str | None] = shutil.which
    ) -> list[Engine]:
        """The engines to choose from; raises ``UsageError`` where there is none for the image."""
        leave = f"leave out --image {image}, or name another target"
        if self.engine == NONE:
            raise UsageError(f"the target {target!r} runs no images ('engine' is 'none'); {leave}")
        found = [engine_named(self.engine)] if self.engine else engines_here(which)
        if not found:
            raise UsageError(
                f"the target {target!r} has no container engine: neither docker, podman nor "
                f"apptainer is installed; install one, or {leave}"
            )
        for engine in found:
            engine.options = self.engine_options
        return found


def image_settings(target: str, options: Mapping[str, Any]) -> ImageSettings:
    """Read the options; raises ``ConfigError`` for one that cannot be understood."""
    engine = str(options.get("engine") or "")
    if engine and engine != NONE:
        engine_named(engine)
    for name, kind in (("mounts", list), ("engine_options", list), ("env", dict)):
        if not isinstance(options.get(name) or kind(), (kind, tuple) if kind is list else kind):
            raise ConfigError(
                f"the option {name!r} of the target {target!r} is {options[name]!r}; "
                f"write a {'list' if kind is list else 'dictionary'}"
            )
    return ImageSettings(
        engine=engine,
        image=str(options.get("image") or ""),
        mounts=tuple(parse_mount(target, text) for text in options.get("mounts") or ()),
        network=bool(options.get("network", True)),
        read_only=bool(options.get("read_only", False)),
        engine_options=tuple(map(str, options.get("engine_options") or ())),
        env={str(k): str(v) for k, v in (options.get("env") or {}).items()},
    )


def parse_mount(target: str, text: Any) -> Mount:
    """Read ``SOURCE[:TARGET][:ro]``; raises ``ConfigError``."""
    source, *rest = str(text).split(":")
    read_only = bool(rest) and rest[-1] in ("ro", "rw") and rest.pop() == "ro"
    source = os.path.expandvars(os.path.expanduser(source))  # noqa: PTH111 - a part of a word
    inside = rest[0] if rest else source
    if len(rest) > 1 or not source.startswith("/") or not inside.startswith("/"):
        raise ConfigError(
            f"{text!r} in 'mounts' of the target {target!r} is no mount; write /data, "
            "/data:/inside or /data:/inside:ro"
        )
    return Mount(Path(source), PurePosixPath(inside), read_only)
