"""``image list | tags | show | push | build | convert | rm | prune``."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import RegistryError, UsageError
from ..sentences import harmless
from ..units import format_size
from .telling import telling
from .terminal import Terminal

if TYPE_CHECKING:
    from ..config import Hybrid

#: Where a pushed folder's files are in the image.
INSIDE = "workspace"


def image(options: Namespace, terminal: Terminal) -> int:
    """Carry out one of the verbs of images."""
    from ..config import load_config

    verbs = {
        **{"list": _list, "tags": _tags, "show": _show, "push": _push},
        **{"build": _build, "convert": _convert, "rm": _remove, "prune": _prune},
    }
    if options.target and options.what != "prune":
        raise UsageError(f"image {options.what} takes no --target; prune does")
    with telling(terminal):
        return verbs[options.what](load_config(), options, terminal)


def _words(options: Namespace, names: str, least: int, most: int) -> list[str]:
    given = list(options.words)
    if not least <= len(given) <= most:
        raise UsageError(f"write: jupyter hybrid image {options.what} {names}".rstrip())
    return given


def _list(config: Hybrid, options: Namespace, terminal: Terminal) -> int:
    from ..images import listing

    try:
        found = asyncio.run(listing(config, " ".join(options.words)))
    except RegistryError as error:
        if not config.images:
            raise
        terminal.say(f"NGC's catalogue: {error}")
        if options.json:
            terminal.document({"images": config.images, "note": str(error), "catalogue": []})
        else:
            terminal.table(("NAME", "IMAGE"), config.images.items())
        return 0
    entries = found.catalogue.items
    if options.json:
        document: dict[str, Any] = {"images": found.chosen, "note": found.catalogue.note}
        terminal.document({**document, "catalogue": [asdict(entry) for entry in entries]})
        return 0
    rows = [(name, image, "", "chosen by your site") for name, image in found.chosen.items()]
    rows += [("", entry.name, entry.latest, entry.title) for entry in entries]
    terminal.table(("NAME", "IMAGE", "LATEST", ""), rows)
    if found.catalogue.note:
        terminal.say(found.catalogue.note)
    return 0


def _tags(config: Hybrid, options: Namespace, terminal: Terminal) -> int:
    from ..containers.ngc_releases import release_of
    from ..containers.references import parse_reference
    from ..images import named, tags

    (name,) = _words(options, "IMAGE", 1, 1)
    found = asyncio.run(tags(config, name))
    repository = parse_reference(named(config, name)).repository
    releases = [(tag, release_of(repository, tag)) for tag in found.items]
    if options.json:
        rows = [{"tag": tag, "needs": asdict(known) if known else None} for tag, known in releases]
        terminal.document({"tags": rows, "note": found.note})
        return 0
    table = [
        (tag, known.cuda, str(known.oldest_driver or ""), known.capability, known.python)
        if known
        else (tag, "", "", "", "")
        for tag, known in releases
    ]
    terminal.table(("TAG", "CUDA", "DRIVER FROM", "GPU FROM", "PYTHON"), table)
    if found.note:
        terminal.say(found.note)
    return 0


def _show(config: Hybrid, options: Namespace, terminal: Terminal) -> int:
    from ..images import details

    (name,) = _words(options, "IMAGE", 1, 1)
    found = asyncio.run(details(config, name))
    release = found.release
    if options.json:
        terminal.document(
            {
                "image": str(found.reference),
                "sizes": found.sizes,
                "labels": found.labels,
                "needs": asdict(release) if release else None,
            }
        )
        return 0
    rows = [(place, f"{format_size(size)} to pull") for place, size in found.sizes.items()]
    if release is not None and release.cuda:
        rows.append(("CUDA", release.cuda))
        rows.append(("driver", f"{release.oldest_driver} or newer"))
    if release is not None and release.capability:
        rows.append(("GPU", f"compute capability {release.capability} or above"))
    rows += [(f"label {key}", value) for key, value in sorted(found.labels.items())]
    terminal.table(("IMAGE", str(found.reference)), rows)
    return 0


def _push(config: Hybrid, options: Namespace, terminal: Terminal) -> int:
    from ..images import push_folder

    base, target, folder, *inside = _words(options, "BASE TARGET FOLDER [INSIDE]", 3, 4)
    below = inside[0] if inside else INSIDE
    pushed, findings = asyncio.run(push_folder(config, base, target, Path(folder), below))
    notes = [finding.text for finding in findings]
    if options.json:
        blobs = [asdict(blob) for blob in pushed.blobs]
        document: dict[str, Any] = {"image": str(pushed.reference), "sent": pushed.sent}
        terminal.document({**document, "blobs": blobs, "notes": notes})
        return 0
    terminal.write(f"{pushed.reference}\n")
    for note in notes:
        terminal.say(f"note: {harmless(note)}")
    terminal.say(f"{format_size(pushed.sent)} were sent" if pushed.blobs else "it was there")
    return 0


def _build(config: Hybrid, options: Namespace, terminal: Terminal) -> int:
    from ..building import build

    recipe, target = _words(options, "RECIPE TARGET", 2, 2)
    built = asyncio.run(build(config, Path(recipe), target))
    if options.json:
        terminal.document(asdict(built))
        return 0
    terminal.write(f"{built.image}\n")
    for note in built.notes:
        terminal.say(f"note: {harmless(note)}")
    return 0


def _convert(config: Hybrid, options: Namespace, terminal: Terminal) -> int:
    from ..images import convert

    name, file = _words(options, "IMAGE FILE.sif", 2, 2)
    made = asyncio.run(convert(config, name, Path(file)))
    if options.json:
        terminal.document({"image": str(made), "size": made.stat().st_size})
        return 0
    terminal.write(f"{made}\n")
    return 0


def _remove(config: Hybrid, options: Namespace, terminal: Terminal) -> int:
    from ..images import remove

    (name,) = _words(options, "IMAGE", 1, 1)
    engines = asyncio.run(remove(config, name))
    if options.json:
        terminal.document({"image": name, "removed_from": engines})
        return 0
    terminal.say(f"{name} was removed from {' and '.join(engines)}")
    return 0


def _prune(config: Hybrid, options: Namespace, terminal: Terminal) -> int:
    from ..housekeeping import tidy_images, tidy_target

    _words(options, "", 0, 0)
    target = options.target
    done = asyncio.run(tidy_target(config, target)) if target else tidy_images(config)
    if options.json:
        terminal.document(asdict(done))
        return 0
    freed = f"{format_size(done.freed)} were freed"
    if target:
        terminal.say(
            f"{freed}; {format_size(done.kept)} are kept at {config.target(target).name}, of which "
            f"jobs wanted something in the last {config.image_cache_days:g} days"
        )
        return 0
    limit = format_size(config.image_cache_size)
    terminal.say(
        f"{freed}; {format_size(done.kept)} of layers and SIFs are "
        f"kept in {config.home / 'images'}, where {limit} may be"
    )
    return 0
