"""What Slurm's accounting allows the user, by association and QOS, and what is used of it. Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from ...errors import UsageError
from ...spec import Resources
from ...units import format_duration, format_size
from ..base import Offer
from .hardware import Choice
from .qos import Counts, Qos

T = TypeVar("T")

#: What is counted, by Slurm's names: an amount of one, and of several.
_WORDS = {
    "gres/gpu": ("{} GPU", "{} GPUs"),
    "cpu": ("{} core", "{} cores"),
    "mem": ("{} of memory", "{} of memory"),
    "node": ("{} node", "{} nodes"),
}


@dataclass(frozen=True)
class Association:
    """What an account lets a user have."""

    account: str
    #: Empty: this is the account itself, with what all of its users have together.
    user: str
    #: Empty: in all partitions.
    partition: str = ""
    default: bool = False
    #: By Slurm's names (``gres/gpu``, ``gres/gpu:v100``, ``cpu``, ``node``; ``mem`` in bytes).
    each_job: Mapping[str, int] | None = None
    #: The same for what may be in use at once, with what is in use.
    at_once: Mapping[str, tuple[int, int]] | None = None
    #: Jobs that may run at once, and that do.
    jobs: tuple[int, int] | None = None
    #: Seconds of wall time.
    longest: float | None = None


def parse_associations(text: str) -> list[Association]:
    """Read ``scontrol --oneliner show assoc_mgr flags=assoc``."""
    found = []
    for line in text.splitlines():
        if not line.startswith("ClusterName="):
            continue
        fields = dict(re.findall(r"(\w+)=(\S*)", line))
        wall = fields.get("MaxWallPJ", "")
        found.append(
            Association(
                fields.get("Account", ""),
                fields.get("UserName", "").partition("(")[0],
                fields.get("Partition", ""),
                fields.get("DefAssoc") == "Yes",
                {name: limit for name, (limit, _) in _counts(fields.get("MaxTRESPJ", "")).items()},
                _counts(fields.get("GrpTRES", "")),
                _counts(f"jobs={fields.get('MaxJobs') or 'N'}").get("jobs"),
                60.0 * int(wall) if wall.isdigit() else None,
            )
        )
    return found


def _counts(text: str) -> dict[str, tuple[int, int]]:
    """Limits and what is used: ``cpu=N(0),gres/gpu=6(2)``; those without a limit are left out."""
    found = {}
    for name, limit, used in re.findall(r"([\w/:.-]+)=(\d+)[A-Z]?(?:\((\d+)\))?", text):
        unit = 1 << 20 if name == "mem" else 1
        found[name] = (int(limit) * unit, int(used or 0) * unit)
    return found


def those_for(
    associations: Sequence[Association], account: str, partition: str
) -> list[Association]:
    """The user's association with the account (or the default one), and the account's own."""
    own = [a for a in associations if a.user and a.partition in ("", partition)]
    named = [a for a in own if (a.account == account if account else a.default)]
    accounts = {a.account for a in named}
    return [*named, *(a for a in associations if not a.user and a.account in accounts)]


@dataclass(frozen=True)
class Rule:
    """What one of the site's rules lets the user have."""

    #: "your account 'chem' allows"
    allows: str
    #: Who uses what is in use: "you".
    who: str
    each_job: Mapping[str, int] = field(default_factory=dict)
    at_once: Counts = field(default_factory=dict)
    #: Jobs that may run at once, and that do.
    jobs: tuple[int, int] | None = None
    #: Seconds of wall time.
    longest: float | None = None


class _First:
    """Of several rules for the same, the first is in force."""

    def __init__(self) -> None:
        self.seen: defaultdict[str, set[str]] = defaultdict(set)

    def __call__(self, kind: str, limits: Mapping[str, T]) -> dict[str, T]:
        found = {name: most for name, most in limits.items() if name not in self.seen[kind]}
        self.seen[kind] |= found.keys()
        return found


def rules(associations: Sequence[Association], chain: Sequence[Qos]) -> list[Rule]:
    """What is in force; ``chain`` is the partition's QOS and the job's, as far as there are any.

    A QOS comes before an association, and the user's own before their account's.
    """
    first, found = _First(), []
    for qos in chain:
        name = f"the QOS {qos.name!r}"
        each, wall = first("job", qos.each_job), first("time", _named(qos.longest))
        for kind, whom, who, counts in (
            ("user", "you", "you", qos.user),
            ("account", "your account", "your account", qos.account),
            ("group", "all its users", f"all in {name}", qos.everybody),
        ):
            limits = first(kind, counts)
            jobs = limits.pop("jobs", None)
            longest = wall.pop("", None)
            found.append(Rule(f"{name} allows {whom}", who, each, limits, jobs, longest))
            each = {}
    grouped, counted = set(first.seen["group"]), "jobs" in first.seen["user"]
    for own in associations:
        at_once = {n: most for n, most in (own.at_once or {}).items() if n not in grouped}
        longest = first("time", _named(own.longest)).get("")
        found.append(
            Rule(
                f"your account {own.account!r} allows",
                "you" if own.user else f"the account {own.account!r}",
                first("job", own.each_job or {}),
                at_once,
                None if counted else own.jobs,
                longest,
            )
        )
    return found


def _named(seconds: float | None) -> dict[str, float]:
    return {} if seconds is None else {"": seconds}


def within(choice: Choice, limits: Sequence[Rule], asked: Resources, target: str) -> Choice:
    """The choice, with the longest time that is allowed.

    Raises ``UsageError`` for what never is.
    """
    longest = choice.longest
    for limit in limits:
        whose = f"the target {target!r} cannot run this: {limit.allows}"
        allowed = {name: most for name, (most, _) in limit.at_once.items()}
        for most, where in ((limit.each_job, "in a job"), (allowed, "at once")):
            for name, want in _wanted(asked, choice.gpu_type).items():
                if name in most and want > most[name]:
                    words = _amount(name, most[name])
                    raise UsageError(
                        f"{whose} {words} {where}, not {_amount(name, want)}; ask for less, or ask "
                        "the administrators for more"
                    )
        if limit.longest is None:
            continue
        if asked.time and asked.time > limit.longest:
            raise UsageError(
                f"{whose} {format_duration(limit.longest)}, not {format_duration(asked.time)}; "
                "ask for less"
            )
        longest = limit.longest if longest is None else min(longest, limit.longest)
    return replace(choice, longest=longest)


def limited(offer: Offer, choice: Choice, limits: Sequence[Rule], asked: Resources) -> Offer:
    """The offer with what the user may have, and what is in use of it."""
    notes, free = [offer.note], offer.free_now
    for limit in limits:
        for name, want in _wanted(asked, choice.gpu_type).items():
            if name in limit.at_once:
                most, used = limit.at_once[name]
                words = f"{limit.who} may use {_amount(name, most)}"
                notes.append(f"{words}, {_number(name, used)} in use")
                free = free and used + want <= most
        if limit.jobs is not None:
            most, used = limit.jobs
            whose = "" if limit.who == "you" else f" for {limit.who}"
            notes.append(f"{most} jobs at once{whose}, {used} running")
            free = free and used < most
    return replace(offer, note="; ".join(filter(None, notes)), free_now=free)


def _wanted(asked: Resources, gpu_type: str) -> dict[str, int]:
    """What the job takes in all, by Slurm's names."""
    wanted = {"node": asked.nodes, "cpu": (asked.cpus or 1) * asked.nodes}
    if asked.gpus:
        wanted["gres/gpu"] = asked.gpus * asked.nodes
        if gpu_type:
            wanted[f"gres/gpu:{gpu_type}"] = asked.gpus * asked.nodes
    if asked.mem:
        wanted["mem"] = asked.mem * asked.nodes
    return wanted


def _amount(name: str, count: int) -> str:
    name, _, kind = name.partition(":")
    number = _number(name, count)
    return _WORDS[name][count != 1].format(f"{number} {kind}" if kind else number)


def _number(name: str, count: int) -> str:
    return format_size(count) if name == "mem" else str(count)
