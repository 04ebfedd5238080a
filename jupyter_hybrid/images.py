"""What users do with images: look them up, look at one, put a folder onto one and push that."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from .admission import findings_of, keep_findings
from .checks import Finding
from .config import Hybrid
from .containers.append import Append, Pushed, append
from .containers.engines import Apptainer, Buildah, Docker, Podman
from .containers.layers import GZIP
from .containers.ngc import Answer, Catalogue, Details, check_allowed
from .containers.references import parse_reference
from .containers.registry import RegistryClient
from .containers.tars import tree_entries, write_layer
from .errors import ImageError, UsageError
from .executors.base import Prepared
from .executors.images.sif import make_sif, presence_of


@dataclass(frozen=True)
class Listing:
    """Images to choose from."""

    #: The site's short list: its names to images.
    chosen: dict[str, str]
    #: The catalogue's entries.
    catalogue: Answer


def directory(config: Hybrid) -> Path:
    """Where is kept what was learned of images."""
    return config.home / "images"


def client_of(config: Hybrid) -> RegistryClient:
    """A client of registries as the site has configured them."""
    return RegistryClient(config.registries, cache=directory(config) / "configurations")


async def listing(config: Hybrid, words: str) -> Listing:
    """The short list and NVIDIA's catalogue, both as far as they have all words.

    Raises ``RegistryError`` where the catalogue does not answer, nothing is known of it, and the
    short list has nothing either.
    """
    wanted = words.lower().split()
    chosen = {
        name: image
        for name, image in config.images.items()
        if all(word in f"{name} {image}".lower() for word in wanted)
    }
    async with client_of(config) as client:
        catalogue = Catalogue(client, directory(config) / "catalogue")
        found = await catalogue.search(words)
    return Listing(chosen, found)


async def tags(config: Hybrid, name: str) -> Answer:
    """Tags of an image, the newest release first."""
    async with client_of(config) as client:
        return await Catalogue(client, directory(config) / "catalogue").tags(named(config, name))


async def details(config: Hybrid, name: str) -> Details:
    """Sizes, labels and needs of an image; raises ``ImageError`` for one that is not allowed."""
    name = named(config, name)
    check_allowed(parse_reference(name), config.allowed_images)
    async with client_of(config) as client:
        return await Catalogue(client, directory(config) / "catalogue").details(name)


async def push_folder(
    config: Hybrid, base: str, target: str, folder: Path, inside: str
) -> tuple[Pushed, list[Finding]]:
    """Put a folder's files below ``inside`` onto the base, and push that as ``target``.

    Raises ``ImageError`` where the base is not allowed or the folder is none, ``BundleError`` for
    what must not leave; what may, and is told all the same, is returned.
    """
    reference = parse_reference(named(config, base))
    check_allowed(reference, config.allowed_images)
    if not folder.is_dir():
        raise ImageError(f"{folder} is not a folder; name the folder whose files go into the image")
    files = [(str(p.relative_to(folder)), p) for p in sorted(folder.rglob("*")) if p.is_file()]
    findings = await findings_of(config, lambda _: True, {"image": reference.name, "files": files})
    kept = directory(config)
    kept.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept) as scratch:
        entries = tree_entries(folder, inside.strip("/"))
        comment = f"files of {folder.name}"
        path = Path(scratch, "layer")
        layer = write_layer(entries, path, media_type=GZIP, comment=comment)
        async with client_of(config) as client:
            image = await client.image(reference)
            wish = Append(image, [layer], parse_reference(target))
            pushed = await append(client, wish, kept / "notes")
    if config.checks:
        made = Prepared(image=str(pushed.reference), digest=pushed.reference.digest or "")
        await asyncio.to_thread(keep_findings, config, made, findings)
    return pushed, findings


async def convert(config: Hybrid, name: str, file: Path) -> Path:
    """Make a SIF of an image in a registry, for Apptainer; the file is whole or not there.

    Raises ``ImageError`` where the image is not allowed or not there, ``UsageError`` where the file
    is, ``PlaceError`` where Apptainer cannot.
    """
    reference = parse_reference(named(config, name))
    check_allowed(reference, config.allowed_images)
    file = file.absolute()
    if file.exists():
        raise UsageError(f"{file} is there already; remove it, or name another file")
    async with client_of(config) as client:
        await make_sif(Apptainer(), client, await client.image(reference), file, directory(config))
    return file


async def remove(config: Hybrid, name: str) -> list[str]:
    """Remove an image from this machine, from whichever engine has it; returns who had it.

    What was learned of it stays: that is little. Registries keep theirs. Raises ``ImageError``
    where no engine has it, ``PlaceError`` where one does not let go of it.
    """
    name = named(config, name)
    removed = []
    for engine in (Docker(), Podman(), Buildah(), Apptainer()):
        if shutil.which(engine.program) is None:
            continue
        presence = presence_of(engine, directory(config), config.registries)
        if await presence.find(name) is not None:
            await presence.remove(name)
            removed.append(engine.name)
    if not removed:
        raise ImageError(f"no container engine of this machine has the image {name}")
    return removed


def named(config: Hybrid, name: str) -> str:
    """The image that a name of the site's short list means; any other name as it is."""
    return config.images.get(name, name)
