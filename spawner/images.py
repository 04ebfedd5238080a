"""Images that users choose from, and what each of them holds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from jupyter_hybrid.containers.ngc_releases import frameworks, release_of
from jupyter_hybrid.containers.references import parse_reference
from jupyter_hybrid.errors import ConfigError

#: What frameworks call themselves.
NAMES = {"pytorch": "PyTorch", "tensorflow": "TensorFlow", "jax": "JAX", "rapids": "RAPIDS"}


@dataclass(frozen=True)
class Image:
    """One line of the list; empty where nobody says."""

    #: What a choice is called in ``user_options``.
    key: str
    #: ``nvcr.io/nvidia/pytorch:25.06-py3``.
    image: str
    #: ``PyTorch``: the heading it stands below.
    framework: str
    #: ``25.06``, or what the site calls it.
    name: str
    version: str = ""
    python: str = ""
    cuda: str = ""
    note: str = ""
    default: bool = False

    @property
    def title(self) -> str:
        """Framework and name, for who sees the line alone."""
        return self.name if self.framework in self.name else f"{self.framework} {self.name}"

    @property
    def holds(self) -> list[tuple[str, str]]:
        """What is in it, as pairs of a word and a version."""
        own = (self.framework, self.version), ("Python", self.python), ("CUDA", self.cuda)
        return [(word, version) for word, version in own if version]


def written(profiles: Iterable[Mapping[str, Any]]) -> set[str]:
    """Images that profiles of kubespawner's name themselves, beside what users may write."""
    found: list[Mapping[str, Any]] = []
    for profile in profiles:
        options = (profile.get("profile_options") or {}).values()
        chosen = [c for option in options for c in (option.get("choices") or {}).values()]
        found += [part.get("kubespawner_override") or {} for part in (profile, *chosen)]
    return {part["image"] for part in found if isinstance(part.get("image"), str)}


def nvidias(count: int) -> list[Image]:
    """NVIDIA's images of frameworks, each framework's newest ``count`` releases first."""
    found: list[Image] = []
    for item in frameworks():
        name = NAMES.get(item.name, item.name)
        if sum(image.framework == name for image in found) < count:
            key = item.image.rpartition("/")[2].replace(":", "-")
            release, version = item.release, item.version
            found.append(
                Image(key, item.image, name, release.name, version, release.python, release.cuda)
            )
    return found


def listed(items: Iterable[str | Mapping[str, Any]]) -> list[Image]:
    """A site's own list; what it does not say is taken from the tag, where that tells.

    Raises ``ConfigError`` for what is no image, or twice there.
    """
    found: dict[str, Image] = {}
    for item in items:
        image = _one({"image": item} if isinstance(item, str) else item)
        if image.key in found:
            raise ConfigError(f"c.NGCSpawner.images has {image.image} twice; leave one of them out")
        found[image.key] = image
    return list(found.values())


def _one(item: Mapping[str, Any]) -> Image:
    if not item.get("image"):
        raise ConfigError(f"c.NGCSpawner.images has {dict(item)!r}, which names no 'image'")
    reference = parse_reference(str(item["image"]))
    release = release_of(reference.repository, reference.tag)
    last = reference.repository.rpartition("/")[2]
    key = re.sub(r"[^a-z0-9.]+", "-", f"{last}-{reference.tag or reference.digest[7:19]}".lower())
    same = [known.version for known in frameworks() if known.image == str(reference)]
    made = Image(
        key,
        str(item["image"]),
        NAMES.get(last, last),
        release.name if release and release.name else reference.tag,
        version=same[0] if same else "",
        python=release.python if release else "",
        cuda=release.cuda if release else "",
    )
    known = {"framework", "name", "version", "python", "cuda", "note"}
    unknown = set(item) - known - {"image", "default"}
    if unknown:
        raise ConfigError(
            f"c.NGCSpawner.images has {sorted(unknown)[0]!r} for {made.image}; known are: image, "
            f"default, {', '.join(sorted(known))}"
        )
    said = {name: str(item[name]) for name in known & set(item)}
    return replace(made, default=bool(item.get("default")), **said)
