"""Runs every gate and every test, and says at the end how each went and what could not run.

    python tests/tools/gates.py [--require all] [--only ruff,mypy] [--coverage]
                                [--workers 3] [-- arguments for pytest]

All gates run even where one fails. What passes says one line; what fails shows what it printed.
How long each test took is in ``build/tests.xml``, and the slowest are listed below the tests.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
GAPS = BUILD / "gaps.json"
PYTHON = sys.executable
BIN = Path(PYTHON).parent
#: Settings of one person's shell: with them, each start compiles pytest's and the tests' code anew.
PERSONAL = ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED")


@dataclass(frozen=True)
class Gate:
    """One thing that must hold, told by a command's exit status."""

    name: str
    command: Sequence[str]
    #: True where its output is shown while it comes.
    live: bool = False
    #: True where the tests need what it makes.
    before: bool = False
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """How a gate went."""

    name: str
    status: int
    seconds: float
    notes: tuple[str, ...] = ()


def gates(
    require: str, pytest_arguments: Sequence[str], *, coverage: bool = False, workers: int = 3
) -> list[Gate]:
    """The gates in the order in which they begin: what tests need, then the quick ones."""
    tools = ROOT / "tests" / "tools"
    every = [
        Gate("ruff", [PYTHON, "-m", "ruff", "check", "--quiet", "--output-format=concise", "."]),
        Gate("format", [PYTHON, "-m", "ruff", "format", "--check", "--quiet", "--diff", "."]),
        Gate("sizes", [PYTHON, str(tools / "sizes.py")]),
        Gate("hosts", [PYTHON, str(tools / "hosts.py")]),
        Gate("said", [PYTHON, str(tools / "said.py")]),
        Gate("python3.8", [PYTHON, str(tools / "travelling.py")]),
        Gate("imports", [str(BIN / "lint-imports"), "--no-logo"]),
        Gate("mypy", [PYTHON, "-m", "mypy"]),
        *(frontend_gate(tool, require) for tool in ("prettier", "tsc", "eslint", "vitest")),
    ]
    if not pytest_arguments:
        every.insert(0, Gate("parts", [PYTHON, str(tools / "parts.py")], before=True))
    pytest_arguments = [f"-n{workers}", *pytest_arguments]
    if not coverage:
        return [*every, Gate("pytest", pytest_command(require, pytest_arguments), live=True)]
    # it makes every process that the tests start twice as slow, so it is asked for
    measured = pytest_command(require, pytest_arguments, "-m", "coverage", "run")
    report = [PYTHON, str(tools / "coverage_report.py")]
    return [*every, Gate("pytest", measured, live=True), Gate("coverage", report)]


def frontend_gate(tool: str, require: str) -> Gate:
    """One of the gates of ``labextension/``."""
    script = str(ROOT / "tests" / "tools" / "frontend.py")
    return Gate(tool, [PYTHON, script, tool, "--require", require])


def pytest_command(require: str, arguments: Sequence[str], *measured_by: str) -> list[str]:
    """pytest, several processes of it at once, with what each test took."""
    times = [f"--junitxml={BUILD / 'tests.xml'}", "--durations=20", "--durations-min=10"]
    command = [PYTHON, *measured_by, "-m", "pytest", "--dist=worksteal", *times]
    return [*command, "--require", require, *arguments]


def main() -> int:
    """Exit status 0 where every gate held (and, with ``--require all``, everything could run)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--require", default="what-can", choices=("what-can", "all"))
    parser.add_argument("--only", default="", help="names of gates, with commas")
    parser.add_argument("--coverage", action="store_true", help="measure what the tests reach")
    parser.add_argument("--workers", type=int, default=3, help="processes that test at once")
    parser.add_argument("pytest_arguments", nargs="*", metavar="ARGUMENT")
    options = parser.parse_args()
    every = gates(
        options.require,
        options.pytest_arguments,
        coverage=options.coverage,
        workers=options.workers,
    )
    names = [name for name in options.only.split(",") if name] or [gate.name for gate in every]
    unknown = sorted(set(names) - {gate.name for gate in every})
    if unknown:
        parser.error(f"no gate {', '.join(unknown)}; there are: {', '.join(g.name for g in every)}")
    BUILD.mkdir(exist_ok=True)
    GAPS.unlink(missing_ok=True)
    began = time.monotonic()
    outcomes = run_all([gate for gate in every if gate.name in names])
    return summary(outcomes, time.monotonic() - began)


def run_all(chosen: Sequence[Gate]) -> list[Outcome]:
    """Run the gates several at once, and beside them the tests, which often wait for a cluster."""
    live = next((i for i, gate in enumerate(chosen) if gate.live), len(chosen))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        quick = [pool.submit(run, gate) for gate in chosen[:live]]
        for gate, outcome in zip(chosen, quick, strict=False):
            if gate.before:
                outcome.result()
        tests = [run(gate) for gate in chosen[live : live + 1]]
        outcomes = [outcome.result() for outcome in quick]
    return [*outcomes, *tests, *map(run, chosen[live + 1 :])]


def run(gate: Gate) -> Outcome:
    """Run one gate; show what it says where it fails."""
    began = time.monotonic()
    if gate.live:
        print(f"-- {gate.name}", flush=True)
    done = subprocess.run(
        gate.command,
        cwd=ROOT,
        env={**{k: v for k, v in os.environ.items() if k not in PERSONAL}, **gate.env},
        stdin=subprocess.DEVNULL,
        stdout=None if gate.live else subprocess.PIPE,
        stderr=None if gate.live else subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    said = done.stdout or ""
    outcome = Outcome(
        gate.name,
        done.returncode,
        time.monotonic() - began,
        tuple(line for line in said.splitlines() if line.startswith(("note: ", "gap: "))),
    )
    shown = f"\n{said.rstrip()}\n" if said and done.returncode != 0 else ""
    # (in one piece: others are at work beside this one)
    sys.stdout.write(f"{row(outcome)}{shown}\n")
    sys.stdout.flush()
    return outcome


def row(outcome: Outcome) -> str:
    """One line of the table."""
    verdict = "ok    " if outcome.status == 0 else "FAILED"
    return f"{verdict} {outcome.name:<12} {outcome.seconds:7.1f} s"


def summary(outcomes: Sequence[Outcome], seconds: float) -> int:
    """Print the table, the notes and what could not run; the exit status."""
    print("\n== gates")
    for outcome in outcomes:
        print(row(outcome))
    notes = [note for outcome in outcomes for note in outcome.notes]
    for note in (note for note in notes if note.startswith("note: ")):
        print(note)
    gaps = json.loads(GAPS.read_text()) if GAPS.exists() else {}
    # a gate that could not run says "gap: what: why"
    for note in (note for note in notes if note.startswith("gap: ")):
        _, what, why = note.split(": ", 2)
        gaps[what] = why
    if gaps:
        print(f"\n== {len(gaps)} could not run here")
        for name, reason in sorted(gaps.items()):
            print(f"{name}: {reason}")
    failed = [outcome.name for outcome in outcomes if outcome.status != 0]
    result = f"failed: {', '.join(failed)}" if failed else "all gates hold"
    print(f"\n{result} ({seconds:.0f} s)")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
