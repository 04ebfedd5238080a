"""The layer with JupyterHub's single-user server, for the Pythons of many images at once.

``python3 /opt/jupyter-hybrid/server/start.py`` starts it. What it imports comes first in that
process only: kernels are the image's own, and see the layer's packages behind all of its own.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import ImageError
from .indexes import uv_environment
from .layer_store import ROOT
from .layers import GZIP, Layer
from .once import once
from .tars import Entry, tree_entries, write_layer
from .uv import Uv, Wanted

#: Where the server is in an image.
DIRECTORY = f"{ROOT}/server"
#: Ubuntu 20.04, on which NVIDIA's images were until 2023, has glibc 2.31.
PLATFORM = "x86_64-manylinux_2_31"
#: Programs that run in the image, from this directory.
_PROGRAMS = ("start.py", "kernel.py")
_FORMAT = 2


@dataclass(frozen=True)
class ServerLayer:
    """A layer with the server, and what is in it."""

    layer: Layer
    #: Versions by name, for each Python.
    packages: dict[str, dict[str, str]]


async def server_layer(
    directory: Path, requirements: Sequence[str], pythons: Sequence[str], platform: str = PLATFORM
) -> ServerLayer:
    """The layer with these requirements for each Python (``3.12``), made once in the directory.

    Raises ``ImageError`` where they cannot be resolved or fetched.
    """
    directory.mkdir(parents=True, exist_ok=True)
    programs = [_program(name) for name in _PROGRAMS]
    question = [_FORMAT, [*requirements], [*pythons], platform, *(p.decode() for p in programs)]
    # (a wheel that lies here is another one where it has changed)
    question += [_stamp(line) for line in requirements]
    key = hashlib.sha256(json.dumps(question).encode()).hexdigest()[:32]
    note, path = directory / f"{key}.json", directory / f"{key}.tar"
    async with once(directory / "locks", f"server {key}"):
        if not note.exists():
            made = await _made(directory / key, path, requirements, pythons, platform)
            data = {"packages": made.packages, "layer": {**made.layer.__dict__, "path": str(path)}}
            note.write_text(json.dumps(data))
        data = json.loads(note.read_text())
    layer = Layer(**{**data["layer"], "path": Path(data["layer"]["path"])})
    return ServerLayer(layer, data["packages"])


async def _made(
    work: Path, path: Path, requirements: Sequence[str], pythons: Sequence[str], platform: str
) -> ServerLayer:
    uv = Uv(uv_environment())
    packages: dict[str, dict[str, str]] = {}
    shutil.rmtree(work, ignore_errors=True)
    try:
        for python in pythons:
            scratch = work / f"{python}.work"
            scratch.mkdir(parents=True)
            wanted = Wanted(tuple(requirements), (), {}, python, platform)
            lock = await uv.resolve(wanted, scratch)
            tree = work / "tree" / f"py{python}"
            await uv.unpack(lock, tree, scratch)
            await asyncio.to_thread(_compile, tree, python)
            packages[python] = {package.name: package.version for package in lock.packages}
        comment = f"JupyterHub's single-user server for Python {', '.join(pythons)}"
        entries = _entries(work / "tree")
        layer = await asyncio.to_thread(
            lambda: write_layer(entries, path, media_type=GZIP, comment=comment)
        )
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return ServerLayer(layer, packages)


def _entries(tree: Path) -> Iterator[Entry]:
    for name in _PROGRAMS:
        yield Entry(f"{DIRECTORY}/{name}", _program(name))
    for entry in tree_entries(tree, DIRECTORY):
        # what nobody starts, runs or looks at from here
        left_out = any(part in entry.name for part in ("/bin/", "/test/", "/tests/"))
        if not left_out and not entry.name.endswith((".map", ".pdb", ".pyi", "/REQUESTED")):
            yield entry


def _compile(tree: Path, python: str) -> None:
    """Compile what is imported, where that Python is here: each start is seconds shorter."""
    own = "{}.{}".format(*sys.version_info)
    program = sys.executable if python == own else shutil.which(f"python{python}")
    if program is not None:
        # by content, because a layer's files are all of one time
        command = [program, "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash"]
        subprocess.run([*command, str(tree)], check=False, capture_output=True)


def _program(name: str) -> bytes:
    return (Path(__file__).parent / "serverfiles" / name).read_bytes()


def _stamp(line: str) -> str:
    path = Path(line.partition("@ file://")[2])
    if not path.is_file():
        return ""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ImageError(f"{path} cannot be read: {error.strerror}") from error
