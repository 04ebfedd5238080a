"""The layer with the runner: its code and all that it imports, for an image's Python.

``python /opt/jupyter-hybrid/runners/DIGEST JOBDIR --blobs DIR`` runs a job. Python puts a directory
that it runs in front of its own path, in that process only: the runner has its packages in the
versions that it knows, and neither the user's kernel nor any program of theirs sees one of them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from ..environment.facts import ImageFacts
from ..environment.installed import installation
from ..environment.probe import scan
from ..errors import ImageError
from .indexes import uv_environment
from .layer_store import ROOT, LayerStore, PackageLayer, Packed
from .layers import GZIP
from .locks import FORMAT, Lock, uv_platform
from .packing import look_over, recorded
from .tars import Entry, tree_entries
from .uv import Uv, Wanted

#: What the runner imports; the oldest versions that it was seen to work with.
REQUIREMENTS = (
    "cloudpickle>=2.2",
    "jupyter_client>=7.4",
    "nbclient>=0.7",
    "nbformat>=5.7",
    "papermill>=2.4",
)
#: Modules and packages of ours that run in containers.
TRAVELS = ("__init__", "_version", "errors", "events", "paths", "spec", "values", "runner")

_MAIN = """\
import sys

from jupyter_hybrid.runner import kept

if sys.argv[1:2] == ["--keep"]:
    kept.keep(sys.argv[2], kept.load_runner)
    sys.exit()
kept.use(kept.PLACE + "/runner")
import runpy

runpy.run_module("jupyter_hybrid.runner", run_name="__main__", alter_sys=True)
"""


class RunnerLayers:
    """Makes layers with the runner, and keeps them in a directory."""

    def __init__(self, directory: Path, *, media_type: str = GZIP) -> None:
        self._store = LayerStore(directory, media_type)

    async def layer(
        self, facts: ImageFacts, sources: Mapping[str, str] | None = None
    ) -> PackageLayer:
        """The layer with the runner for the image; ``directory`` of it is what Python is to run.

        It is made once for each Python and platform, whatever the image holds. Raises
        ``ImageError`` where the image has no Python that the runner can run in.
        """
        if not facts.usable:
            have = f"Python {facts.python}" if facts.python else "no Python"
            raise ImageError(f"the image has {have}, and jobs need 3.8 or newer: choose another")
        platform, code = uv_platform(facts), code_digest()
        question = json.dumps([FORMAT, "runner", facts.minor, platform, code, dict(sources or {})])
        key = hashlib.sha256(question.encode()).hexdigest()
        made = await self._store.answered(key, lambda: self._make(facts, platform, code, sources))
        if made is None:
            raise ImageError("the runner's layer has no packages, which cannot be; clear the cache")
        return made

    async def _make(
        self, facts: ImageFacts, platform: str, code: str, sources: Mapping[str, str] | None
    ) -> PackageLayer:
        uv = Uv(uv_environment(sources))
        # the same for all images of this Python: only its minor version counts
        python = "{}.{}".format(*facts.minor)
        wanted = Wanted(
            requirements=REQUIREMENTS,
            constraints=(),
            preferences=installation().closure(line.partition(">")[0] for line in REQUIREMENTS),
            python=python,
            platform=platform,
        )
        with self._store.work() as work:
            lock = await uv.resolve(wanted, work)
            lock = Lock(lock.python, lock.platform, lock.packages, lock.built, f"runner {code}")

            def packed(tree: Path) -> Packed:
                # it comes first where it is seen at all: nothing of the image hides it
                found = scan(str(tree))
                packages, notes = look_over(found, lock, replace(facts, regular=frozenset()))
                directory = f"{ROOT}/runners/{lock.digest[:16]}"
                entries = recorded(_entries(tree, directory))
                return Packed(directory, entries, packages, tuple(notes))

            return await self._store.made(uv, lock, work, packed)


def code_digest() -> str:
    """Changes with the runner's code; 64 hex digits."""
    found = hashlib.sha256(_MAIN.encode())
    for name, path in sorted(_code()):
        found.update(f"{name}\0".encode() + path.read_bytes() + b"\0")
    return found.hexdigest()


def _code() -> Iterator[tuple[str, Path]]:
    package = Path(__file__).resolve().parents[1]
    for name in TRAVELS:
        single = package / f"{name}.py"
        for path in [single] if single.exists() else sorted((package / name).rglob("*.py")):
            yield f"jupyter_hybrid/{path.relative_to(package).as_posix()}", path


def _entries(tree: Path, directory: str) -> Iterator[Entry]:
    for entry in tree_entries(tree, directory):
        inside = entry.name.removeprefix(f"{directory}/")
        # programs and notes of an installer; nobody starts them from here
        if not inside.startswith("bin/") and not inside.endswith((".pyc", ".lock", "/REQUESTED")):
            yield entry
    for name, path in _code():
        yield Entry(f"{directory}/{name}", path)
    yield Entry(f"{directory}/__main__.py", _MAIN.encode())
