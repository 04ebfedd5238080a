"""NVIDIA's catalogue of images: what there is, in which versions, and what a machine needs for it.

Names come from the catalogue's search (``/v2/search/catalog/resources/CONTAINER`` at
api.ngc.nvidia.com, which the ``ngc`` program and NVIDIA's web pages use), tags from the registry.
What was learned is kept; where neither answers, what is known is told with its age.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import httpx

from ..errors import ImageError, RegistryError
from ..files import replacing
from ..units import format_duration
from .endpoints import Endpoint
from .manifests import Index
from .ngc_releases import Release, release_of
from .references import ANY, Reference, parse_reference
from .registry import RegistryClient
from .session import Call

NGC_API = "api.ngc.nvidia.com"
_SEARCH = "/v2/search/catalog/resources/CONTAINER"
_GROUP = "CONTAINER"
_PAGE = 100
#: Pages of answers that are read; NVIDIA's own organisation has fewer.
_PAGES = 20
#: Seconds for which an answer is taken as it is, without asking again.
FRESH = 3600.0


@dataclass(frozen=True)
class Entry:
    """One image in the catalogue, whatever its version."""

    #: ``nvcr.io/nvidia/pytorch``.
    name: str
    title: str = ""
    description: str = ""
    latest: str = ""
    #: Words it is filed under: framework, use, …
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Answer:
    """Entries or tags, and how old they are."""

    items: tuple[Any, ...]
    #: Seconds since they were learned; 0 for now.
    age: float = 0.0
    #: Why they are not of now; empty where they are.
    reason: str = ""

    @property
    def note(self) -> str:
        """A sentence on their age; empty for what is of now."""
        if not self.reason:
            return ""
        return f"as it was {format_duration(self.age)} ago, because {self.reason}"


@dataclass(frozen=True)
class Details:
    """One version of an image."""

    reference: Reference
    #: Bytes to pull for each platform, compressed.
    sizes: dict[str, int] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    release: Release | None = None


def check_allowed(
    reference: Reference, allowed: Sequence[str], option: str = "c.Hybrid.allowed_images"
) -> None:
    """Raise ``ImageError`` unless the image is on the site's list; an empty list allows all.

    An entry is a name, or a pattern for names and tags: ``nvcr.io/nvidia/*``. ``option`` is where
    the site has its list. Beside a digest a tag says nothing: the digest is what runs.
    """
    version = f"@{reference.digest}" if reference.digest else f":{reference.tag}"
    names = {reference.name, reference.name + version}
    if not allowed or str(reference) in allowed:
        return
    if not any(fnmatchcase(name, entry) for name in names for entry in allowed):
        raise ImageError(
            f"{reference.name} is not on this site's list of images "
            f"({option}: {', '.join(allowed)}); ask its administrator for it"
        )


def parse_search(document: Any) -> tuple[list[Entry], int]:
    """Entries of one page of the catalogue's search, and the number of pages.

    Raises ``RegistryError`` where it is something else.
    """
    try:
        groups = document["results"] or []
        found = [
            _entry(resource)
            for group in groups
            if group.get("groupValue") == _GROUP
            for resource in group.get("resources") or ()
        ]
        return found, int(document.get("resultPageTotal") or 1)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RegistryError(
            f"NGC's catalogue answers in another way than it used to ({type(error).__name__}: "
            f"{error}); name the image yourself"
        ) from None


def _entry(resource: dict[str, Any]) -> Entry:
    attributes = {
        item.get("key"): item.get("value") or "" for item in resource.get("attributes") or ()
    }
    labels = [word for item in resource.get("labels") or () for word in item.get("values") or ()]
    return Entry(
        name=f"nvcr.io/{resource['resourceId']}",
        title=str(resource.get("displayName") or resource.get("name") or ""),
        description=" ".join(str(resource.get("description") or "").split()),
        latest=str(attributes.get("latestTag") or ""),
        labels=tuple(map(str, labels)),
    )


class Catalogue:
    """Looks images up, and remembers them below ``directory``."""

    def __init__(
        self,
        client: RegistryClient,
        directory: Path,
        api: Endpoint | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client, self._directory, self._clock = client, directory, clock
        self._api = api or Endpoint(NGC_API)

    async def search(self, words: str = "", organisation: str = "nvidia") -> Answer:
        """Entries of the organisation whose name, title, description or labels have all words."""
        answer = await self._remembered(
            f"search-{organisation}", lambda: self._search(organisation), Entry
        )
        wanted = words.lower().split()
        items = tuple(entry for entry in answer.items if _has(entry, wanted))
        return Answer(items, answer.age, answer.reason)

    async def tags(self, name: str) -> Answer:
        """Tags of an image, the newest release first."""
        reference = parse_reference(name)

        async def ask() -> list[str]:
            return sorted(await self._client.tags(reference), key=_newest, reverse=True)

        return await self._remembered(f"tags-{reference.name.replace('/', '-')}", ask, str)

    async def details(self, name: str) -> Details:
        """Size by platform, labels and needs of one version; asks the registry."""
        reference = parse_reference(name)
        release = release_of(reference.repository, reference.tag)
        found = await self._client.manifest(reference)
        if isinstance(found, Index):
            sizes = {
                str(platform): await self._size(reference.at(descriptor.digest))
                for platform, descriptor in found.entries
            }
            return Details(reference.at(found.digest), sizes, {}, release)
        image = await self._client.image(reference, ANY)
        return Details(image.reference, {str(image.platform): found.size}, image.labels, release)

    async def _size(self, reference: Reference) -> int:
        found = await self._client.manifest(reference)
        return 0 if isinstance(found, Index) else found.size

    async def _search(self, organisation: str) -> list[Entry]:
        session = self._client.session(self._api)
        entries, page, pages = list[Entry](), 0, 1
        while page < min(pages, _PAGES):
            query = {"query": f"orgName:{organisation}", "page": page, "pageSize": _PAGE}
            path = f"{_SEARCH}?{httpx.QueryParams({'q': json.dumps(query)})}"
            answer = await session.send(Call("GET", path, frozenset(), "NGC's catalogue"))
            try:
                document = json.loads(answer.body)
            except ValueError:
                raise RegistryError(
                    f"{self._api.host} answers with something else than JSON; "
                    "is there a login page in between?"
                ) from None
            some, pages = parse_search(document)
            entries += some
            page += 1
        return entries

    async def _remembered(self, key: str, ask: Callable[[], Any], kind: type[Any]) -> Answer:
        path = self._directory / f"{key}.json"
        kept = _read(path)
        age = max(0.0, self._clock() - kept["time"]) if kept else 0.0
        if kept and age < FRESH:
            return Answer(_made(kept["items"], kind), age)
        try:
            items = await ask()
        except RegistryError as error:
            if not kept:
                raise
            return Answer(_made(kept["items"], kind), age, str(error))
        self._keep(path, items)
        return Answer(tuple(items))

    def _keep(self, path: Path, items: Sequence[Any]) -> None:
        plain = [asdict(item) if isinstance(item, Entry) else item for item in items]
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with replacing(path) as file:
            file.write(json.dumps({"time": self._clock(), "items": plain}).encode())


def _read(path: Path) -> dict[str, Any] | None:
    try:
        kept: dict[str, Any] = json.loads(path.read_bytes())
        return kept if isinstance(kept["items"], list) and kept["time"] >= 0 else None
    except (OSError, ValueError, KeyError, TypeError):
        # it is learned anew
        return None


def _made(items: list[Any], kind: type[Any]) -> tuple[Any, ...]:
    if kind is Entry:
        return tuple(Entry(**{**item, "labels": tuple(item["labels"])}) for item in items)
    return tuple(items)


def _has(entry: Entry, words: Sequence[str]) -> bool:
    text = " ".join((entry.name, entry.title, entry.description, *entry.labels)).lower()
    return all(word in text for word in words)


def _newest(tag: str) -> tuple[list[int], str]:
    """Orders ``24.01-py3`` above ``23.12-py3`` and ``9.0``; what has no number comes last."""
    numbers = [int(part) for part in tag.partition("-")[0].split(".") if part.isdigit()]
    return numbers, tag
