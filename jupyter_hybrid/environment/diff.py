"""What becomes of each need in an image: kept, put into a layer, or a conflict. Pure.

What the image has stays the image's. A conflict is told with both versions and a way out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from packaging.markers import InvalidMarker, Marker, UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement

from .facts import OLDEST, ImageFacts
from .installed import ARCHIVE, DIRECTORY, GIT
from .needs import Environment, Need
from .probe import canonical
from .versions import differs, holds, marker_environment, parse_constraints, public

KEEP, LAYER, CONFLICT, MISSING = "keep", "layer", "conflict", "missing"

#: What a Python notebook's kernel is started from.
KERNEL = Need("ipykernel", "the notebook's kernel", ("ipykernel",))


@dataclass(frozen=True)
class Row:
    """What becomes of one need."""

    #: ``keep``, ``layer``, ``conflict`` or ``missing`` (installed nowhere, perhaps never reached).
    kind: str
    name: str
    #: What is installed or asked for here, and what the image has; empty where nothing is.
    here: str = ""
    image: str = ""
    #: What a user should know; empty where it goes without saying.
    sentence: str = ""
    #: The requirement to be resolved (PEP 508), and without what was only guessed of it.
    requirement: str = ""
    bare: str = ""
    #: True where the wheel is made from what is installed here, for no index has it.
    local: bool = False


@dataclass(frozen=True)
class Difference:
    """Needs against an image."""

    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    #: Versions to be preferred in the layer, by name.
    preferences: Mapping[str, str] = field(default_factory=dict)
    #: Lines that limit what may be chosen, as somebody wrote them down here.
    constraints: tuple[str, ...] = ()

    def of_kind(self, kind: str) -> list[Row]:
        """The rows of that kind, by name."""
        return [row for row in self.rows if row.kind == kind]

    @property
    def conflicts(self) -> list[str]:
        """A sentence for each conflict; where there is one, nothing is made."""
        return [row.sentence for row in self.of_kind(CONFLICT)]

    @property
    def wanted(self) -> list[Row]:
        """What has to be resolved: empty where the image has everything."""
        return [row for row in self.rows if row.requirement and row.kind != CONFLICT]


def diff(environment: Environment, facts: ImageFacts, *, kernel: bool = True) -> Difference:
    """What the image lacks. ``kernel``: the notebook needs a Python kernel."""
    unusable = _unusable(environment, facts)
    if unusable is not None:
        return Difference((unusable,))
    judge = _Judge(facts)
    needs = list(environment.needs)
    if kernel and all(need.name != KERNEL.name for need in needs):
        needs.append(KERNEL)
    rows = [row for need in needs if (row := judge.row(need)) is not None]
    rows += [row for module in environment.missing if (row := judge.unknown(module)) is not None]
    notes = list(environment.notes)
    here = tuple(map(int, environment.python.split("."))) if environment.python else facts.minor
    if here != facts.minor:
        notes.append(
            f"this Python is {environment.python} and the image's {facts.python}: variables "
            "travel, but functions and classes of the notebook may not be understood there"
        )
    preferences = {
        name: public(version)
        for name, version in environment.preferences.items()
        if name not in facts.packages and name not in judge.loosened
    }
    ordered = tuple(sorted(rows, key=lambda row: row.name))
    return Difference(ordered, tuple(notes), preferences, environment.constraints)


def _unusable(environment: Environment, facts: ImageFacts) -> Row | None:
    oldest = "{}.{}".format(*OLDEST)
    if facts.python is None:
        sentence = (
            "the image has no Python, and a notebook needs one: choose an image with Python "
            f"{oldest} or newer"
        )
        return Row(CONFLICT, "python", environment.python, "", sentence)
    if not facts.usable:
        sentence = (
            f"the image's Python is {facts.python}, and jobs need {oldest} or newer: "
            "choose a newer image"
        )
        return Row(CONFLICT, "python", environment.python, facts.python, sentence)
    if environment.asked_python and not holds(environment.asked_python, facts.python):
        sentence = (
            f"Python {environment.asked_python} is asked for and the image has {facts.python}: "
            "change what is asked for, or choose another image"
        )
        return Row(CONFLICT, "python", environment.asked_python, facts.python, sentence)
    return None


class _Judge:
    """Knows an image and says what becomes of a need."""

    def __init__(self, facts: ImageFacts) -> None:
        self._facts = facts
        self._markers = marker_environment(facts)
        self._constraints = dict(parse_constraints(facts.constraints))
        #: Needs whose installed version does not go with the image.
        self.loosened: set[str] = set()

    def row(self, need: Need) -> Row | None:
        """What becomes of it; None where it is not needed in this image at all."""
        if need.marker and not self._applies(need.marker):
            return None
        package = self._facts.packages.get(need.name)
        if package is not None:
            return self._present(need, package.version)
        return self._elsewhere(need) or self._absent(need)

    def unknown(self, module: str) -> Row | None:
        """What becomes of a module that is not installed here."""
        owner = self._facts.owner(module)
        if owner is not None:
            return Row(KEEP, owner, "", self._facts.packages[owner].version)
        if module in self._facts.regular:
            return Row(KEEP, module)
        sentence = (
            f"the code imports {module}, which neither this environment nor the image has: where "
            "it is needed, write its package into a requirements.txt beside the notebook"
        )
        return Row(MISSING, module, sentence=sentence)

    def _present(self, need: Need, version: str) -> Row:
        here = need.specifier or need.version or ""
        if need.url or (need.specifier and not holds(need.specifier, version)):
            asked = f"{need.name}{need.specifier}" if need.specifier else f"{need.name} from an URL"
            sentence = (
                f"{need.why} asks for {asked} and the image has {need.name} {version}, which "
                f"stays: change {need.why}, or choose an image with another {need.name}"
            )
            return Row(CONFLICT, need.name, here, version, sentence)
        sentence = ""
        if need.version and differs(need.version, version):
            sentence = f"{need.name} is the image's {version}; here it is {need.version}"
        requirement = _line(need, need.extras) if need.extras else ""
        bare = requirement if need.declared else ""
        return Row(KEEP, need.name, here, version, sentence, requirement, bare)

    def _elsewhere(self, need: Need) -> Row | None:
        """The need's modules may come from a package of another name (opencv, opencv-python)."""
        regular = [m for m in need.modules if m in self._facts.regular]
        if not need.modules or regular != list(need.modules):
            return None
        owner = self._facts.owner(regular[0])
        if owner is None:
            sentence = f"{regular[0]} is the image's own, of no package there"
            return Row(KEEP, need.name, need.version or "", "", sentence)
        version = self._facts.packages[owner].version
        if need.specifier and not holds(need.specifier, version):
            sentence = (
                f"{need.why} asks for {need.name}{need.specifier}, and the image has "
                f"{regular[0]} from {owner} {version}, which stays: change {need.why}, or choose "
                "another image"
            )
            return Row(CONFLICT, need.name, need.specifier, f"{owner} {version}", sentence)
        sentence = f"{regular[0]} is the image's, from {owner} {version}, not from {need.name}"
        return Row(KEEP, need.name, need.version or need.specifier, f"{owner} {version}", sentence)

    def _absent(self, need: Need) -> Row:
        here = need.specifier or need.version or ""
        limit = self._constraints.get(need.name)
        exact = re.fullmatch(r"={2,3}\s*([^*,]+)", need.specifier)
        if limit is not None and exact and not holds(str(limit), exact[1]):
            sentence = (
                f"{need.why} asks for {need.name}{need.specifier} and the image's constraints "
                f"allow {need.name}{limit} only: change {need.why}, or choose another image"
            )
            return Row(CONFLICT, need.name, here, str(limit), sentence)
        local = need.origin is not None and need.origin.kind in (ARCHIVE, DIRECTORY, GIT)
        local = local and not need.declared
        sentence = ""
        reason = self._why_not(need)
        if reason is not None and exact and exact[1] == need.version:
            way_out = f"ask for another version in {need.why}, or choose another image"
            return Row(CONFLICT, need.name, here, reason[1], f"{reason[0]}: {way_out}")
        if reason is not None and local:
            way_out = "install another version here, or choose another image"
            return Row(CONFLICT, need.name, here, reason[1], f"{reason[0]}: {way_out}")
        if reason is not None and not need.specifier:
            self.loosened.add(need.name)
            sentence = f"{reason[0]}: the job gets the newest version that goes with the image"
        requirement, bare = _line(need, need.extras), _line(need, ())
        bare = requirement if need.declared else bare
        return Row(LAYER, need.name, here, "", sentence, requirement, bare, local)

    def _why_not(self, need: Need) -> tuple[str, str] | None:
        """Why the installed version does not go with the image, and the image's version."""
        title = f"{need.name} {need.version}, as installed here,"
        python = self._facts.python or ""
        if need.requires_python and not holds(need.requires_python, python):
            return f"{title} needs Python {need.requires_python} and the image has {python}", python
        limit = self._constraints.get(need.name)
        if limit is not None and need.version and not holds(str(limit), public(need.version)):
            return f"{title} is not one that the image's constraints allow ({limit})", str(limit)
        for requirement in self._required(need.requires):
            package = self._facts.packages.get(canonical(requirement.name))
            if package is not None and not holds(str(requirement.specifier), package.version):
                asked = f"{requirement.name}{requirement.specifier}"
                return f"{title} needs {asked} and the image has {package.version}", package.version
        return None

    def _required(self, lines: Sequence[str]) -> Iterator[Requirement]:
        for line in lines:
            try:
                requirement = Requirement(line)
            except InvalidRequirement:
                continue
            if requirement.marker is None or self._applies(str(requirement.marker)):
                yield requirement

    def _applies(self, marker: str) -> bool:
        try:
            return Marker(marker).evaluate(dict(self._markers))
        except (InvalidMarker, UndefinedEnvironmentName):
            return True


def _line(need: Need, extras: Sequence[str]) -> str:
    named = need.name + (f"[{','.join(extras)}]" if extras else "")
    return f"{named} @ {need.url}" if need.url else named + need.specifier
