"""Slurm's queue, asked for all jobs at once and not more often than its controller bears."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from ...errors import PlaceError
from ...job import Job
from ...transport import Completed, Transport
from . import listing
from .listing import Node, Row
from .qos import ASSOCIATION_FORMAT, QOS_FORMAT, Qualities, parse_qualities
from .script import array_name, job_id, job_name
from .words import ENDS, WAITING

#: Seconds for which an answer of squeue is good, and how much longer than squeue itself took.
FRESH, SLOWER = 2.0, 10.0
#: Seconds for which what sinfo and the count of jobs ahead said is good.
NODES_FRESH, AHEAD_FRESH = 30.0, 10.0
#: Seconds for which it is good what accounting said of the QOS there are, which seldom change.
QOS_FRESH = 600.0
#: Seconds that accounting may take over it: a job does without.
QOS_PATIENCE = 5.0
#: Seconds that a command may take.
PATIENCE = 30.0
#: Seconds for which a connection that broke is made anew before hardware is refused.
RECONNECT = 10.0
#: Seconds that a record of accounting may come after the job's end.
LATE = 60.0


@dataclass
class Snapshot:
    """What squeue said, by the job's own id."""

    rows: dict[str, Row] = field(default_factory=dict)
    #: Monotonic time at which it was asked.
    at: float = float("-inf")
    #: Seconds that the answer took.
    took: float = 0.0

    def age(self) -> float:
        """Seconds since it was asked."""
        return time.monotonic() - self.at


class Queue:
    """The jobs of one user on one cluster."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._snapshot = Snapshot()
        self._nodes: tuple[float, list[Node]] = (float("-inf"), [])
        self._in_use: tuple[float, str] = (float("-inf"), "")
        self._qos: tuple[float, Qualities] = (float("-inf"), Qualities())
        self._ahead: tuple[float, list[tuple[str, int, int]]] = (float("-inf"), [])
        self._accounts: dict[str, tuple[float, Row | None]] = {}
        #: Why accounting could not say what became of a job that has left the queue.
        self._unsure: dict[str, PlaceError] = {}
        #: False once sacct said that nothing is accounted for.
        self._accounting = True
        self._turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = (
            WeakKeyDictionary()
        )
        #: Commands run so far, which are what a controller feels.
        self.commands = 0

    def _turn(self) -> asyncio.Lock:
        return self._turns.setdefault(asyncio.get_running_loop(), asyncio.Lock())

    async def command(
        self, *argv: str, timeout: float | None = None, patience: float = 0.0
    ) -> Completed:
        """Run one of Slurm's commands; raises ``PlaceError`` where it hangs or is not there."""
        self.commands += 1
        timeout = PATIENCE if timeout is None else timeout
        done = await self._transport.run(
            argv, timeout=timeout, env=listing.ENVIRONMENT, patience=patience
        )
        host = self._transport.host
        if done.code is None:
            raise PlaceError(
                f"{argv[0]} on {host} did not answer for {timeout:g} seconds; it is tried again",
                transient=True,
            )
        if done.code == 127:
            raise PlaceError(
                f"{host} has no {argv[0]} ({done.stderr.strip()}); is it a login node of Slurm?"
            )
        return done

    async def _asked(self, *argv: str, patience: float = 0.0) -> str:
        return self._said(argv[0], await self.command(*argv, patience=patience))

    def _said(self, program: str, done: Completed) -> str:
        if done.code != 0:
            said = (done.stderr.strip().splitlines() or ["without a word"])[-1]
            raise PlaceError(f"{program} on {self._transport.host}: {said}", transient=True)
        return done.stdout.decode("utf-8", "replace")

    # -- jobs -----------------------------------------------------------------------------------

    async def rows(
        self,
        jobs: Sequence[Job],
        arrays: Mapping[str, str | None] | None = None,
        *,
        since: float | None = None,
    ) -> dict[str, Row]:
        """What Slurm says of these jobs, by their own ids; those it does not know are left out.

        ``arrays`` are the places of those that are in arrays (``ID_TASK``), by their ids. One
        squeue for all, and one sacct for those that it does not have. ``since``: an answer from
        before that monotonic time is none.
        """
        keys = {job.id: (arrays or {}).get(job.id) or job.id for job in jobs}
        async with self._turn():
            await self._refresh(keys, since)
            rows = self._snapshot.rows
            found = {job: rows[key] for job, key in keys.items() if key in rows}
            gone = [job for job in jobs if job.id not in found]
            if gone:
                found.update(await self._account(gone, keys))
            return found

    async def array(self, array: str) -> str | None:
        """Slurm's number for an array of jobs; None where it does not know it."""
        text = await self._asked(
            "squeue", "--noheader", "--states=all", f"--name={array_name(array)}", "--format=%F"
        )
        if not text.strip() and self._accounting:
            done = await self.command(
                "sacct", "--allocations", "--noheader", "--parsable2", "--starttime=now-30days",
                f"--name={array_name(array)}", "--format=JobID",
            )  # fmt: skip
            text = done.stdout.decode("utf-8", "replace")
        return listing.parse_array(text)

    async def _refresh(self, keys: Mapping[str, str], since: float | None) -> None:
        if self._is_good(keys, since):
            return
        began = time.monotonic()
        user = (await self._transport.channel()).hello["user"]
        text = await self._asked(
            "squeue", "--noheader", "--array", "--states=all", f"--user={user}",
            f"--format={listing.QUEUE_FORMAT}",
        )  # fmt: skip
        rows = _by_job(listing.parse_queue(text))
        self._snapshot = Snapshot(rows, began, time.monotonic() - began)

    def _is_good(self, keys: Mapping[str, str], since: float | None) -> bool:
        """Whether Slurm's last answer is one for these jobs."""
        snapshot = self._snapshot
        if since is not None and snapshot.at < since:
            return False
        # a job may be newer than the answer
        unknown = any(key not in snapshot.rows for key in keys.values())
        bearable = max(FRESH, SLOWER * snapshot.took)
        return snapshot.age() < (min(bearable, 0.5 + snapshot.took) if unknown else bearable)

    async def _account(self, jobs: Sequence[Job], keys: Mapping[str, str]) -> dict[str, Row]:
        """What accounting has of jobs that have left the queue."""
        if not self._accounting:
            return {}
        now = time.monotonic()
        asked = [job for job in jobs if now - self._accounts.get(job.id, (-LATE, None))[0] > FRESH]
        if asked:
            try:
                rows = _by_job(await self._accounted(asked, keys))
                for job in asked:
                    self._accounts[job.id] = (now, rows.get(keys[job.id]))
                    self._unsure.pop(job.id, None)
            except PlaceError as error:
                self._unsure.update((job.id, error) for job in asked)
        kept = {job.id: self._accounts.get(job.id, (0.0, None))[1] for job in jobs}
        return {name: row for name, row in kept.items() if row is not None}

    async def _accounted(self, jobs: Sequence[Job], keys: Mapping[str, str]) -> list[Row]:
        names = ",".join(dict.fromkeys(_name(job, keys[job.id]) for job in jobs))
        since = time.strftime(
            "%Y-%m-%dT%H:%M:%S", time.gmtime(min(job.created_at for job in jobs) - 86400)
        )
        done = await self.command(
            "sacct", "--allocations", "--noheader", "--parsable2", f"--name={names}",
            f"--starttime={since}", f"--format={listing.ACCOUNT_FORMAT}",
        )  # fmt: skip
        if done.code != 0 and "accounting storage is disabled" in done.stderr:
            self._accounting = False
            return []
        return listing.parse_accounts(self._said("sacct", done))

    def late(self, job: Job) -> float:
        """Seconds for which accounting may still hear of a job that Slurm does not know.

        Raises ``PlaceError`` where it could not be asked.
        """
        if not self._accounting:
            return 0.0
        if (error := self._unsure.get(job.id)) is not None:
            raise error
        return LATE

    def forget(self) -> None:
        """The next question is answered by Slurm and not from memory."""
        self._snapshot.at = float("-inf")
        self._in_use = (float("-inf"), "")
        self._nodes, self._qos = (float("-inf"), []), (float("-inf"), Qualities())

    async def ahead(self, row: Row) -> int | None:
        """How many jobs of its partition are before this one; None where that is not known."""
        if row.state not in WAITING or row.reason.strip("()") not in ("Priority", "Resources"):
            return None
        at, waiting = self._ahead
        if time.monotonic() - at > AHEAD_FRESH:
            try:
                text = await self._asked(
                    "squeue", "--noheader", "--states=PENDING", f"--partition={row.partition}",
                    f"--format={listing.AHEAD_FORMAT}",
                )  # fmt: skip
            except PlaceError:
                return None
            waiting = listing.parse_ahead(text)
            self._ahead = (time.monotonic(), waiting)
        own = (-row.priority, int(row.id.partition("_")[0]))
        partitions = row.partition.split(",")
        return sum(
            (-priority, number) < own
            for partition, priority, number in waiting
            if partition in partitions
        )

    async def waiting(self, partition: str) -> int | None:
        """How many jobs wait in the partition, those of others as well; None where nobody tells."""
        try:
            text = await self._asked(
                "squeue", "--noheader", "--states=PENDING", f"--partition={partition}",
                "--format=%i",
            )  # fmt: skip
        except PlaceError:
            return None
        return sum(line[:1].isdigit() for line in text.splitlines())

    # -- nodes ----------------------------------------------------------------------------------

    async def nodes(self, fresh: float = NODES_FRESH) -> list[Node]:
        """All nodes that the user sees, once in each of their partitions.

        The answer is at most ``fresh`` seconds old.
        """
        at, nodes = self._nodes
        if time.monotonic() - at > fresh:
            text = await self._asked(
                "sinfo", "--noheader", "--Node", f"--Format={listing.NODE_FORMAT}",
                patience=RECONNECT,
            )  # fmt: skip
            nodes = listing.parse_nodes(text)
            self._nodes = (time.monotonic(), nodes)
        return nodes

    async def in_use(self, fresh: float = NODES_FRESH) -> str:
        """What is in use of what accounts and QOS allow; "" where Slurm tells nobody."""
        at, text = self._in_use
        if time.monotonic() - at > fresh:
            user = (await self._transport.channel(RECONNECT)).hello["user"]
            done = await self.command(
                "scontrol", "--oneliner", "show", "assoc_mgr", f"users={user}", "flags=assoc,qos",
                patience=RECONNECT,
            )  # fmt: skip
            text = done.stdout.decode("utf-8", "replace")
            self._in_use = (time.monotonic(), text)
        return text

    async def qos(self) -> Qualities:
        """The QOS of the user's accounts and of partitions; none where there is no accounting."""
        at, known = self._qos
        if time.monotonic() - at > QOS_FRESH:
            user = (await self._transport.channel(RECONNECT)).hello["user"]
            asks = ["sacctmgr", "--noheader", "--parsable2", "show"]
            asked = (
                (*asks, "associations", f"user={user}", f"format={ASSOCIATION_FORMAT}"),
                (*asks, "qos", f"format={QOS_FORMAT}"),
                ("scontrol", "--oneliner", "show", "partitions"),
            )
            said = await asyncio.gather(
                *(self.command(*argv, timeout=QOS_PATIENCE) for argv in asked),
                return_exceptions=True,
            )
            texts = [
                "" if isinstance(done, BaseException) else done.stdout.decode("utf-8", "replace")
                for done in said
            ]
            known = parse_qualities(*texts)
            self._qos = (time.monotonic(), known)
        return known


def _by_job(rows: Sequence[Row]) -> dict[str, Row]:
    """The rows by the ids of their jobs.

    A job is in the queue twice where sbatch said that it had failed and the controller took it all
    the same. Then the one that began first runs it, and the other fails.
    """
    return {_key(row): row for row in sorted(rows, key=_precedence)}


def _precedence(row: Row) -> tuple[int, float]:
    """Higher for the row that tells how its job is."""
    alive = 0 if row.state in ENDS else 1 if row.state in WAITING else 2
    return alive, -math.inf if row.start is None else -row.start


def _key(row: Row) -> str:
    """The id of the job in the row, or its place in an array."""
    task = row.id.partition("_")[2]
    name = job_id(row.name)
    return f"{name}_{task}" if task and row.name == array_name(name) else name


def _name(job: Job, key: str) -> str:
    """The job's name in Slurm's queue."""
    return job_name(job) if key == job.id else array_name(key.partition("_")[0])
