"""Every file name that both sides of the wire know, in one place.

A *root* is a directory a place keeps for us; below it ``blobs/`` is the content-addressed store
and ``jobs/ID/`` the directory of one job. Python 3.8, standard library only.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath


@dataclass(frozen=True)
class JobPaths:
    """The files of one job below its directory."""

    directory: Path

    @property
    def spec(self) -> Path:
        """What was asked for (``JobSpec`` as JSON), written before the job exists anywhere."""
        return self.directory / "spec.json"

    @property
    def files(self) -> Path:
        """The file manifest: what is laid out in the work directory before the first cell."""
        return self.directory / "files.json"

    @property
    def notebook(self) -> Path:
        """The notebook to execute."""
        return self.directory / "notebook.ipynb"

    @property
    def environment(self) -> Path:
        """What the notebook needs of other people's packages, where it runs in an image."""
        return self.directory / "environment.json"

    @property
    def inputs(self) -> Path:
        """Directory of the variables that travel in."""
        return self.directory / "inputs"

    @property
    def outputs(self) -> Path:
        """Directory of the variables that travel back."""
        return self.directory / "outputs"

    @property
    def key(self) -> Path:
        """The job's own key (0600), with which the runner vouches for what travels back."""
        return self.directory / "key"

    @property
    def work(self) -> Path:
        """The work directory: where the kernel starts and the user's files are."""
        return self.directory / "work"

    @property
    def runtime(self) -> Path:
        """Writable directory for HOME, IPYTHONDIR and the like, where the real ones are not."""
        return self.directory / "runtime"

    @property
    def claim(self) -> Path:
        """Who runs the job: host, pid, start time. Created exclusively: a job runs at most once."""
        return self.directory / "runner.json"

    @property
    def events(self) -> Path:
        """One JSON line per event, appended and never rewritten."""
        return self.directory / "events.jsonl"

    @property
    def event_blobs(self) -> Path:
        """Directory of the outputs that are too large for an event line, by sha256."""
        return self.directory / "event-blobs"

    @property
    def log(self) -> Path:
        """Standard output and error of the runner itself."""
        return self.directory / "runner.log"

    def rank(self, number: int) -> JobPaths:
        """The files of one process of a job of several; those of rank 0 are the job's."""
        return JobPaths(self.directory / "ranks" / str(number)) if number else self

    @property
    def result(self) -> Path:
        """The executed notebook."""
        return self.directory / "result.ipynb"

    @property
    def changes(self) -> Path:
        """The manifest of files that are new or changed in the work directory."""
        return self.directory / "changes.json"

    @property
    def cancel(self) -> Path:
        """Exists once somebody asked for the job to end."""
        return self.directory / "cancel"

    @property
    def exit(self) -> Path:
        """The exit record: written last, by rename. A job that has one has ended."""
        return self.directory / "exit.json"


def job_directory(root: Path, job_id: str) -> Path:
    """Where a root keeps the job."""
    return root / "jobs" / job_id


def blob_directory(root: Path) -> Path:
    """Where a root keeps content-addressed blobs."""
    return root / "blobs"


def blob_path(blobs: Path, digest: str) -> Path:
    """Where the blob with this sha256 (64 hex digits) is or would be."""
    return blobs / digest[:2] / digest


def leads_inside(relative: str, to: str) -> bool:
    """Whether a symbolic link at this path stays in its directory, by its text alone."""
    depth = 0
    for part in (PurePosixPath(relative).parent / to).parts:
        depth += -1 if part == ".." else 1
        if depth < 0:
            return False
    return not PurePosixPath(to).is_absolute()
