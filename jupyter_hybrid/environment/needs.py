"""What a job's code needs of other people's packages: names, versions, and how that is known."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .implicit import works_by
from .installed import EDITABLE, Installation, Installed, Origin, installation
from .modules import DISTRIBUTION, find_module
from .modules import EDITABLE as IN_PLACE
from .modules import MISSING as NOWHERE
from .probe import canonical

if TYPE_CHECKING:
    from .declared import Declared

#: What is there at every place by itself.
OURS = frozenset({"jupyter-hybrid"})
#: What a session has loaded for its own sake: these, and all that they need.
_SESSION = ("jupyter-hybrid", "ipykernel", "jupyterlab", "notebook", "papermill")


@dataclass(frozen=True)
class Need:
    """A distribution that a job needs."""

    #: Canonical.
    name: str
    #: In words: ``imported``, ``requirements.txt``, ``needed by mylab``, ….
    why: str
    #: Top-level modules that are imported from it.
    modules: tuple[str, ...] = ()
    #: What is installed here; None where nothing is.
    version: str | None = None
    extras: tuple[str, ...] = ()
    #: What is asked for in writing (``>=2,<3``), whatever is installed here.
    specifier: str = ""
    #: True where somebody wrote it down: then it is kept to, or refused.
    declared: bool = False
    #: Holds where it is needed (PEP 508); empty: everywhere.
    marker: str = ""
    #: ``Requires-Dist`` and ``Requires-Python`` of the installed version.
    requires: tuple[str, ...] = ()
    requires_python: str = ""
    #: Where the installed one came from, unless from an index.
    origin: Origin | None = None
    #: Where it is to come from, as written down.
    url: str = ""


@dataclass(frozen=True)
class Environment:
    """All that a job needs, and what the user should know of how that was found."""

    needs: tuple[Need, ...] = ()
    #: Imported modules that are installed nowhere here.
    missing: tuple[str, ...] = ()
    #: Versions here of the needs and of what they need, by name: preferred where they fit.
    preferences: Mapping[str, str] = field(default_factory=dict)
    #: This Python: ``3.11``; and what is asked of Python in writing: ``>=3.10``.
    python: str = ""
    asked_python: str = ""
    #: Where packages come from besides, as a requirements file says it: uv's variables.
    sources: Mapping[str, str] = field(default_factory=dict)
    #: Lines of constraint files.
    constraints: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """A JSON object; ``from_json`` reads it back."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Environment:
        """Read ``to_json``'s object, ignoring keys of newer versions."""
        values = _known(cls, data)
        values["needs"] = tuple(_read_need(need) for need in values.get("needs") or ())
        return cls(**values)

    @property
    def fingerprint(self) -> str:
        """Changes with everything that decides what is installed; 64 hex digits."""
        data = {**asdict(self), "notes": ()}
        return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


def _known(kind: type[Any], data: Mapping[str, Any]) -> dict[str, Any]:
    """The object's values under the record's names; JSON has lists for tuples."""
    values = {field.name: data[field.name] for field in fields(kind) if field.name in data}
    return {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}


def _read_need(data: Mapping[str, Any]) -> Need:
    values = _known(Need, data)
    origin = values.get("origin")
    values["origin"] = Origin(**_known(Origin, origin)) if origin else None
    return Need(**values)


@dataclass(frozen=True)
class Imports:
    """Where needs are found from."""

    #: Dotted names that the code and its local modules import (``imports_of``, deep).
    names: tuple[str, ...]
    #: Where the notebook is, and directories that it adds to ``sys.path``.
    directory: Path
    roots: tuple[Path, ...] = ()
    #: Attributes in the code that work by packages which it does not import (``uses_of``).
    uses: tuple[str, ...] = ()
    #: Modules that are loaded in the kernel (``sys.modules``), for ``%%remote``.
    loaded: tuple[str, ...] = ()


def capture(imports: Imports, declared: Declared | None = None) -> Environment:
    """What the code needs. What is written down wins; where it differs from here is told."""
    site = installation()
    needs, missing = _imported(imports, site)
    for found in _loaded(imports.loaded, site):
        needs.setdefault(found.name, _need(found, "loaded in the kernel"))
    for name, use in works_by(imports.uses).items():
        here = site.get(name)
        if here is not None:
            needs.setdefault(here.name, _need(here, f"what {use} works by"))
    notes: list[str] = []
    if declared is not None:
        notes += declared.notes
        needs, more = _follow(declared, needs, site)
        notes += more
        missing = [name for name in missing if canonical(name) not in needs]
    for name in OURS:
        needs.pop(name, None)
    return Environment(
        needs=tuple(needs[name] for name in sorted(needs)),
        missing=tuple(missing),
        preferences=site.closure(needs),
        python=".".join(map(str, sys.version_info[:2])),
        asked_python=declared.python if declared else "",
        sources=declared.sources if declared else {},
        constraints=declared.constraints if declared else (),
        notes=tuple(notes),
    )


def _imported(imports: Imports, site: Installation) -> tuple[dict[str, Need], list[str]]:
    needs: dict[str, Need] = {}
    missing: list[str] = []
    kinds: dict[str, Any] = {}
    for dotted in imports.names:
        top = dotted.partition(".")[0]
        located = kinds.get(top)
        if located is None:
            located = kinds[top] = find_module(top, imports.directory, imports.roots)
            if located.kind == NOWHERE:
                missing.append(top)
            elif located.kind == IN_PLACE and located.distribution:
                _require(located.distribution, site, needs)
        if located.kind == DISTRIBUTION:
            for found in site.owners(dotted):
                if found.origin is not None and found.origin.kind == EDITABLE:
                    _require(found.name, site, needs)
                    continue
                old = needs.get(found.name)
                modules = old.modules if old and old.why == "imported" else ()
                if old is None or top not in modules:
                    needs[found.name] = _need(found, "imported", (*modules, top))
    return needs, missing


def _require(project: str, site: Installation, needs: dict[str, Need]) -> None:
    """The requirements of a project whose files travel as they are."""
    found = site.get(project)
    if found is None:
        return
    from .declared import parse_line

    for line in found.requires:
        named = parse_line(line)
        if named is None or "extra" in named.marker:
            continue
        here = site.get(named.name)
        why = f"needed by {found.title}"
        if here is not None and here.origin is not None and here.origin.kind == EDITABLE:
            # its files travel where they are imported; what they need is found then
            continue
        base = _need(here, why) if here else Need(named.name, why)
        old = needs.get(named.name)
        if old is None or not old.specifier:
            modules = old.modules if old else ()
            needs[named.name] = _written(base, named, why, modules)


def _written(base: Need, named: Any, why: str, modules: Sequence[str]) -> Need:
    return Need(
        name=base.name,
        why=why,
        modules=tuple(modules),
        version=base.version,
        extras=tuple(sorted({*named.extras})),
        specifier=named.specifier,
        declared=True,
        marker=named.marker,
        requires=base.requires,
        requires_python=base.requires_python,
        origin=base.origin,
        url=named.url,
    )


def _need(found: Installed, why: str, modules: tuple[str, ...] = ()) -> Need:
    return Need(
        name=found.name,
        why=why,
        modules=modules,
        version=found.version,
        requires=found.requires,
        requires_python=found.requires_python,
        origin=found.origin,
    )


def _loaded(names: Iterable[str], site: Installation) -> list[Installed]:
    """Distributions that the user's code has loaded: not the session's own, nor their parts."""
    tops = dict.fromkeys(name.partition(".")[0] for name in names)
    found = {owner.name: owner for top in tops for owner in site.owners(top)[:1]}
    session = site.closure(_SESSION)
    own = {name: owner for name, owner in found.items() if name not in session}
    parts = {part for owner in own.values() for part in site.requirements(owner)}
    return [owner for name, owner in own.items() if name not in parts]


def _follow(
    declared: Declared, needs: dict[str, Need], site: Installation
) -> tuple[dict[str, Need], list[str]]:
    notes = []
    followed = dict(needs)
    for named in declared.requirements:
        here = site.get(named.name)
        old = needs.get(named.name)
        base = _need(here, declared.title) if here else Need(named.name, declared.title)
        followed[named.name] = _written(base, named, declared.title, old.modules if old else ())
        if here is not None and named.specifier and not _fits(here.version, named.specifier):
            notes.append(
                f"{declared.title} asks for {named.name}{named.specifier}, and {here.version} is "
                f"installed here: the job has what {declared.title} asks for"
            )
    written = {named.name for named in declared.requirements}
    for name, need in needs.items():
        if name not in written and not need.declared:
            followed[name] = need
            notes.append(
                f"{name} is {need.why} and not in {declared.title}: the job has {need.version}, "
                "as it is installed here, where that fits"
            )
    return followed, notes


def _fits(version: str, specifier: str) -> bool:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet
    from packaging.version import InvalidVersion

    try:
        return SpecifierSet(specifier).contains(version, prereleases=True)
    except (InvalidSpecifier, InvalidVersion):
        return False
