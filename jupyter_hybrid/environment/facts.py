"""What an image has: a record that is learned once for each image digest.

``parse_probe`` reads what ``probe.py`` printed in the image; ``containers.contents`` reads the same
from the image's layers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from ..errors import PlaceError
from ..files import replacing
from .probe import MARK

#: Changes with what the probe looks at; facts of other versions are learned anew.
FORMAT = 2
#: The oldest Python that a job's runner and kernel run in.
OLDEST = (3, 8)
#: Interpreters that are asked, in this order; the first that is new enough is the image's.
CANDIDATES = (
    *("python3", "python", "/opt/conda/bin/python3", "/opt/venv/bin/python3"),
    *("/usr/local/bin/python3", "/usr/bin/python3"),
    *(f"python3.{minor}" for minor in range(15, 7, -1)),
)

#: Fixed text, whose arguments are the interpreters' names: nothing is pasted into it.
_LOOK = """
code=$1; shift
for name in "$@"; do
  path=$(command -v "$name") || continue
  "$path" -c "$code" && exit 0
done
echo; echo '@MARK@{"python": null}'
"""
#: Runs in any Python since 2.6; the probe itself needs 3.8.
_GUARD = """
import sys
if sys.version_info < (3, 8):
    sys.stdout.write('\\n@MARK@{"python": "%d.%d.%d"}\\n' % sys.version_info[:3])
    sys.exit(3)
exec(compile(@SOURCE@, "<probe>", "exec"))
"""


@dataclass(frozen=True)
class ImagePackage:
    """A distribution that the image has."""

    version: str
    #: ``Requires-Dist`` lines.
    requires: tuple[str, ...] = ()
    #: Top-level modules.
    modules: tuple[str, ...] = ()


@dataclass(frozen=True)
class ImageFacts:
    """What decides what an image needs besides."""

    #: ``3.10.12`` (read from layers perhaps ``3.10``); None where the image has no Python.
    python: str | None = None
    implementation: str = "cpython"
    #: The interpreter that jobs run with, and its ``sys.prefix``.
    executable: str = ""
    prefix: str = ""
    #: ``x86_64``, ``aarch64``, …
    machine: str = ""
    #: ``("glibc", "2.35")`` or ``("musl", "1.2.4")``; empty strings where it is not known.
    libc: tuple[str, str] = ("", "")
    #: By canonical name.
    packages: Mapping[str, ImagePackage] = field(default_factory=dict)
    #: Top-level modules that hide all others of their name: all but namespace packages.
    regular: frozenset[str] = frozenset()
    #: Directories with packages, in the order in which Python looks.
    site: tuple[str, ...] = ()
    #: Where a ``.pth`` file adds a directory behind all of them; None where none is read.
    pth: str | None = None
    #: Text of pip's constraint files (NGC: ``/etc/pip/constraint.txt``).
    constraints: str = ""

    @property
    def minor(self) -> tuple[int, int]:
        """``(3, 10)``; ``(0, 0)`` without a Python."""
        found = re.match(r"(\d+)\.(\d+)", self.python or "")
        return (int(found[1]), int(found[2])) if found else (0, 0)

    @property
    def usable(self) -> bool:
        """True where jobs can run in it."""
        return self.minor >= OLDEST

    def owner(self, module: str) -> str | None:
        """The package of the image that has the top-level module."""
        return next((n for n, p in self.packages.items() if module in p.modules), None)

    def to_json(self) -> dict[str, Any]:
        """A JSON object; ``from_json`` reads it back."""
        return {**asdict(self), "regular": sorted(self.regular), "format": FORMAT}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ImageFacts:
        """Read ``to_json``'s or the probe's object, ignoring other keys."""
        known = {f.name for f in fields(cls)}
        values = {key: value for key, value in data.items() if key in known}
        values["packages"] = {
            name: ImagePackage(
                package["version"],
                tuple(package.get("requires") or ()),
                tuple(package.get("modules") or ()),
            )
            for name, package in (values.get("packages") or {}).items()
        }
        values["regular"] = frozenset(values.get("regular") or ())
        values["site"] = tuple(values.get("site") or ())
        name, version = values.get("libc") or ("", "")
        values["libc"] = (name, version)
        return cls(**values)


def probe_command(candidates: Sequence[str] = CANDIDATES) -> list[str]:
    """The command whose output in an image ``parse_probe`` reads; it needs ``/bin/sh`` there.

    It is to be run with the image's environment and without its entry point.
    """
    source = Path(__file__).with_name("probe.py").read_text(encoding="utf-8")
    code = _GUARD.replace("@MARK@", MARK).replace("@SOURCE@", repr(source))
    # it runs by exec, without a file: what it compiles has no other name
    return ["/bin/sh", "-c", _LOOK.replace("@MARK@", MARK), "probe", code, *candidates]


def parse_probe(text: str) -> ImageFacts:
    """The facts in a probe's output, whatever else stands in it; raises ``PlaceError``."""
    found = []
    for line in text.splitlines():
        _, mark, data = line.partition(MARK)
        if mark:
            try:
                found.append(ImageFacts.from_json(json.loads(data)))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise PlaceError(
                    f"the image's probe printed what cannot be read ({error}): {data[:200]!r}"
                ) from error
    if not found:
        raise PlaceError(
            f"the image's probe printed no facts, but {text[-200:]!r}; "
            "does the image have /bin/sh, and can it be run here?"
        )
    # no candidate was new enough: the best of those that answered
    return max(found, key=lambda facts: facts.minor)


class FactsCache:
    """Facts by image digest, in a directory; what cannot be read is learned anew."""

    def __init__(self, directory: Path) -> None:
        #: Where they are.
        self.directory = directory

    def get(self, digest: str) -> ImageFacts | None:
        """The facts of the image with this digest, if they are known; raises ``ValueError``."""
        path = self._path(digest)
        try:
            data = json.loads(path.read_bytes())
            return ImageFacts.from_json(data) if data.get("format") == FORMAT else None
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def put(self, digest: str, facts: ImageFacts) -> None:
        """Keep them; raises ``OSError``."""
        self.directory.mkdir(parents=True, exist_ok=True)
        with replacing(self._path(digest)) as file:
            file.write(json.dumps(facts.to_json()).encode())

    def _path(self, digest: str) -> Path:
        name = digest.rpartition(":")[2]
        if not re.fullmatch(r"[0-9a-f]{64}", name):
            raise ValueError(f"{digest!r} is not a sha256 digest: 64 hexadecimal digits")
        return self.directory / f"{name}.json"
