"""Layers with JupyterHub's single-user server, for the Pythons of many images at once.

``python3 /opt/jupyter-hybrid/server/start.py`` starts it. What it imports comes first in that
process only: kernels are the image's own, and see the layers' packages behind all of its own.

The large part, JupyterLab and the hub's server with all that they import, is a layer for each
Python; what a site adds, which changes more often, lies on top: registries and nodes that have the
one are sent the other.
"""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from ..environment.probe import canonical
from ..errors import ImageError
from .indexes import uv_environment
from .layer_store import ROOT, LayerStore, PackageLayer, Packed
from .layers import Layer
from .locks import Lock
from .packing import recorded
from .tars import Entry, tree_entries, write_layer
from .uv import Uv, Wanted

#: Where the server is in an image.
DIRECTORY = f"{ROOT}/server"
#: Ubuntu 20.04, on which NVIDIA's images were until 2023, has glibc 2.31.
PLATFORM = "x86_64-manylinux_2_31"
#: Programs that run in the image, from this directory.
_PROGRAMS = ("start.py", "kernel.py")
#: Changes with what is made of the same packages.
_FORMAT = 3


@dataclass(frozen=True)
class ServerLayers:
    """Layers with the server, the lowest first, and what is in them."""

    layers: tuple[Layer, ...]
    #: Versions by name, for each Python.
    packages: dict[str, dict[str, str]]


async def server_layers(
    directory: Path,
    requirements: Sequence[str],
    own: Sequence[str],
    pythons: Sequence[str],
    platform: str = PLATFORM,
) -> ServerLayers:
    """The layers with these requirements for each Python (``3.12``), each made once.

    Packages that ``own`` names have layers of their own; what those need is below. All are kept in
    the directory. Raises ``ImageError`` where packages cannot be resolved or fetched.
    """
    store, uv = LayerStore(directory), Uv(uv_environment())
    names = {_name(line) for line in own}
    below, above = list[PackageLayer](), list[PackageLayer]()
    packages: dict[str, dict[str, str]] = {}
    for python in pythons:
        wanted = Wanted((*requirements, *own), (), {}, python, platform)
        with store.work() as work:
            lock = await uv.resolve(wanted, work)
        for layers, part in zip((below, above), _parts(lock, names), strict=True):
            if part.packages:
                layers.append(await _made(store, uv, part))
        packages[python] = {package.name: package.version for package in lock.packages}
    programs = await asyncio.to_thread(_programs, directory)
    return ServerLayers((*(made.layer for made in (*below, *above)), programs), packages)


def _name(line: str) -> str:
    try:
        return canonical(Requirement(line).name)
    except InvalidRequirement as error:
        raise ImageError(f"{line!r} is no requirement: {error}") from error


def _parts(lock: Lock, names: Set[str]) -> tuple[Lock, Lock]:
    """The lock without these packages, and the lock of nothing but these."""
    place = f"{DIRECTORY}/py{lock.python} {_FORMAT}"

    def part(named: bool) -> Lock:
        kept = tuple(p for p in lock.packages if (p.name in names) is named)
        built = tuple(name for name in lock.built if (name in names) is named)
        return replace(lock, packages=kept, built=built, place=place)

    return part(False), part(True)


async def _made(store: LayerStore, uv: Uv, lock: Lock) -> PackageLayer:
    directory = f"{DIRECTORY}/py{lock.python}"

    def packed(tree: Path) -> Packed:
        _compile(tree, lock.python)
        versions = {package.name: package.version for package in lock.packages}
        return Packed(directory, recorded(_entries(tree, directory)), versions)

    with store.work() as work:
        return await store.made(uv, lock, work, packed)


def _entries(tree: Path, directory: str) -> Iterator[Entry]:
    for entry in tree_entries(tree, directory):
        # what nobody starts, runs or looks at from here
        left_out = any(part in entry.name for part in ("/bin/", "/test/", "/tests/"))
        if not left_out and not entry.name.endswith((".map", ".pdb", ".pyi", "/REQUESTED")):
            yield entry


def _programs(directory: Path) -> Layer:
    """The layer with the programs that start the server and its kernels."""
    here = Path(__file__).parent / "serverfiles"
    programs = {name: (here / name).read_bytes() for name in _PROGRAMS}
    entries = [Entry(f"{DIRECTORY}/{name}", content) for name, content in programs.items()]
    digest = hashlib.sha256(b"".join(programs.values())).hexdigest()
    path = directory / f"programs-{digest[:16]}.tar"
    return write_layer(entries, path, comment="starts JupyterHub's single-user server")


def _compile(tree: Path, python: str) -> None:
    """Compile what is imported, where that Python is here: each start is seconds shorter."""
    own = "{}.{}".format(*sys.version_info)
    program = sys.executable if python == own else shutil.which(f"python{python}")
    if program is not None:
        # by content, because a layer's files are all of one time
        command = [program, "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash"]
        subprocess.run([*command, str(tree)], check=False, capture_output=True)
