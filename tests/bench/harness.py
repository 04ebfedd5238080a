"""Measures ours against a peer, side by side in one run, and keeps the rows.

    python tests/bench/harness.py [GROUP]

Each ``tests/bench/bench_GROUP[_PART].py`` has a function ``rows(bench)`` that measures::

    def rows(bench: Bench) -> None:
        bench.compare("hello notebook", ours=submit, peer=papermill, bar=0.45)
        bench.limit("from print to display", latency, bar=0.1)

Runs are interleaved (ours, peer, ours, peer, …), so that what disturbs the machine disturbs both;
figures are medians. A bar that is missed is a row like any other: it is printed and written to
``build/bench.json``, and the exit status is still 0. A bench that cannot run is named with its
reason. Where one raises, what was measured before is kept.
"""

from __future__ import annotations

import importlib.util
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "build" / "bench.json"
GROUPS = ("spine", "images", "hpc", "kubernetes", "jupyterlab")

#: A measurement: does the thing once, and returns its own figure or None for the wall time.
Measure = Callable[[], float | None]


@dataclass(frozen=True)
class Row:
    """One line of a table; what ``build/bench.json`` holds."""

    group: str
    bench: str
    #: Median of ours and of the peer, in the row's unit.
    ours: float
    peer: float | None
    #: ours / peer.
    ratio: float | None
    #: What the ratio (without a peer: ours) may be at most.
    bar: float | None
    met: bool | None
    #: Number of measurements in each median.
    n: int
    unit: str = "s"
    #: Smallest and largest measurement, where one wants to know how steady it was.
    spread: tuple[float, float] | None = None
    note: str = ""


@dataclass
class Bench:
    """Collects the rows of one group."""

    group: str
    rows: list[Row] = field(default_factory=list)
    gaps: dict[str, str] = field(default_factory=dict)
    #: Fewest measurements in a median.
    n: int = 7

    def compare(
        self, bench: str, *, ours: Measure, peer: Measure, bar: float, note: str = ""
    ) -> Row:
        """Ours against the peer: one warm-up of each, then ``n`` interleaved pairs."""
        pairs = [(_figure(ours), _figure(peer)) for _ in range(self.n + 1)][1:]
        mine, theirs = zip(*pairs, strict=True)
        median, other = statistics.median(mine), statistics.median(theirs)
        ratio = median / other
        return self._add(
            Row(
                *(self.group, bench, median, other, ratio, bar, ratio <= bar, self.n),
                spread=(min(mine), max(mine)),
                note=note,
            )
        )

    def limit(self, bench: str, measure: Measure, *, bar: float, note: str = "") -> Row:
        """Ours against an absolute bar in seconds: one warm-up, then ``n`` measurements."""
        figures = [_figure(measure) for _ in range(self.n + 1)][1:]
        return self.figures(bench, figures, bar=bar, note=note)

    def figures(
        self,
        bench: str,
        figures: Sequence[float],
        *,
        bar: float | None = None,
        unit: str = "s",
        note: str = "",
    ) -> Row:
        """Measurements that were made elsewhere, against an absolute bar in their unit."""
        median = statistics.median(figures)
        met = None if bar is None else median <= bar
        return self._add(
            Row(
                *(self.group, bench, median, None, None, bar, met, len(figures)),
                unit=unit,
                spread=(min(figures), max(figures)),
                note=note,
            )
        )

    def gap(self, bench: str, reason: str) -> None:
        """Name a bench that cannot run here."""
        self.gaps[bench] = reason
        print(f"{bench}: could not run here: {reason}", flush=True)

    def _add(self, row: Row) -> Row:
        self.rows.append(row)
        print(line(row), flush=True)
        return row


def _figure(measure: Measure) -> float:
    began = time.perf_counter()
    figure = measure()
    return time.perf_counter() - began if figure is None else figure


HEAD = f"{'bench':<52} {'ours':>10} {'peer':>10} {'ratio':>7} {'bar':>7}  met   n"


def line(row: Row) -> str:
    """The row as the table shows it."""
    columns = [
        f"{row.bench[:52]:<52}",
        f"{_shown(row.ours, row.unit):>10}",
        f"{'' if row.peer is None else _shown(row.peer, row.unit):>10}",
        f"{'' if row.ratio is None else format(row.ratio, '.2f'):>7}",
        f"{'' if row.bar is None else format(row.bar, 'g'):>7}",
        {True: " yes", False: " NO ", None: "    "}[row.met],
        f"{row.n:>3}",
    ]
    return " ".join(columns) + (f"  {row.note}" if row.note else "")


def _shown(value: float, unit: str) -> str:
    if unit == "s" and value < 1:
        return f"{value * 1000:.1f} ms"
    return f"{value:.2f} {unit}"


def modules(group: str) -> list[Path]:
    """The files that measure the group."""
    found = sorted(Path(__file__).parent.glob("bench_*.py"))
    return [path for path in found if path.stem.split("_")[1] == group]


def measure(bench: Bench) -> None:
    """Run every bench of the group."""
    for path in modules(bench.group):
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None
        assert spec.loader is not None
        module: Any = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        module.rows(bench)


def main(arguments: Sequence[str]) -> int:
    """0 where everything that can be measured was; 2 for a group that there is not."""
    groups = list(arguments) or list(GROUPS)
    unknown = sorted(set(groups) - set(GROUPS))
    if unknown:
        print(f"bench: no group {', '.join(unknown)}; there are: {', '.join(GROUPS)}")
        return 2
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, Python {sys.version.split()[0]}")
    benches: list[Bench] = []
    try:
        for group in groups:
            if not modules(group):
                print(f"\n== {group}: nothing to measure yet")
                continue
            print(f"\n== {group}\n{HEAD}", flush=True)
            benches.append(Bench(group))
            measure(benches[-1])
    finally:
        keep(benches)
    return 0


def keep(benches: Sequence[Bench]) -> None:
    """Write the rows; those of groups that were not measured now stay as they were."""
    measured = {bench.group for bench in benches}
    old = json.loads(RESULTS.read_text()) if RESULTS.exists() else []
    rows = [row for row in old if row["group"] not in measured]
    rows += [asdict(row) for bench in benches for row in bench.rows]
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(rows, indent=1) + "\n")
    missed = [row["bench"] for row in rows if row["met"] is False]
    print(f"\n{len(rows)} rows in {RESULTS.relative_to(ROOT)}, {len(missed)} bars missed")
    for name in missed:
        print(f"missed: {name}")


if __name__ == "__main__":
    # settings of one person's shell, which would measure what no user has
    for name in ("PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"):
        os.environ.pop(name, None)
    # benches import this file as `harness`; the script and that module are one
    sys.modules["harness"] = sys.modules["__main__"]
    # and they share homes and kernels with the tests
    sys.path += [str(ROOT / folder) for folder in ("tests", "tests/tools", "build_backend")]
    sys.exit(main(sys.argv[1:]))
