"""What Slurm's commands print, read: ``squeue``, ``sacct``, ``sinfo``, ``sbatch``. Pure.

Formats of our own and not ``--json``: they are the same from Slurm 20.11 to 25, and a thirtieth of
the size (a job takes ten kilobytes of JSON, asked for every few seconds).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

#: With this variable the commands print times as seconds since the epoch.
ENVIRONMENT = {"SLURM_TIME_FORMAT": "%s", "LC_ALL": "C.UTF-8"}
#: squeue's format, the job's name last: it may hold anything.
QUEUE_FORMAT = "%i|%T|%P|%S|%e|%l|%Q|%N|%r|%j"
#: Format of all waiting jobs, to count those that are ahead.
AHEAD_FORMAT = "%P|%Q|%i"
#: sacct's columns.
ACCOUNT_FORMAT = "JobID,State,ExitCode,Start,End,TimelimitRaw,NodeList,JobName"
#: sinfo's columns with their widths.
NODE_COLUMNS = {
    "Partition": 64, "NodeHost": 64, "StateLong": 24, "CPUsState": 32, "Memory": 16,
    "AllocMem": 16, "Time": 24, "DefaultTime": 24, "GresUsed": 256, "Gres": 256, "Features": 128,
}  # fmt: skip
NODE_FORMAT = ",".join(f"{name}:{width}" for name, width in NODE_COLUMNS.items())


@dataclass(frozen=True)
class Row:
    """One job, by squeue or sacct."""

    #: Slurm's number.
    id: str
    #: Slurm's word: PENDING, RUNNING, OUT_OF_MEMORY, …
    state: str
    name: str
    partition: str = ""
    #: When it began, or is expected to; seconds since the epoch by the cluster's clock.
    start: float | None = None
    #: When it ended, or will at the latest.
    end: float | None = None
    #: Seconds of wall time.
    limit: float | None = None
    priority: int = 0
    nodes: str = ""
    #: Slurm's word for why it waits, or for how it ended.
    reason: str = ""
    #: Exit status and signal of the batch script.
    code: int = 0
    signal: int = 0

    @property
    def seconds(self) -> float | None:
        """For how long a job that has ended ran; None where that is not known."""
        return None if self.start is None or self.end is None else max(0.0, self.end - self.start)


@dataclass(frozen=True)
class Node:
    """One node in one partition."""

    partition: str
    default: bool
    name: str
    state: str
    cpus: int
    cpus_idle: int
    #: Bytes, all and free of allocations.
    mem: int
    mem_free: int
    #: Longest wall time in seconds; None: no limit.
    limit: float | None
    #: GPUs by type (``""`` where it has none), all and in use.
    gpus: Mapping[str, int]
    gpus_used: Mapping[str, int]
    features: tuple[str, ...] = ()

    @property
    def usable(self) -> bool:
        """Whether jobs may start on it today."""
        return re.match(r"idle|mixed|allocated|completing", self.state) is not None


def parse_queue(text: str) -> list[Row]:
    """Read ``squeue --noheader --format=QUEUE_FORMAT``; lines that are none are passed over."""
    rows = []
    for line in text.splitlines():
        fields = line.split("|", 9)
        if len(fields) < 10 or not fields[0][:1].isdigit():
            continue
        job, state, partition, start, end, limit, priority, nodes, reason, name = fields
        rows.append(
            Row(
                job,
                state,
                name,
                partition,
                parse_time(start),
                parse_time(end),
                limit=parse_limit(limit),
                priority=_number(priority),
                nodes=nodes,
                reason="" if reason in ("None", "(null)") else reason,
            )
        )
    return rows


def parse_ahead(text: str) -> list[tuple[str, int, int]]:
    """Partition, priority and number of every waiting job, from ``AHEAD_FORMAT``."""
    found = []
    for line in text.splitlines():
        fields = line.split("|")
        if len(fields) == 3 and fields[2][:1].isdigit():
            number = _number(re.split(r"\D", fields[2])[0])
            found += [(name, _number(fields[1]), number) for name in fields[0].split(",")]
    return found


def parse_accounts(text: str) -> list[Row]:
    """Read ``sacct -X --noheader --parsable2 --format=ACCOUNT_FORMAT``."""
    rows = []
    for line in text.splitlines():
        fields = line.split("|", 7)
        if len(fields) < 8 or not fields[0][:1].isdigit():
            continue
        job, state, code, start, end, limit, nodes, name = fields
        status, _, number = code.partition(":")
        # "CANCELLED by 1000"
        word, _, reason = state.partition(" ")
        rows.append(
            Row(
                job,
                word.rstrip("+"),
                name,
                start=parse_time(start),
                end=parse_time(end),
                limit=60.0 * int(limit) if limit.isdigit() else None,
                nodes="" if nodes.startswith("None") else nodes,
                reason=reason,
                code=_number(status),
                signal=_number(number),
            )
        )
    return rows


def parse_nodes(text: str) -> list[Node]:
    """Read ``sinfo --noheader --Node --Format=NODE_FORMAT``, whose columns have fixed widths."""
    nodes = []
    for line in text.splitlines():
        values, start = {}, 0
        for column, width in NODE_COLUMNS.items():
            values[column] = line[start : start + width].strip()
            start += width
        cpus = values["CPUsState"].split("/")
        if len(cpus) != 4 or not values["Partition"]:
            continue
        mem = _number(values["Memory"]) << 20
        nodes.append(
            Node(
                partition=values["Partition"].rstrip("*"),
                default=values["Partition"].endswith("*"),
                name=values["NodeHost"],
                # drained*: the star says that it does not answer
                state=values["StateLong"],
                cpus=_number(cpus[3]),
                cpus_idle=_number(cpus[1]),
                mem=mem,
                mem_free=mem - (_number(values["AllocMem"]) << 20),
                limit=parse_limit(values["Time"]),
                gpus=parse_gres(values["Gres"]),
                gpus_used=parse_gres(values["GresUsed"]),
                features=tuple(f for f in values["Features"].split(",") if f != "(null)"),
            )
        )
    return nodes


def parse_gres(text: str) -> dict[str, int]:
    """GPUs by type in ``gpu:v100:2(S:0-1),gpu:a100:4(IDX:0-3),nvme:1``."""
    found: dict[str, int] = {}
    for item in re.sub(r"\([^)]*\)", "", text).split(","):
        fields = item.strip().split(":")
        if fields[0] != "gpu":
            continue
        kind = fields[1] if len(fields) > 2 else ""
        if len(fields) == 2 and not fields[1].isdigit():
            kind, fields = fields[1], [*fields, "1"]
        found[kind] = found.get(kind, 0) + _number(fields[-1])
    return found


def parse_submitted(text: str) -> str | None:
    """The job's number in what ``sbatch --parsable`` printed, among a site's own words.

    Or in our record of it, where one in an array is ``4711_3``.
    """
    for line in text.splitlines():
        if match := re.fullmatch(r"\s*(\d+(?:_\d+)?)(?:;\S+)?\s*", line):
            return match.group(1)
    # a wrapper of the site's that does not hand the option on
    match = re.search(r"Submitted batch job (\d+)", text)
    return match.group(1) if match else None


def parse_array(text: str) -> str | None:
    """The number of an array in a list of its jobs: ``4711`` or ``4711_3`` in each line."""
    match = re.search(r"^\s*(\d+)", text, re.MULTILINE)
    return match.group(1) if match else None


def parse_time(text: str) -> float | None:
    """Seconds since the epoch; None for N/A, None and Unknown."""
    return float(text) if text.isdigit() else None


def parse_limit(text: str) -> float | None:
    """Seconds in ``10:00``, ``2:30:00``, ``1-00:00:00``; None for UNLIMITED and the like."""
    match = re.fullmatch(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)", text.strip())
    if match is None:
        return None
    days, hours, minutes, seconds = (int(group or 0) for group in match.groups())
    return 86400.0 * days + 3600.0 * hours + 60.0 * minutes + seconds


def _number(text: str) -> int:
    match = re.match(r"\d+", text.strip())
    return int(match.group()) if match else 0
