"""What travelled with a job, and what it made: names and sizes, without contents."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .bundle import FileEntry, parse_manifest
from .errors import BundleError, ResultError
from .paths import JobPaths
from .results import changed_files, sent_digests
from .tailing import read_all

if TYPE_CHECKING:
    from .executors.base import Executor
    from .job import Job


@dataclass(frozen=True)
class MadeFile:
    """A file that a job made or changed."""

    #: Relative to the work directory, ``/`` between names.
    path: str
    size: int
    #: True where nothing with this name travelled with the job.
    new: bool


@dataclass(frozen=True)
class Made:
    """What is there to be brought back."""

    #: Sorted by path.
    files: tuple[MadeFile, ...]
    #: Inputs that the job deleted.
    deleted: tuple[str, ...]


async def sent_files(executor: Executor, job: Job) -> tuple[FileEntry, ...]:
    """The files that travelled with a job, running or ended; raises ``PlaceError``."""
    content = await read_all(executor, job, JobPaths(Path()).files.name)
    try:
        return parse_manifest(content)[0] if content else ()
    except BundleError as error:
        raise ResultError(f"what travelled with job {job.id} cannot be read: {error}") from error


def made_files(directory: Path) -> Made:
    """What the job whose results are in ``directory`` made, changed and deleted."""
    paths = JobPaths(directory)
    sent = sent_digests(paths)
    deleted: list[str] = []
    files = []
    for relative in changed_files(paths, sent, deleted):
        try:
            size = made_file(directory, relative).stat().st_size
        except (ResultError, OSError):
            # listed by the runner, and gone or no file by now
            continue
        files.append(MadeFile(relative, size, relative not in sent))
    return Made(tuple(sorted(files, key=lambda file: file.path)), tuple(deleted))


def made_file(directory: Path, relative: str) -> Path:
    """The path of one regular file below the job's work directory; raises ``ResultError``."""
    work = JobPaths(directory).work
    path = work / relative
    try:
        inside = path.resolve().is_relative_to(work.resolve())
        if inside and ".." not in Path(relative).parts and path.is_file() and not path.is_symlink():
            return path
    except (OSError, ValueError, RuntimeError):
        # no path at all, or links that lead in circles
        pass
    raise ResultError(f"the job has no file {relative!r}; the list of its results has the names")
