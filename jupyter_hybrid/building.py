"""Images from recipes: appended in a registry where that is enough, built by an engine else.

::

    recipe ─ no apt packages ─> base + layers, pushed to the registry: no engine, no root
           ├ apt packages ────> build by podman, docker or buildah, push
           └ TARGET.sif ──────> apptainer build
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from .admission import advisories, keep_findings
from .checks import Finding, Subject, check, refuse
from .config import Hybrid
from .containers.append import Append, append
from .containers.compose import BASE_DIGEST, BASE_NAME, Changes
from .containers.engines import Apptainer, Command, builders_here
from .containers.environments import PackageLayers
from .containers.image_facts import learn_facts
from .containers.layer_store import PackageLayer
from .containers.layers import Layer
from .containers.ngc import check_allowed
from .containers.pull import passing, pull
from .containers.recipe import (
    COMMIT_LABEL,
    LOCK_LABEL,
    RECIPE_LABEL,
    Context,
    Recipe,
    parse_recipe,
    to_apptainer,
    to_dockerfile,
)
from .containers.references import parse_reference
from .containers.registry import Image, RegistryClient
from .containers.tars import Entry, tree_entries, write_layer
from .environment.declared import parse_line
from .environment.diff import diff
from .environment.facts import FactsCache
from .environment.needs import Environment, Need
from .errors import ConfigError, ImageError, PlaceError, UsageError
from .executors.base import Prepared
from .executors.images.commands import complaint, first_at_work, run
from .executors.images.presence import PULL, Presence, local_name
from .images import client_of, directory, named

#: The layer of packages, as instructions speak of it.
ARCHIVE = "packages.tar.gz"


@dataclass(frozen=True)
class Built:
    """An image that is there now."""

    #: With its digest, or the path of a SIF.
    image: str
    #: Versions of the packages that were added.
    packages: dict[str, str]
    #: What the user should know.
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Plan:
    recipe: Recipe
    #: The recipe's folder.
    folder: Path
    base: Image
    packages: PackageLayer | None
    labels: dict[str, str]
    findings: list[Finding]

    @property
    def notes(self) -> tuple[str, ...]:
        told = tuple(finding.text for finding in self.findings)
        return (*(self.packages.notes if self.packages else ()), *told)


def read_recipe(path: Path, config: Hybrid) -> Recipe:
    """The recipe in the file, its base as the site calls it; raises ``ConfigError``."""
    import yaml

    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"the recipe {path} cannot be read: {error}") from error
    recipe = parse_recipe(data, path.name)
    return Recipe(**{**recipe.__dict__, "base": named(config, recipe.base)})


async def build(config: Hybrid, path: Path, target: str) -> Built:
    """Make the image of the recipe as ``target``: a name in a registry, or ``NAME.sif``.

    Raises ``ImageError`` and ``BundleError`` before anything is made, for what may not be used or
    does not go together.
    """
    recipe = read_recipe(path, config)
    check_allowed(parse_reference(recipe.base), config.allowed_images)
    async with client_of(config) as client:
        plan = await _plan(config, client, recipe, path.absolute())
        if target.endswith(".sif"):
            image = await _build_sif(plan, client, Path(target).absolute(), config)
        elif recipe.apt:
            await _build_by_engine(plan, target, config)
            reference = parse_reference(target)
            image = str(reference.at(await client.digest(reference) or ""))
        else:
            image = await _append(plan, client, target, config)
    added = plan.packages
    packages = dict(added.packages) if added else {}
    _, at, digest = image.partition("@")
    prepared = Prepared(image=image, digest=digest if at else recipe.digest, packages=packages)
    if config.checks:
        await asyncio.to_thread(keep_findings, config, prepared, plan.findings)
    return Built(image, packages, plan.notes)


async def _plan(config: Hybrid, client: RegistryClient, recipe: Recipe, path: Path) -> _Plan:
    folder = path.parent
    base = await client.image(parse_reference(recipe.base))
    layer: PackageLayer | None = None
    if recipe.packages:
        facts = await learn_facts(client, base, FactsCache(directory(config) / "facts"))
        difference = diff(Environment(tuple(_needs(recipe))), facts, kernel=False)
        layer = await PackageLayers(directory(config) / "layers").layer(difference, facts)
    labels = {
        BASE_NAME: base.reference.name,
        BASE_DIGEST: base.manifest.digest,
        RECIPE_LABEL: f"sha256:{recipe.digest}",
        **({LOCK_LABEL: f"sha256:{layer.lock}"} if layer else {}),
        **({COMMIT_LABEL: commit} if (commit := await asyncio.to_thread(_commit, folder)) else {}),
    }
    # what the recipe says of variables and labels is in the image as well
    files = [(n, p) for n, p in [(path.name, path), *_files(recipe, folder)] if p.is_file()]
    subject = Subject(
        image=recipe.base,
        files=files,
        packages=layer.packages if layer else {},
        licences=layer.licences if layer else {},
    )
    findings = await asyncio.to_thread(check, subject, config.checks, advisories(config))
    refuse(findings)
    return _Plan(recipe, folder, base, layer, labels, findings)


def _needs(recipe: Recipe) -> Sequence[Need]:
    needs = []
    for line in recipe.packages:
        wanted = parse_line(line)
        if wanted is None:
            raise ConfigError(f"{line!r} in the recipe's 'packages' is no requirement (PEP 508)")
        needs.append(
            Need(
                name=wanted.name,
                why="the recipe",
                extras=wanted.extras,
                specifier=wanted.specifier,
                declared=True,
                marker=wanted.marker,
                url=wanted.url,
            )
        )
    return needs


def _files(recipe: Recipe, folder: Path) -> list[tuple[str, Path]]:
    """Every file that the recipe names, with its name; raises ``ImageError``."""
    found = []
    for source in recipe.files:
        path = folder / source
        if not path.exists():
            raise ImageError(f"the recipe names {source!r}, which is not in {folder}")
        below = sorted(path.rglob("*")) if path.is_dir() else [path]
        found += [(str(file.relative_to(folder)), file) for file in below]
    return found


def _commit(folder: Path) -> str:
    command = ["git", "-C", str(folder), "rev-parse", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


async def _append(plan: _Plan, client: RegistryClient, target: str, config: Hybrid) -> str:
    recipe, kept = plan.recipe, directory(config)
    kept.mkdir(mode=0o700, parents=True, exist_ok=True)
    layers: list[Layer] = [plan.packages.layer] if plan.packages else []
    with tempfile.TemporaryDirectory(dir=kept) as scratch:
        if recipe.files:
            entries = [e for pair in recipe.files.items() for e in _entries(plan.folder, *pair)]
            made = write_layer(entries, Path(scratch, "layer"), comment="files of the recipe")
            layers.append(made)
        changes = Changes(
            labels={**plan.labels, **recipe.labels},
            env=recipe.env,
            entrypoint=recipe.entrypoint or None,
            workdir=recipe.workdir or None,
        )
        wish = Append(plan.base, layers, parse_reference(target), changes)
        pushed = await append(client, wish, kept / "notes")
    return str(pushed.reference)


def _entries(folder: Path, source: str, inside: str) -> list[Entry]:
    path = folder / source
    below = inside.strip("/")
    if path.is_dir():
        return list(tree_entries(path, below))
    name = f"{below}/{path.name}".lstrip("/") if inside.endswith("/") else below
    return [Entry(name, path, bool(path.stat().st_mode & 0o100))]


async def _build_by_engine(plan: _Plan, target: str, config: Hybrid) -> None:
    builders = builders_here()
    if not builders:
        raise UsageError(
            "a recipe with 'apt' needs podman, docker or buildah, which builds it; install one, "
            "leave 'apt' out, or make a SIF (NAME.sif)"
        )
    engine = await first_at_work(builders)
    parse_reference(target)
    # by its digest: what the engine has under the name may be an older image
    base = str(replace(plan.base.reference, tag=""))
    await Presence(engine, directory(config), config.registries).image(base)
    recipe = replace(plan.recipe, base=local_name(base))
    with _context(plan, config) as place:
        (place / "Dockerfile").write_text(to_dockerfile(recipe, _beside(plan)))
        await _done(engine.build(place, target), f"build {target}")
    plain = config.registries.push_to(parse_reference(target).registry).plain
    await _done(engine.push(target, plain=plain), f"push {target}")


async def _build_sif(plan: _Plan, client: RegistryClient, target: Path, config: Hybrid) -> str:
    engine = Apptainer()
    if target.exists():
        raise UsageError(f"{target} is there already; remove it, or name another file")
    async with passing(directory(config), plan.base) as layout:
        await pull(client, plan.base, layout)
        with _context(plan, config) as place:
            definition = place / "recipe.def"
            beside = replace(_beside(plan), layout=str(layout))
            definition.write_text(to_apptainer(plan.recipe, beside))
            made = replace(engine.make(str(definition), target), cwd=place)
            await _done(made, f"build {target}")
    return str(target)


def _beside(plan: _Plan) -> Context:
    return Context(
        archives=(ARCHIVE,) if plan.packages else (),
        labels=plan.labels,
        user=_user(plan.base),
        folders=frozenset(name for name in plan.recipe.files if (plan.folder / name).is_dir()),
    )


def _user(base: Image) -> str:
    """Whom the base runs as; raises ``ImageError`` for what is nobody's name or number."""
    user = str((base.config.get("config") or {}).get("User") or "")
    if user and not re.fullmatch(r"[\w.-]+(:[\w.-]+)?", user):
        raise ImageError(f"{base.reference} is to run as {user!r}, which is no user")
    return user


@contextlib.contextmanager
def _context(plan: _Plan, config: Hybrid) -> Iterator[Path]:
    """A directory with all that the instructions name, and nothing else."""
    kept = directory(config)
    kept.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept, prefix=".build-") as name:
        place = Path(name)
        if plan.packages:
            shutil.copyfile(plan.packages.layer.path, place / ARCHIVE)
        for source in plan.recipe.files:
            path, copy = plan.folder / source, place / source
            copy.parent.mkdir(parents=True, exist_ok=True)
            if path.is_dir():
                shutil.copytree(path, copy, symlinks=True, dirs_exist_ok=True)
            else:
                shutil.copy2(path, copy)
        yield place


async def _done(command: Command | None, what: str) -> None:
    done = await run(command, timeout=PULL) if command is not None else None
    if done is not None and done.returncode != 0:
        raise PlaceError(f"{done.args[0]} cannot {what}: {complaint(done)}")
