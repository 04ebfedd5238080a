"""The cases of ``tests/environments``: a notebook, an image, and the layer that it gets there.

A case is a folder with ``notebook.ipynb``, files beside it, and ``case.json``::

    {"about": …, "image": NAME of images/NAME.json, "kernel": the image is to have one,
     "make": the layer is made and not just resolved,
     "keep": {name: the image's version}, "layer": {name: version or "*"},
     "open": what the named ones need besides may change with their releases,
     "refused": [parts of the sentence that comes instead of a layer], "missing": [module],
     "told": [sentence]}
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from uv import find_uv_bin

from jupyter_hybrid.capture.packages import job_environment
from jupyter_hybrid.containers.environments import PackageLayers
from jupyter_hybrid.containers.indexes import uv_environment
from jupyter_hybrid.environment.diff import KEEP, MISSING, Difference, diff
from jupyter_hybrid.environment.facts import ImageFacts
from jupyter_hybrid.environment.needs import Environment
from jupyter_hybrid.errors import HybridError

CASES = Path(__file__).parent / "environments"
BUILD = Path(__file__).resolve().parents[1] / "build"


def cases() -> list[str]:
    """Their names."""
    return sorted(path.parent.name for path in CASES.glob("*/case.json"))


def image(name: str) -> ImageFacts:
    """The recorded facts of an image."""
    return ImageFacts.from_json(json.loads((CASES / "images" / f"{name}.json").read_bytes()))


def here() -> Path:
    """A site directory with the packages of ``here.txt``, made once and kept."""
    wanted = (CASES / "here.txt").read_text()
    site = BUILD / "here" / f"{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    stamp = site / "stamp"
    site.parent.mkdir(parents=True, exist_ok=True)
    with (site.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != wanted:
            command = [find_uv_bin(), "pip", "install", "--quiet", "--target", str(site)]
            command += ["--python", sys.executable, "-r", str(CASES / "here.txt")]
            subprocess.run(command, check=True, env=uv_environment())
            stamp.write_text(wanted)
    return site


@contextmanager
def installed_here(*directories: Path) -> Iterator[None]:
    """For as long as the block lasts, just these site directories and the standard library."""
    import IPython.core.inputtransformer2  # noqa: F401 - imported late, and not installed "here"
    import packaging.requirements  # noqa: F401
    import yaml  # noqa: F401

    old = sys.path[:]
    library = [path for path in old if "site-packages" not in path and "python" in path]
    sys.path[:] = [*map(str, directories), *library]
    try:
        yield
    finally:
        sys.path[:] = old


@dataclass
class Outcome:
    """What came of a case."""

    environment: Environment | None = None
    difference: Difference | None = None
    layer: dict[str, str] | None = None
    refused: str = ""
    notes: tuple[str, ...] = ()

    @property
    def sentences(self) -> str:
        """Everything that the user is told."""
        rows = self.difference.rows if self.difference else ()
        return "\n".join((*(row.sentence for row in rows if row.sentence), *self.notes))

    def kept(self) -> dict[str, str]:
        """Versions of what stays the image's."""
        rows = self.difference.of_kind(KEEP) if self.difference else []
        return {row.name: row.image for row in rows}

    def missing(self) -> list[str]:
        """Modules that are nowhere."""
        return [row.name for row in self.difference.of_kind(MISSING)] if self.difference else []


def run(name: str, layers: Path, *sites: Path) -> Outcome:
    """Capture the case's notebook, compare it with its image, and resolve (or make) the layer."""
    folder = CASES / name
    case = json.loads((folder / "case.json").read_bytes())
    notebook = json.loads((folder / "notebook.ipynb").read_bytes())
    cells = code_of(notebook)
    facts, outcome = image(case["image"]), Outcome()
    try:
        with installed_here(*sites):
            found = job_environment(cells, folder)
            outcome.environment = found
            outcome.difference = diff(found, facts, kernel=case.get("kernel", False))
            outcome.notes = outcome.difference.notes
        maker = PackageLayers(layers)
        if outcome.difference is not None:
            if case.get("make"):
                made = asyncio.run(maker.layer(outcome.difference, facts, found.sources))
                outcome.layer = dict(made.packages) if made else {}
                outcome.notes += made.notes if made else ()
            else:
                lock = asyncio.run(maker.lock(outcome.difference, facts, found.sources))
                outcome.layer = {p.name: p.version for p in lock.packages} if lock else {}
    except HybridError as error:
        outcome.refused = str(error)
    return outcome


def code_of(notebook: dict[str, Any]) -> list[str]:
    """The sources of a notebook's code cells."""
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return ["".join(cell["source"]) for cell in cells]


def environ_without_network() -> dict[str, str]:
    """An environment in which nothing can be fetched."""
    return {**os.environ, "ALL_PROXY": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9"}
