"""What travels with a job, and the directory that it arrives in.

::

    Bundle ── write_job_directory ──> spec.json  files.json  notebook.ipynb  inputs/  key
           <── read_job_directory ──

File contents are not here: ``files.json`` names them by sha256, and they are in the place's blobs.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import BundleError
from ..paths import JobPaths
from ..spec import JobSpec
from ..units import format_size

if TYPE_CHECKING:
    from ..environment.needs import Environment


class FileEntry(NamedTuple):
    """One file of the work directory. A tuple, for there may be a hundred thousand."""

    #: Relative to the work directory, ``/`` between names; bytes that are not UTF-8 as surrogates.
    path: str
    #: sha256 of the content, 64 hex digits.
    digest: str
    size: int
    #: Permission bits.
    mode: int = 0o644


class Link(NamedTuple):
    """One symbolic link of the work directory."""

    path: str
    #: What the link says: relative, and inside the work directory.
    to: str


@dataclass(frozen=True)
class Bundle:
    """What travels with one job."""

    #: The notebook to execute, as JSON.
    notebook: bytes
    files: tuple[FileEntry, ...] = ()
    #: Directories that hold no file and should exist nevertheless.
    directories: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()
    #: A directory made by ``values.dump``.
    inputs: Path | None = None
    #: False where ``inputs`` is moved into the job's directory; True where it stays (a rerun's).
    keep_inputs: bool = False
    #: What the notebook needs of other people's packages; None where it runs in no image.
    environment: Environment | None = None
    #: The job's key, with which its results are vouched for.
    key: bytes = field(default=b"", repr=False)


def check_path(path: str) -> str:
    """The path, which is relative and stays inside the work directory; else ``BundleError``."""
    names = path.split("/")
    if "\0" in path or any(name in ("", ".", "..") for name in names):
        raise BundleError(
            f"{path!r} is not a path inside the work directory; "
            "paths are relative, without '.', '..' and empty names"
        )
    return path


def check_link(link: Link) -> Link:
    """The link, which leads to something inside the work directory; else ``BundleError``."""
    check_path(link.path)
    depth = link.path.count("/")
    inside = bool(link.to) and not link.to.startswith("/") and "\0" not in link.to
    for name in link.to.split("/"):
        depth += -1 if name == ".." else name not in ("", ".")
        inside = inside and depth >= 0
    if not inside:
        raise BundleError(
            f"the link {link.path!r} leads out of the work directory (to {link.to!r}); "
            "replace it by what it stands for"
        )
    return link


def manifest(bundle: Bundle) -> bytes:
    """``files.json``: the same bytes for the same files, in whatever order they were found.

    Raises ``BundleError`` where a path would leave the work directory or is there twice.
    """
    files = sorted(bundle.files, key=lambda entry: _order(entry.path))
    links = sorted(bundle.links, key=lambda link: _order(link.path))
    directories = sorted(set(map(check_path, bundle.directories)), key=_order)
    _check_tree([*(f.path for f in files), *(check_link(x).path for x in links)], directories)
    record = {
        "files": [entry._asdict() for entry in files],
        "directories": directories,
        "links": [link._asdict() for link in links],
    }
    # ASCII: names that are not valid Unicode are surrogates here, which UTF-8 would not carry
    return json.dumps(record, ensure_ascii=True, separators=(",", ":")).encode("ascii") + b"\n"


def _check_tree(leaves: list[str], directories: list[str]) -> None:
    """No path is there twice, and nothing is below a file or a link."""
    seen: set[str] = set()
    for path in leaves:
        if check_path(path) in seen:
            raise BundleError(f"{path!r} would be in the work directory twice")
        seen.add(path)
    folders: set[str] = set()
    for path in [*leaves, *(f"{directory}/" for directory in directories)]:
        folder = path.rpartition("/")[0]
        while folder and folder not in folders:
            folders.add(folder)
            folder = folder.rpartition("/")[0]
    for path in sorted(seen & folders, key=_order):
        raise BundleError(f"{path!r} would be both a file or link and a directory")


def _order(path: str) -> bytes:
    return path.encode("utf-8", "surrogatepass")


def parse_manifest(data: bytes) -> tuple[tuple[FileEntry, ...], tuple[str, ...], tuple[Link, ...]]:
    """Files, directories and links of a ``files.json``; else raises ``BundleError``."""
    try:
        record: Any = json.loads(data)
        files = tuple(
            FileEntry(check_path(f["path"]), f["digest"], f["size"], f.get("mode", 0o644))
            for f in record["files"]
        )
        directories = tuple(map(check_path, record.get("directories", ())))
        links = tuple(check_link(Link(x["path"], x["to"])) for x in record.get("links", ()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BundleError(
            f"files.json is not a file manifest ({type(error).__name__}: {error}); "
            "submit the notebook again"
        ) from error
    return files, directories, links


def write_job_directory(
    directory: Path, spec: JobSpec, bundle: Bundle, key: bytes | None = None
) -> None:
    """Lay out what the runner reads; ``spec.json`` comes last, and marks the directory as finished.

    Does nothing where the directory is finished, and finishes what a crash left. The directory is
    0700 and the key 0600. Raises ``BundleError`` where the disk is full or may not be written.
    """
    paths = JobPaths(directory)
    files = manifest(bundle)
    with explain_os_errors(directory, len(bundle.notebook) + len(files)):
        if paths.spec.exists():
            return
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        directory.chmod(0o700)
        _write(paths.key, bundle.key if key is None else key, mode=0o600)
        _write(paths.files, files)
        _write(paths.notebook, bundle.notebook)
        if bundle.environment is not None:
            _write(paths.environment, json.dumps(bundle.environment.to_json()).encode("ascii"))
        if bundle.inputs is not None:
            _take_inputs(bundle.inputs, paths.inputs, keep=bundle.keep_inputs)
        _write(paths.spec, json.dumps(spec.to_json()).encode("ascii"))


def read_job_directory(directory: Path) -> Bundle:
    """What the job in this directory travelled with; its inputs stay where they are.

    Raises ``BundleError`` where the directory is gone or unfinished.
    """
    paths = JobPaths(directory)
    try:
        files, directories, links = parse_manifest(paths.files.read_bytes())
        notebook = paths.notebook.read_bytes()
    except OSError as error:
        raise BundleError(
            f"what the job travelled with is gone: {error.filename}: {error.strerror}; "
            "submit the notebook again"
        ) from error
    inputs = paths.inputs if paths.inputs.is_dir() else None
    environment = _read_environment(paths.environment)
    return Bundle(notebook, files, directories, links, inputs, True, environment)


def _read_environment(path: Path) -> Environment | None:
    try:
        data = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    from ..environment.needs import Environment

    try:
        return Environment.from_json(data)
    except (TypeError, AttributeError):
        return None


def _write(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Write by rename, so that a reader sees all or nothing."""
    # two submits of one job may be one process's
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    temporary.replace(path)


def _take_inputs(source: Path, target: Path, *, keep: bool) -> None:
    if not source.exists() and target.is_dir():
        return  # an interrupted submit has moved them already
    if target.exists():
        shutil.rmtree(target)
    if not keep:
        shutil.move(source, target)
        return
    try:
        # inputs are never written again (the kernel maps them privately): a second name is enough
        shutil.copytree(source, target, copy_function=os.link)
    except (shutil.Error, OSError):
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(source, target)


@contextmanager
def explain_os_errors(directory: Path, needed: int = 0) -> Iterator[None]:
    """Say in one sentence why the directory cannot be written: full, over quota, not allowed."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise BundleError(
                f"{error.filename or directory} cannot be written: {error.strerror or error}"
            ) from error
        what = "the disk is full" if error.errno == errno.ENOSPC else "the disk quota is used up"
        free = f", {format_size(_free(directory))} are free" if _free(directory) >= 0 else ""
        size = f"{format_size(needed)} more are needed" if needed else "more is needed"
        raise BundleError(
            f"{what}: {size} in {directory}{free}; delete jobs that are no longer wanted "
            "(jupyter hybrid jobs) or make room"
        ) from error


def _free(directory: Path) -> int:
    """Bytes free where the directory is or would be; -1 where that cannot be told."""
    for path in (directory, *directory.parents):
        try:
            return shutil.disk_usage(path).free
        except OSError:
            continue
    return -1
