"""Job records, in one SQLite file and, for the day it is lost, one small file each."""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import Conflict, StoreError, UnknownJob, UsageError
from ..files import replacing
from ..job import TRANSITIONS, Job, State
from .database import Database, damaged, folded
from .queries import queries

log = logging.getLogger(__name__)

FILE_NAME = "jobs.sqlite"
RECORDS = "records"
#: Fewer characters of an id's end are more likely a mistake than a name.
SHORTEST_END = 4
_UNFINISHED = tuple(state for state in State if TRANSITIONS[state])


class Store:
    """This user's job records. Safe with several processes and threads at once."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / FILE_NAME
        self._records = directory / RECORDS
        self._database = Database(self.path, self._restore)

    @classmethod
    def open(cls, directory: Path) -> Store:
        """The store in this directory; it is made, or made again, when it is first used."""
        return cls(directory)

    def add(self, job: Job) -> Job:
        """Remember a new job; the one that the same submit has made before, where there is one.

        Raises ``StoreError``, or ``UnknownJob`` if it was deleted.
        """
        copied = False
        try:
            with self._database.writing() as connection:
                if connection.execute(queries()["was_deleted"], {"id": job.id}).fetchone():
                    raise UnknownJob(f"job {job.id} was deleted; submit it again")
                connection.execute(queries()["insert_job"], _row(job))
                copied = self._copy(job)
        except StoreError:
            if copied:
                # it never was: on the day that the store is made again, it must not come back
                self._record(job.id).unlink(missing_ok=True)
            raise
        except sqlite3.IntegrityError as error:
            known = self.submitted(job.submit_key)
            if known is not None:
                return known
            raise StoreError(f"the store {self.path} has a job {job.id} already") from error
        return job

    def save(self, job: Job) -> Job:
        """Replace the record if nobody else has since it was read; raises ``Conflict``."""
        with self._database.writing() as connection:
            saved = connection.execute(queries()["save_job"], _row(job)).rowcount
            if saved:
                job = replace(job, revision=job.revision + 1)
                self._copy(job)
        if not saved:
            self.get(job.id)
            raise Conflict(f"job {job.id} was changed by another process meanwhile")
        return job

    def get(self, job_id: str) -> Job:
        """The job with exactly this id; raises ``UnknownJob``."""
        found = self._jobs("select_job", {"id": job_id})
        if not found:
            raise UnknownJob(f"there is no job {job_id!r}; 'jupyter hybrid jobs' lists them")
        return found[0]

    def submitted(self, submit_key: str) -> Job | None:
        """The job that the submit with this key has made; None where there is none."""
        found = self._jobs("submitted_job", {"submit_key": submit_key})
        return found[0] if found else None

    @property
    def is_lost(self) -> bool:
        """True where there are only the jobs' own records, of which the next use makes it again."""
        return not self.path.exists() and any(self._records.glob("*.json"))

    def newest(self) -> str:
        """The id of the newest job, or "" where there is none."""
        with self._database.reading() as connection:
            row = connection.execute(queries()["last_job"]).fetchone()
        return row[0] if row is not None else ""

    def find(self, name: str) -> Job:
        """The job whose id begins so or ends so, or the newest for ``last``.

        Raises ``UnknownJob``, or ``UsageError`` where several ids do.
        """
        name = name.strip().lower()
        if not name:
            # an unset variable of a shell script must not mean "the only job there is"
            raise UsageError("the name of the job is empty; write an id, or 'last'")
        how, found, newest = self._database.read(lambda connection: _named(connection, name))
        if len(found) == 1:
            return self.get(found[0])
        if found:
            names = " and ".join(found)
            raise UsageError(f"several jobs {how} with {name!r}: {names}; write more of the id")
        known = ", ".join(newest)
        hint = f"the newest are {known}" if known else "there is none yet"
        raise UnknownJob(f"there is no job {name!r}; {hint}")

    def jobs(
        self,
        *,
        states: Iterable[State] | None = None,
        target: str | None = None,
        text: str | None = None,
        notebook: str | None = None,
        before: str | int | None = None,
        limit: int = -1,
    ) -> list[Job]:
        """Jobs, newest first: in these states, on this target, with this text in their name (in
        upper or lower case, full or half width), of the notebook with this absolute path.

        ``before`` and ``limit`` page: give the id of the last job seen, or how many to pass over.
        """
        values = {
            "states": None if states is None else json.dumps([state.value for state in states]),
            "target": target,
            "text": text and folded(_text(text)),
            "notebook": notebook and _text(notebook),
            "before": before if isinstance(before, str) else None,
            "offset": before if isinstance(before, int) else 0,
            "limit": limit,
        }
        return self._jobs("list_jobs", values)

    def counts(
        self, *, target: str | None = None, text: str | None = None, notebook: str | None = None
    ) -> dict[State, int]:
        """How many of these jobs there are in each state; filters as ``jobs``."""
        values = {
            "target": target,
            "text": text and folded(_text(text)),
            "notebook": notebook and _text(notebook),
        }
        with self._database.reading() as connection:
            rows = connection.execute(queries()["count_jobs"], values)
            return {State(state): number for state, number in rows}

    def revisions(self) -> dict[str, int]:
        """The revision of every job, by its id: what differs from last time has changed."""
        with self._database.reading() as connection:
            return dict(connection.execute(queries()["all_revisions"]))

    def unfinished(self) -> list[Job]:
        """Jobs that have not reached a final state."""
        values = {"states": json.dumps([state.value for state in _UNFINISHED])}
        return self._jobs("unfinished_jobs", values)

    def _jobs(self, query: str, values: Mapping[str, Any]) -> list[Job]:
        return self._database.read(
            lambda connection: [_job(row) for row in connection.execute(queries()[query], values)]
        )

    def delete(self, job_id: str) -> None:
        """Forget the job, for good; one that is not known is forgotten already."""
        with self._database.writing() as connection:
            connection.execute(queries()["delete_job"], {"id": job_id})
            connection.execute(queries()["note_deleted"], {"id": job_id})
        self._record(job_id).unlink(missing_ok=True)

    def _record(self, job_id: str) -> Path:
        return self._records / f"{job_id}.json"

    def _copy(self, job: Job) -> bool:
        """Keep the record as a file as well; the database is the one that counts. False: it is not.

        Called within a write of the database, so that no older record replaces a newer one.
        """
        try:
            self._records.mkdir(mode=0o700, exist_ok=True)
            with replacing(self._record(job.id), 0o600) as file:
                file.write(_document(job).encode("ascii"))
        except OSError as error:
            log.warning("no copy of job %s is kept in %s: %s", job.id, self._records, error)
            return False
        return True

    def _restore(self, connection: sqlite3.Connection) -> None:
        keys: set[str] = set()
        # the newest first: of two by one submit, the older one was refused
        for path in sorted(self._records.glob("*.json"), reverse=True):
            try:
                job = Job.from_json(json.loads(path.read_bytes()))
            except (OSError, ValueError, TypeError, KeyError) as error:
                log.warning("%s is not a job's record and is passed over: %s", path, error)
                continue
            job = replace(job, submit_key="") if job.submit_key in keys else job
            keys.add(job.submit_key)
            connection.execute(queries()["restore_job"], _row(job))


def _document(job: Job) -> str:
    # ASCII: file names that are not Unicode survive as escapes
    return json.dumps(job.to_json(), ensure_ascii=True, separators=(",", ":"))


def _text(value: str) -> str:
    """The text as SQLite takes it: half characters of odd file names become question marks."""
    return value.encode("utf-8", "replace").decode("utf-8")


def _row(job: Job) -> Mapping[str, Any]:
    return {
        "id": job.id,
        "state": job.state.value,
        "target": job.spec.target,
        "name": _text(job.spec.name),
        "notebook": job.spec.notebook_path and _text(job.spec.notebook_path),
        "created_at": job.created_at,
        "submit_key": _text(job.submit_key) or None,
        "revision": job.revision,
        "record": _document(job),
    }


def _named(connection: sqlite3.Connection, name: str) -> tuple[str, list[str], list[str]]:
    """How ids match the name, which do, and the newest ones."""

    def ask(query: str, **values: str) -> list[str]:
        return [row[0] for row in connection.execute(queries()[query], values)]

    how = "begin"
    found = ask("last_job") if name == "last" else ask("find_jobs", prefix=name)
    if not found and len(name) >= SHORTEST_END:
        how, found = "end", ask("find_jobs_by_end", ending=name)
    return how, found, ask("similar_jobs")


def _job(row: tuple[str, int]) -> Job:
    try:
        record = json.loads(row[0])
    except json.JSONDecodeError as error:
        raise damaged("a job's record") from error
    return replace(Job.from_json(record), revision=row[1])
