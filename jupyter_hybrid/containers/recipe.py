"""How an image is made: one description, and what Docker and Apptainer are told of it. Pure.

::

    base: nvcr.io/nvidia/pytorch:24.01-py3
    apt: [graphviz]                    # needs an engine that builds; without it nothing is built
    packages: [jupyterlab>=4, lightning]
    files: {notebooks: /workspace}     # beside the recipe -> in the image
    env: {LAB: physics}
    labels: {maintainer: ada}
    entrypoint: [jupyter, lab]
"""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import PurePosixPath
from typing import Any

from ..errors import ConfigError

#: Labels that an image of ours has, besides those of its base (``compose``).
RECIPE_LABEL = "io.jupyter-hybrid.recipe"
LOCK_LABEL = "io.jupyter-hybrid.lock"
COMMIT_LABEL = "org.opencontainers.image.revision"

_APT = re.compile(r"[a-z0-9][a-z0-9+.-]+(=[A-Za-z0-9.+:~-]+)?")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*")
_FOLDER = re.compile(r"/[A-Za-z0-9._/-]*")


@dataclass(frozen=True)
class Recipe:
    """What an image is made of."""

    base: str
    #: Debian packages, as ``apt-get install`` takes them.
    apt: tuple[str, ...] = ()
    #: Python packages (PEP 508): what the base has stays as it is.
    packages: tuple[str, ...] = ()
    #: Files and folders beside the recipe, and where they are in the image.
    files: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    entrypoint: tuple[str, ...] = ()
    workdir: str = ""

    @property
    def digest(self) -> str:
        """64 hex digits that change with everything that is written in it."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


def parse_recipe(data: Any, name: str) -> Recipe:
    """The recipe in a document (YAML, read); raises ``ConfigError`` naming what is wrong."""
    known = [f.name for f in fields(Recipe)]
    if not isinstance(data, Mapping) or not isinstance(data.get("base"), str):
        raise ConfigError(f"{name} is no recipe: it must have 'base', the image to start from")
    unknown = sorted(set(map(str, data)) - set(known))
    if unknown:
        raise ConfigError(f"{name} has {unknown[0]!r}; a recipe has: {', '.join(known)}")
    values: dict[str, Any] = {"base": data["base"], "workdir": str(data.get("workdir") or "")}
    for key in ("apt", "packages", "entrypoint"):
        values[key] = tuple(_list(data.get(key) or (), name, key))
    for key in ("files", "env", "labels"):
        values[key] = _mapping(data.get(key) or {}, name, key)
    recipe = Recipe(**values)
    _check(recipe, name)
    return recipe


def _list(value: Any, name: str, key: str) -> list[str]:
    if isinstance(value, str) or not isinstance(value, Sequence):
        if not isinstance(value, str):
            raise ConfigError(f"{name}: {key!r} is {value!r}; write a list")
        return value.split()
    return [str(item) for item in value]


def _mapping(value: Any, name: str, key: str) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise ConfigError(f"{name}: {key!r} is {value!r}; write names and values")
    return {str(k): str(v) for k, v in value.items()}


def _check(recipe: Recipe, name: str) -> None:
    """Nothing that would mean something else in a file of instructions."""
    wrong = [("apt", word) for word in recipe.apt if not _APT.fullmatch(word)]
    wrong += [("env", word) for word in recipe.env if not _NAME.fullmatch(word)]
    wrong += [("labels", word) for word in recipe.labels if not _LABEL.fullmatch(word)]
    texts = (*recipe.env.values(), *recipe.labels.values(), *recipe.entrypoint, recipe.base)
    wrong += [("values", text) for text in texts if not text.isprintable()]
    if recipe.workdir and not _FOLDER.fullmatch(recipe.workdir):
        wrong.append(("workdir", recipe.workdir))
    wrong += [("files", path) for pair in recipe.files.items() for path in pair if "$" in path]
    for source, target in recipe.files.items():
        inside = PurePosixPath(source)
        if inside.is_absolute() or ".." in inside.parts or not source.isprintable():
            wrong.append(("files", source))
        if not target.startswith("/") or ".." in target.split("/") or not target.isprintable():
            wrong.append(("files", target))
    if wrong:
        raise ConfigError(f"{name}: {wrong[0][1]!r} cannot stand in {wrong[0][0]!r}")


@dataclass(frozen=True)
class Context:
    """What lies beside the instructions when the image is made."""

    #: Names of layers (tars) that are unpacked at the root.
    archives: tuple[str, ...] = ()
    #: Labels that are known only then: of the base, the lock, the commit.
    labels: Mapping[str, str] = field(default_factory=dict)
    #: The base as an OCI layout on this disk, for Apptainer; empty: it fetches it by itself.
    layout: str = ""
    #: Whom the base runs as; empty: root.
    user: str = ""
    #: Those of the recipe's files that are folders.
    folders: frozenset[str] = frozenset()


def to_dockerfile(recipe: Recipe, context: Context | None = None) -> str:
    """The instructions for docker, podman and buildah."""
    context = context or Context()
    lines = [f"FROM {recipe.base}"]
    if recipe.apt:
        lines += ["USER 0", f"RUN {_apt_get(recipe)}"]
        lines += [f"USER {context.user}"] if context.user else []
    lines += [f"ADD {json.dumps([archive, '/'])}" for archive in context.archives]
    lines += [f"COPY {json.dumps([source, target])}" for source, target in recipe.files.items()]
    lines += [f"ENV {name}={_quoted(value)}" for name, value in recipe.env.items()]
    labels = {**context.labels, **recipe.labels}
    lines += [f"LABEL {_quoted(name)}={_quoted(value)}" for name, value in labels.items()]
    if recipe.workdir:
        lines.append(f"WORKDIR {recipe.workdir}")
    if recipe.entrypoint:
        lines.append(f"ENTRYPOINT {json.dumps(list(recipe.entrypoint))}")
    return "\n".join(lines) + "\n"


def to_apptainer(recipe: Recipe, context: Context | None = None) -> str:
    """The definition file for Apptainer."""
    context = context or Context()
    lines = ["Bootstrap: docker", f"From: {recipe.base.removeprefix('docker://')}"]
    if context.layout:
        lines = ["Bootstrap: oci", f"From: {context.layout}"]
    files = [f"    {_word(name)} /{_word(name)}" for name in context.archives]
    for source, target in recipe.files.items():
        # as with Docker, what is in a folder goes there, also where the image has one of that name
        folder = source in context.folders
        words = (f"{source}/.", f"{target.rstrip('/')}/") if folder else (source, target)
        files.append(f"    {' '.join(map(_word, words))}")
    lines += _section("files", files)
    post = [f"    {_apt_get(recipe)}"] if recipe.apt else []
    for archive in context.archives:
        post.append(f"    tar -xf /{shlex.quote(archive)} -C / && rm /{shlex.quote(archive)}")
    lines += _section("post", ["    set -e", *post] if post else [])
    exports = [f"    export {name}={shlex.quote(value)}" for name, value in recipe.env.items()]
    lines += _section("environment", exports)
    labels = {**context.labels, **recipe.labels}
    lines += _section("labels", [f"    {name} {value}" for name, value in labels.items()])
    if recipe.entrypoint:
        start = [f"    cd {shlex.quote(recipe.workdir)}"] if recipe.workdir else []
        lines += _section("runscript", [*start, f'    exec {shlex.join(recipe.entrypoint)} "$@"'])
    return "\n".join(lines) + "\n"


def _section(name: str, lines: list[str]) -> list[str]:
    return ["", f"%{name}", *lines] if lines else []


def _apt_get(recipe: Recipe) -> str:
    packages = " ".join(recipe.apt)
    return (
        "apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes "
        f"--no-install-recommends {packages} && rm -rf /var/lib/apt/lists/*"
    )


def _quoted(text: str) -> str:
    """A word of a Dockerfile in which nothing is replaced."""
    return '"' + re.sub(r'([\\"$])', r"\\\1", text) + '"'


def _word(path: str) -> str:
    """A path in Apptainer's %files, whose words are split at spaces unless they are quoted."""
    return f'"{path}"' if " " in path else path
