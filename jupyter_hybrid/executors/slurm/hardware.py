"""What a cluster's partitions have, and which of them a job can go to. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ...errors import UsageError
from ...spec import Resources
from ...units import format_duration, format_size
from ..base import Offer
from .listing import Node
from .options import SlurmOptions


@dataclass(frozen=True)
class Choice:
    """Where a job goes."""

    #: Empty: Slurm's default.
    partition: str
    gpu_type: str
    #: Longest wall time in seconds; None: no limit.
    longest: float | None
    nodes: tuple[Node, ...]


def choose(nodes: Sequence[Node], options: SlurmOptions, asked: Resources, target: str) -> Choice:
    """The partition and type of GPU for the job; raises ``UsageError`` where none can ever run it.

    Configured partitions are kept to; without, it is the default one, or the first that has the
    GPUs.
    """
    allowed = _allowed(nodes, options, target)
    faults = []
    for partition in allowed:
        own = [node for node in nodes if node.partition == partition]
        fault = _fault(own, asked)
        if fault is None:
            kind = gpu_type(own, asked)
            fitting = tuple(n for n in own if _fits(n, asked, kind))
            longest = _longest(own)
            return Choice("" if options.partition else partition, kind, longest, fitting)
        faults.append(f"its partition {partition} has {fault}")
    has = "; ".join(faults)
    raise UsageError(f"the target {target!r} cannot run this: {has}; ask for less")


def _allowed(nodes: Sequence[Node], options: SlurmOptions, target: str) -> list[str]:
    known = list(dict.fromkeys(node.partition for node in nodes))
    if options.partition:
        named = options.partition.split(",")
        if missing := [name for name in named if name not in known]:
            raise UsageError(
                f"the target {target!r} names the partition {missing[0]!r}, which the cluster does "
                f"not have (or not for you); it has: {', '.join(known) or 'none'}"
            )
        return named
    defaults = [node.partition for node in nodes if node.default]
    return list(dict.fromkeys([*defaults, *known]))


def gpu_type(nodes: Sequence[Node], asked: Resources) -> str:
    """Slurm's name for the type that is asked for: the same, or the only one that contains it."""
    if not asked.gpus or not asked.gpu_type:
        return ""
    types = {kind for node in nodes for kind in node.gpus if kind}
    wanted = asked.gpu_type.lower()
    same = [kind for kind in types if kind.lower() == wanted]
    alike = sorted(kind for kind in types if wanted in kind.lower())
    return (same or alike or [""])[0]


def _fault(nodes: Sequence[Node], asked: Resources) -> str | None:
    """What the partition lacks for ever; None where it has all."""
    if asked.gpus:
        kind = gpu_type(nodes, asked)
        if asked.gpu_type and not kind:
            types = sorted({k for n in nodes for k in n.gpus if k})
            return f"no {asked.gpu_type} GPU, but {', '.join(types) or 'none at all'}"
        most = max((_gpus(node.gpus, kind) for node in nodes), default=0)
        if most < asked.gpus:
            what = f"{kind} GPUs" if kind else "GPUs"
            return f"at most {most} {what} in a node, not {asked.gpus}"
    for name, have, want, words in (
        ("cores", max((n.cpus for n in nodes), default=0), asked.cpus, str),
        ("of memory", max((n.mem for n in nodes), default=0), asked.mem, format_size),
    ):
        if want and want > have:
            return f"at most {words(have)} {name} in a node, not {words(want)}"
    longest = _longest(nodes)
    if asked.time and longest is not None and asked.time > longest:
        return f"a limit of {format_duration(longest)}, not {format_duration(asked.time)}"
    fitting = sum(_fits(node, asked, gpu_type(nodes, asked)) for node in nodes)
    if fitting < asked.nodes:
        return f"{fitting} such nodes, not {asked.nodes}"
    return None


def _longest(nodes: Sequence[Node]) -> float | None:
    limits = [node.limit for node in nodes]
    return None if not limits or None in limits else max(limit for limit in limits if limit)


def _gpus(gpus: object, kind: str) -> int:
    counts: dict[str, int] = dict(gpus)  # type: ignore[call-overload]
    return counts.get(kind, 0) if kind else sum(counts.values())


def _fits(node: Node, asked: Resources, kind: str) -> bool:
    return (
        node.cpus >= (asked.cpus or 1)
        and node.mem >= (asked.mem or 0)
        and _gpus(node.gpus, kind) >= asked.gpus
    )


def _free(node: Node, asked: Resources, kind: str) -> bool:
    free_gpus = _gpus(node.gpus, kind) - _gpus(node.gpus_used, kind)
    return (
        node.usable
        and node.cpus_idle >= (asked.cpus or 1)
        and node.mem_free >= (asked.mem or 0)
        and free_gpus >= asked.gpus
    )


def offer(choice: Choice, asked: Resources, target: str, price: float | None) -> Offer:
    """The chosen partition in words."""
    kind, nodes = choice.gpu_type, choice.nodes
    free = sum(_free(node, asked, kind) for node in nodes)
    shapes = Counter((n.cpus, n.mem, tuple(sorted(n.gpus.items()))) for n in nodes)
    words = [
        f"{count} × " + _shape(cpus, mem, gpus)
        for (cpus, mem, gpus), count in shapes.most_common(3)
    ]
    each = (asked.gpus or 1) * asked.nodes
    return Offer(
        target=target,
        hardware="; ".join(words),
        cpus=max(n.cpus for n in nodes),
        mem=max(n.mem for n in nodes),
        gpus=asked.gpus,
        gpu_type=kind or asked.gpu_type,
        free_now=free >= asked.nodes,
        price=None if price is None else price * each,
        note=f"{free} of {len(nodes)} nodes free"
        + "".join(f", {words}" for words in _free_gpus(nodes))
        + (f", up to {format_duration(choice.longest)}" if choice.longest else ""),
    )


def _free_gpus(nodes: Sequence[Node]) -> list[str]:
    """Of each type: ``3 of 4 v100``."""
    have, free = Counter[str](), Counter[str]()
    for node in nodes:
        for kind, count in node.gpus.items():
            have[kind] += count
            free[kind] += max(0, count - node.gpus_used.get(kind, 0)) if node.usable else 0
    return [f"{free[kind]} of {count} {kind or 'GPUs'} free" for kind, count in have.items()]


def queued(waiting: int | None) -> str:
    """What an offer says of the jobs that wait; nothing where that is not known."""
    if waiting is None:
        return ""
    return f", {waiting or 'no'} job{'s' if waiting != 1 else ''} waiting"


def _shape(cpus: int, mem: int, gpus: tuple[tuple[str, int], ...]) -> str:
    parts = [f"{count} {kind or 'GPU'}" for kind, count in gpus]
    return ", ".join([*parts, f"{cpus} cores", format_size(mem)])
