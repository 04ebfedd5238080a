"""Quality of service: what Slurm's rules by that name allow, and what is in use of it. Pure.

A QOS has limits of its own for a job, for each user, for each account, and for all who use it. What
it limits, the user's association does not (Slurm: Resource Limits, "Hierarchy").
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from .listing import parse_limit

#: What ``sacctmgr --noheader --parsable2 show qos`` is asked for, in this order.
QOS_FORMAT = "Name,MaxTRES,MaxWall,MaxTRESPU,MaxJobsPU,MaxTRESPA,MaxJobsPA,GrpTRES,GrpJobs"
#: What ``sacctmgr … show associations`` is asked for.
ASSOCIATION_FORMAT = "Account,Partition,DefaultQOS,QOS"
#: The QOS of who has no other.
NORMAL = "normal"
_UNITS = {"": 1 << 20, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40, "P": 1 << 50}

#: Limits and what is used, by Slurm's names of what is counted; ``mem`` in bytes.
Counts = Mapping[str, tuple[int, int]]


@dataclass(frozen=True)
class Qos:
    """One QOS."""

    name: str
    each_job: Mapping[str, int] = field(default_factory=dict)
    #: Seconds of wall time.
    longest: float | None = None
    #: For each user, for each account and for all; ``jobs`` is counted like the others.
    user: Counts = field(default_factory=dict)
    account: Counts = field(default_factory=dict)
    everybody: Counts = field(default_factory=dict)


@dataclass(frozen=True)
class Rights:
    """Which QOS a user has with an account."""

    account: str
    partition: str
    #: Empty where it is not said.
    default: str
    allowed: tuple[str, ...]


def counts(text: str) -> dict[str, int]:
    """``cpu=6,gres/gpu=2,mem=8G`` as numbers; N (no limit) is left out."""
    found = {}
    for name, limit, unit in re.findall(r"([\w/:.-]+)=(\d+)([KMGTP]?)", text):
        found[name] = int(limit) * (_UNITS[unit] if name == "mem" else 1)
    return found


def used(text: str) -> dict[str, int]:
    """What is in use, of ``cpu=6(2),mem=N(1000)``, where memory is in megabytes."""
    return {
        name: int(number) * ((1 << 20) if name == "mem" else 1)
        for name, number in re.findall(r"([\w/:.-]+)=\w+\((\d+)\)", text)
    }


def parse_rights(text: str) -> list[Rights]:
    """Read ``sacctmgr --noheader --parsable2 show associations`` in ``ASSOCIATION_FORMAT``."""
    found = []
    for line in text.splitlines():
        if line.count("|") == 3:
            account, partition, default, allowed = line.split("|")
            names = tuple(name for name in allowed.split(",") if name)
            found.append(Rights(account, partition, default, names))
    return found


def parse_qos(text: str) -> dict[str, Qos]:
    """Read ``sacctmgr --noheader --parsable2 show qos`` in ``QOS_FORMAT``; what is in use is 0."""
    found = {}
    for line in text.splitlines():
        if line.count("|") != QOS_FORMAT.count(","):
            continue
        name, job, wall, user, jobs, account, account_jobs, everybody, all_jobs = line.split("|")
        found[name] = Qos(
            name,
            counts(job),
            parse_limit(wall),
            _unused(user, jobs),
            _unused(account, account_jobs),
            _unused(everybody, all_jobs),
        )
    return found


def _unused(tres: str, jobs: str) -> Counts:
    limits = counts(tres) | ({"jobs": int(jobs)} if jobs.isdigit() else {})
    return {name: (limit, 0) for name, limit in limits.items()}


def with_use(qos: Qos, text: str, user: str, account: str) -> Qos:
    """With what is in use, from ``scontrol --oneliner show assoc_mgr flags=qos``.

    It tells of users and accounts only once they have had a job in the QOS.
    """
    line = re.search(rf"^QOS={re.escape(qos.name)}\(.*", text, re.MULTILINE)
    if line is None:
        return qos
    head, _, rest = line.group().partition(" Account Limits=")
    accounts, _, users = rest.partition(" User Limits=")
    return replace(
        qos,
        user=_in_use(qos.user, _block(users, rf"{re.escape(user)}\(\d+\)"), "PU"),
        account=_in_use(qos.account, _block(accounts, re.escape(account)), "PA"),
        everybody=_in_use(qos.everybody, head, ""),
    )


def _block(text: str, name: str) -> str:
    match = re.search(rf"(?:^|\s){name}=\{{([^}}]*)\}}", text)
    return match.group(1) if match else ""


def _in_use(limits: Counts, text: str, kind: str) -> Counts:
    fields = dict(re.findall(r"(\w+)=(\S*)", text))
    tres, jobs = (f"MaxTRES{kind}", f"MaxJobs{kind}") if kind else ("GrpTRES", "GrpJobs")
    now = used(fields.get(tres, "")) | used(f"jobs={fields.get(jobs, '')}")
    return {name: (limit, now.get(name, 0)) for name, (limit, _) in limits.items()}


@dataclass(frozen=True)
class Qualities:
    """The QOS there are, and who gets which."""

    known: Mapping[str, Qos] = field(default_factory=dict)
    rights: Sequence[Rights] = ()
    #: The QOS of partitions that have one.
    partitions: Mapping[str, str] = field(default_factory=dict)

    def chain(self, asked: str, account: str, partition: str) -> list[Qos]:
        """Those that limit a job, the partition's before its own."""
        names = [self.partitions.get(partition, ""), self._own(asked, account, partition)]
        return [self.known[name] for name in dict.fromkeys(names) if name in self.known]

    def _own(self, asked: str, account: str, partition: str) -> str:
        """The one that is asked for, the user's default, or the usual one."""
        for right in self.rights if not asked else ():
            if right.account == account and right.partition in ("", partition):
                only = right.allowed[0] if len(right.allowed) == 1 else NORMAL
                return right.default or only
        return asked or NORMAL


def parse_qualities(rights: str, qos: str, partitions: str) -> Qualities:
    """From what ``sacctmgr show associations`` and ``… qos`` and ``scontrol show partitions`` say.

    The latter with ``--oneliner``.
    """
    found = re.findall(r"^PartitionName=(\S+) .*?\bQoS=(\S+)", partitions, re.MULTILINE)
    named = {partition: name for partition, name in found if name != "N/A"}
    return Qualities(parse_qos(qos), parse_rights(rights), named)
