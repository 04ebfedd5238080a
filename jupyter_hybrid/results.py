"""Bring an ended job's notebook and files into the user's workspace, never over their work.

What was changed here since the submit is kept: the job's copy goes beside it, named
``NAME.JOB.EXT``, and both are named (design §4.6). Files appear by rename, whole or not at all.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any

from .errors import ResultError
from .executed import executed_notebook
from .files import file_digest, replacing
from .job import SHORT_ID, Job
from .paths import JobPaths, leads_inside

#: Bytes of a name that we make: the 255 of nearly all file systems, less a number of ``free_path``.
LONGEST_NAME = 245


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """What came back and where it was put."""

    #: The executed notebook; None where it was not asked for.
    notebook: str | None = None
    #: Files written, as absolute paths.
    files: tuple[str, ...] = ()
    #: Files that were changed here meanwhile: (kept, the job's copy beside it).
    conflicts: tuple[tuple[str, str], ...] = ()
    #: Files that were the same here already.
    unchanged: int = 0
    #: Inputs that the job deleted; they are kept here.
    deleted: tuple[str, ...] = ()
    #: What could not be brought back, each with the reason.
    left: tuple[str, ...] = ()
    #: Whether these are more than links that lead elsewhere: only the job's place has them.
    incomplete: bool = False

    def to_json(self) -> dict[str, Any]:
        """A JSON object, as the store keeps it."""
        return asdict(self)


@dataclass(frozen=True)
class Free:
    """A path for the executed notebook, or one like it with a number where that is taken."""

    path: Path


def bring_back(
    job: Job,
    directory: Path,
    *,
    output: Path | Free | None = None,
    into: Path | None = None,
    notebook: bool = True,
    files: bool = True,
) -> Fetched:
    """Write the results in ``directory`` to the workspace and say what was done.

    ``output`` is the executed notebook's path, where it replaces what is there unless it is
    ``Free`` (default: beside the user's notebook, with the job's id in its name), ``into`` the
    directory for files (default: where they came from).
    Raises ``ResultError`` where nothing can be written.
    """
    paths = JobPaths(directory)
    written: Path | None = None
    if notebook:
        content = _with_origin(executed_notebook(paths), job)
        text = json.dumps(content, ensure_ascii=False, indent=1) + "\n"
        data = text.encode("utf-8", "surrogatepass")
        written = _write(_notebook_path(job, output), data)
    changes = _Changes(job, into or Path(job.base or ".")).bring(paths) if files else {}
    return Fetched(notebook=str(written) if written else None, **changes)


def _with_origin(notebook: dict[str, Any], job: Job) -> dict[str, Any]:
    metadata = dict(notebook.get("metadata") or {})
    metadata["jupyter_hybrid"] = {
        "job": job.id,
        "target": job.spec.target,
        "state": job.state.value,
        "message": job.reason,
    }
    return {**notebook, "metadata": metadata}


def _notebook_path(job: Job, output: Path | Free | None) -> Path | Free:
    if output is not None:
        path = output.path if isinstance(output, Free) else output
        if job.spec.notebook_path and _same(path, Path(job.spec.notebook_path)):
            raise ResultError(
                f"{path} is the notebook that was submitted; name another file with --output"
            )
        return output
    # (a name is no path, and makes no hidden file)
    name = job.spec.name.replace("/", "-").strip(". ") or "notebook"
    source = Path(job.spec.notebook_path or Path(job.base or ".") / f"{name}.ipynb")
    stem = source.stem or "notebook"
    return Free(marked(source.with_name(f"{stem}.ipynb"), job.id[-SHORT_ID:]))


def marked(path: Path, mark: str) -> Path:
    """The path with the mark before its suffix; a name that is too long loses its middle."""
    stem, suffix = path.stem, f".{mark}{path.suffix}"
    while stem and len(os.fsencode(stem + suffix)) > LONGEST_NAME:
        stem = stem[:-1]
    return path.with_name(stem + suffix)


def free_path(path: Path, digest: str) -> Path:
    """The path, or one like it with a number, at which no other content (sha256) is lost."""
    number, candidate = 1, path
    while candidate.is_symlink() or candidate.exists():
        if candidate.is_file() and not candidate.is_symlink() and file_digest(candidate) == digest:
            break
        number += 1
        candidate = path.with_name(f"{path.stem}.{number}{path.suffix}")
    return candidate


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return one.absolute() == other.absolute()


class _Changes:
    """Brings the files that the job made or changed."""

    def __init__(self, job: Job, base: Path) -> None:
        self._job = job
        self._base = base
        self._files: list[str] = []
        self._conflicts: list[tuple[str, str]] = []
        self._unchanged = 0
        self._left: list[str] = []
        self._incomplete = False

    def bring(self, paths: JobPaths) -> dict[str, Any]:
        """Copy what changed; returns the fields of ``Fetched`` about files."""
        sent = sent_digests(paths)
        deleted: list[str] = []
        for relative in changed_files(paths, sent, deleted):
            try:
                self._one(paths.work, relative, sent.get(relative))
            # (Python up to 3.12 has a RuntimeError for links that lead in circles)
            except (OSError, RuntimeError) as error:
                self._miss(f"{relative}: {getattr(error, 'strerror', None) or error}")
        here = {entry["path"]: str(entry["to"]) for entry in _entries(paths.files, "links")}
        for relative, to in changed_links(paths, here):
            try:
                self._link(relative, to, here.get(relative))
            except (OSError, RuntimeError) as error:
                self._miss(f"{relative}: {getattr(error, 'strerror', None) or error}")
        return {
            "files": tuple(self._files),
            "conflicts": tuple(self._conflicts),
            "unchanged": self._unchanged,
            "deleted": tuple(deleted),
            "left": tuple(self._left),
            "incomplete": self._incomplete,
        }

    def _miss(self, sentence: str) -> None:
        self._left.append(sentence)
        self._incomplete = True

    def _one(self, work: Path, relative: str, sent: str | None) -> None:
        source = work / relative
        if not _inside(relative) or source.is_symlink() or not source.is_file():
            self._miss(f"{relative}: not a regular file of the work directory")
            return
        target = self._base / relative
        if not _inside_really(target, self._base):
            self._miss(f"{relative}: leads out of {self._base} through a link")
            return
        if target.exists() or target.is_symlink():
            here = file_digest(target) if target.is_file() else None
            digest = file_digest(source)
            if here is not None and here == digest:
                self._unchanged += 1
                return
            if self._changed_here(target, here, sent):
                beside = free_path(marked(target, self._job.id[-SHORT_ID:]), digest)
                _copy(source, beside)
                self._conflicts.append((str(target), str(beside)))
                return
        _copy(source, target)
        self._files.append(str(target))

    def _link(self, relative: str, to: str, sent: str | None) -> None:
        """Make a symbolic link here that the job made there, where it leads nowhere else."""
        target = self._base / relative
        if not _inside(relative) or not leads_inside(relative, to):
            self._left.append(f"{relative}: a link out of the work directory, to {to}")
            return
        if not _inside_really(target, self._base):
            self._left.append(f"{relative}: leads out of {self._base} through a link")
            return
        here = str(target.readlink()) if target.is_symlink() else None
        if here == to:
            self._unchanged += 1
            return
        if (here is not None and here != sent) or (here is None and target.exists()):
            self._left.append(f"{relative}: a link to {to} there, and something else here")
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{secrets.token_hex(6)}.part")
        temporary.symlink_to(to)
        temporary.replace(target)
        self._files.append(str(target))

    def _changed_here(self, target: Path, here: str | None, sent: str | None) -> bool:
        if here is None or target.is_symlink():
            return True
        if sent is not None:
            return here != sent
        # never sent: what is older than the submit is what a local execution would overwrite too
        # (unpacked archives keep old mtimes; ctime tells when the file came here)
        status = target.stat()
        return max(status.st_mtime, status.st_ctime) >= self._job.created_at


def sent_digests(paths: JobPaths) -> Mapping[str, str]:
    """sha256 of every file that travelled with the job, by path; nothing where nobody can tell."""
    try:
        manifest = json.loads(paths.files.read_bytes())
        return {entry["path"]: entry["digest"] for entry in manifest.get("files", ())}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def changed_files(paths: JobPaths, sent: Mapping[str, str], deleted: list[str]) -> Iterator[str]:
    """Paths that are new or changed; adds to ``deleted`` the inputs that are gone."""
    try:
        manifest = json.loads(paths.changes.read_bytes())
        deleted += [str(path) for path in manifest.get("deleted", ())]
        yield from (str(entry["path"]) for entry in manifest["files"])
        return
    except (OSError, ValueError, KeyError, TypeError):
        # the runner died before it could say: whatever differs from what was sent is a result
        pass
    from .runner.changes import walk

    for entry in walk(str(paths.work)):
        path = Path(entry.path)
        relative = path.relative_to(paths.work).as_posix()
        if sent.get(relative) != file_digest(path):
            yield relative


def changed_links(paths: JobPaths, sent: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Symbolic links that are new or changed: each one's path, and where it leads."""
    if paths.changes.exists():
        for entry in _entries(paths.changes, "links"):
            yield str(entry["path"]), str(entry["to"])
        return
    from .runner.changes import walk_links

    yield from (link for link in walk_links(str(paths.work)) if sent.get(link[0]) != link[1])


def _entries(manifest: Path, name: str) -> list[dict[str, Any]]:
    """A list in a manifest; empty where there is none, or nobody can read it."""
    try:
        found = json.loads(manifest.read_bytes()).get(name, [])
        return [entry for entry in found if {"path", "to"} <= set(entry)]
    except (OSError, ValueError, TypeError, AttributeError):
        return []


def _inside(relative: str) -> bool:
    path = PurePosixPath(relative)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts


def _inside_really(target: Path, base: Path) -> bool:
    return target.parent.resolve().is_relative_to(base.resolve())


def _write(place: Path | Free, data: bytes) -> Path:
    path = place.path if isinstance(place, Free) else place
    try:
        if isinstance(place, Free):
            path = free_path(path, sha256(data).hexdigest())
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as file:
            file.write(data)
    except OSError as error:
        raise ResultError(
            f"{path} cannot be written: {error.strerror}; name another file with --output "
            "(the job keeps its results, and fetch brings them)"
        ) from error
    return path


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    mode = source.stat().st_mode & 0o777 | 0o200
    with source.open("rb") as read, replacing(target, mode) as write:
        shutil.copyfileobj(read, write, 1 << 20)
