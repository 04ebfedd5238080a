"""Check an installation, and say for each thing that is wrong what to do about it."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .blocking import within
from .errors import HybridError
from .units import format_size

if TYPE_CHECKING:
    from .config import Hybrid

#: The oldest Python that submits jobs.
PYTHON = (3, 10)
#: Bytes below which the data directory's disk is called full.
LITTLE_SPACE = 1 << 30
#: Characters of a Unix socket's path on Linux, the closing zero included (``unix(7)``).
SOCKET_PATH = 108
#: What kernels append to the runtime directory: ``/kernel-<uuid>-ipc-5``.
SOCKET_NAME = 54
#: Seconds that a target has to answer.
PATIENCE = 20.0
#: Blobs looked at: a quick look, not a proof.
BLOBS = 200

_NETWORK = {"nfs", "nfs4", "cifs", "smb3", "lustre", "gpfs", "beegfs", "fuse.sshfs", "ceph", "9p"}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    name: str
    ok: bool
    #: What was found.
    text: str
    #: What to do; also given as advice where nothing is wrong yet.
    remedy: str = ""

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        return asdict(self)


async def examine() -> list[Finding]:
    """Look at everything, in the order in which one thing rests on another."""
    findings = [_python(), *_packages(), _sockets(), *_kernels()]
    findings.append(_guarded("autoload", _autoload))
    try:
        from .config import load_config

        config = load_config()
    except HybridError as error:
        return [*findings, Finding("configuration", False, str(error), "mend the file it names")]
    directory = config.home
    findings += [*_directory(directory), _blobs(directory)]
    findings.append(_guarded("store", lambda: _store(directory)))
    findings += await asyncio.gather(*(_target(config, name) for name in config.target_options()))
    return findings + await _registries(config)


def _guarded(name: str, look: Callable[[], Finding]) -> Finding:
    """The finding; an error of ours becomes one."""
    try:
        return look()
    except (HybridError, OSError) as error:
        return Finding(name, False, str(error), "mend what it names, then look again")


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    text = f"{version} at {sys.executable}"
    if sys.version_info < PYTHON:
        return Finding("python", False, text, "install Python 3.10 or newer")
    return Finding("python", True, text)


def _packages() -> Iterator[Finding]:
    """Our own version, and what of our requirements is missing or too old."""
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        own = distribution("jupyter-hybrid")
    except PackageNotFoundError:
        yield Finding("jupyter-hybrid", False, "not installed", "pip install jupyter-hybrid")
        return
    wrong = [problem for line in own.requires or () if (problem := _requirement(line))]
    remedy = "pip install --upgrade jupyter-hybrid" if wrong else ""
    yield Finding(
        "packages", not wrong, "; ".join(wrong) or f"jupyter-hybrid {own.version} has all", remedy
    )


def _requirement(line: str) -> str | None:
    """What is wrong with one requirement of ours; None where nothing is."""
    from importlib.metadata import PackageNotFoundError, version

    from packaging.requirements import Requirement

    requirement = Requirement(line)
    if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
        return None
    try:
        found = version(requirement.name)
    except PackageNotFoundError:
        return f"{requirement.name} is not installed"
    if requirement.specifier.contains(found, prereleases=True):
        return None
    return f"{requirement.name} is {found}, but {requirement.specifier} is needed"


def _sockets() -> Finding:
    directory = tempfile.gettempdir()
    free = SOCKET_PATH - len(os.fsencode(directory)) - SOCKET_NAME
    if free > 0:
        return Finding("sockets", True, f"paths below {directory} are short enough")
    text = f"{directory} is too long a path for sockets ({SOCKET_PATH - 1} characters)"
    return Finding("sockets", False, text, "set TMPDIR to a short path such as /tmp")


def _kernels() -> Iterator[Finding]:
    from importlib.util import find_spec

    from .kernels import installed_kernels

    kernels = installed_kernels()
    names = ", ".join(f"{k.name} ({k.language})" for k in kernels.values()) or "none besides Python"
    if find_spec("ipykernel") is None:
        yield Finding("kernels", False, "ipykernel is not installed", "pip install ipykernel")
    else:
        yield Finding("kernels", True, names)
    for kernel in kernels.values():
        program = kernel.argv[0] if kernel.argv else ""
        if not program or shutil.which(program) is None:
            yield Finding(
                f"kernel {kernel.name}",
                False,
                f"its program {program!r} does not exist",
                f"jupyter kernelspec remove {kernel.name}, or install it again",
            )


def _autoload() -> Finding:
    from .autoload import autoloading, environment_file, user_file

    files = [str(file) for file in (environment_file(), user_file()) if autoloading(file)]
    if files:
        return Finding("autoload", True, f"%%remote is in every kernel, by {', '.join(files)}")
    advice = "'jupyter hybrid autoload on' makes that needless"
    return Finding("autoload", True, "%%remote needs %load_ext jupyter_hybrid", advice)


def _directory(directory: Path) -> Iterator[Finding]:
    yield _guarded("data directory", lambda: _writable(directory))
    existing = next((p for p in (directory, *directory.parents) if p.exists()), Path("/"))
    free = shutil.disk_usage(existing).free
    yield Finding(
        "disk",
        free >= LITTLE_SPACE,
        f"{format_size(free)} free for {directory}",
        ""
        if free >= LITTLE_SPACE
        else "'jupyter hybrid delete' old jobs, or set c.Hybrid.directory",
    )
    kind = file_system(existing)
    if kind in _NETWORK:
        yield Finding(
            "file system",
            True,
            f"{directory} is on a network file system ({kind}); jobs work, but more slowly",
            "where jobs feel slow, set c.Hybrid.directory to a local disk",
        )


def _writable(directory: Path) -> Finding:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=directory) as file:
        file.write(b"x")
    mode = directory.stat().st_mode & 0o777
    if mode & 0o022:
        text = f"others may write to {directory} (mode {mode:o})"
        return Finding("data directory", False, text, f"chmod 700 {directory}")
    return Finding("data directory", True, str(directory))


def file_system(path: Path) -> str:
    """The kind of file system that holds the path, such as ``ext4``; empty where unknown."""
    try:
        mounts = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace")
        return parse_mounts(mounts, path.resolve())
    except OSError:
        return ""


def parse_mounts(text: str, path: Path) -> str:
    """The kind of the file system that the deepest mount above ``path`` has, from ``proc(5)``."""
    best, kind = -1, ""
    for line in text.splitlines():
        fields = line.split()
        if len(fields) < 3:
            continue
        # blanks in mount points are written in octal
        point = Path(fields[1].replace("\\040", " ").replace("\\011", "\t"))
        if path.is_relative_to(point) and len(point.parts) >= best:
            best, kind = len(point.parts), fields[2]
    return kind


def _store(directory: Path) -> Finding:
    from .store import Store

    store = Store.open(directory)
    jobs = store.jobs()
    running = sum(not job.state.final for job in jobs)
    return Finding("store", True, f"{len(jobs)} jobs, {running} of them not ended")


def _blobs(directory: Path) -> Finding:
    """Whether contents are what their names say, for the newest few."""
    from .bundle.blobs import BlobStore
    from .paths import blob_directory

    store = BlobStore(blob_directory(directory))
    blobs = [store.path(digest) for digest in store.digests()]
    newest = sorted(blobs, key=lambda p: p.stat().st_mtime, reverse=True)[:BLOBS]
    small = [p for p in newest if p.stat().st_size <= LITTLE_SPACE >> 6]
    bad = [p for p in small if not store.verify(p.name)]
    if bad:
        names = ", ".join(str(p) for p in bad[:3])
        return Finding("blobs", False, f"{len(bad)} are damaged: {names}", "delete these files")
    return Finding("blobs", True, f"{len(blobs)} stored, {len(small)} of them checked")


async def _registries(config: Hybrid) -> list[Finding]:
    """Whether the registries answer that the configuration speaks of."""
    named = {*config.registry_mirrors, *config.insecure_registries, *config.registry_certificates}
    if config.images:
        from .containers.references import parse_reference

        named |= {parse_reference(image).registry for image in config.images.values()}
    if not named:
        return []
    from .containers.registry import RegistryClient

    async def look(name: str) -> Finding:
        try:
            text = await within(PATIENCE, client.ping(name))
        except (TimeoutError, asyncio.TimeoutError):
            text = f"did not answer within {PATIENCE:.0f} s"
            return Finding(f"registry {name}", False, text, "check the network and its proxy")
        except HybridError as error:
            remedy = f"see c.Hybrid.registry_mirrors[{name!r}] and the network"
            return Finding(f"registry {name}", False, str(error), remedy)
        return Finding(f"registry {name}", True, text)

    async with RegistryClient(config.registries) as client:
        return list(await asyncio.gather(*(look(name) for name in sorted(named))))


async def _target(config: Hybrid, name: str) -> Finding:
    from .executors.registry import load_executor
    from .spec import Resources

    label = f"target {name}"
    try:
        executor = load_executor(config.target(name))
        answer: Awaitable[Any] = executor.offers(Resources())
        offers = await within(PATIENCE, answer)
        engine = await within(PATIENCE, executor.engine())
        kept = await within(PATIENCE, executor.kept())
    except (TimeoutError, asyncio.TimeoutError):
        text = f"did not answer within {PATIENCE:.0f} s"
        return Finding(label, False, text, "check the network and the machine")
    except HybridError as error:
        return Finding(label, False, str(error), f"see c.Hybrid.targets[{json.dumps(name)}]")
    found = "; ".join(filter(None, [*(offer.hardware for offer in offers), engine, kept]))
    return Finding(label, True, found or "answers")
