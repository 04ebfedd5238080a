"""A pytest plugin: what a test needs of the machine, and a list of what could not run.

::

    @pytest.mark.needs("root", "debian")
    @pytest.mark.needs("apt:apptainer", "program:bwrap", "module:jupyterhub")

A test whose needs are not met does not run, and neither does one that calls ``pytest.skip``; both
are gaps. All gaps are listed at the end by name and reason, written to ``build/gaps.json``, and
with ``--require all`` they make the run fail.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from importlib.machinery import PathFinder
from pathlib import Path

import pytest

GAPS = Path(__file__).resolve().parents[1] / "build" / "gaps.json"
#: Names of tests that did not run, with the reason. Filled in the process that reports.
gaps: dict[str, str] = {}


def unmet(requirement: str) -> str | None:
    """Why the requirement is not met here; None where it is."""
    kind, _, name = requirement.partition(":")
    if kind not in CHECKS:
        raise pytest.UsageError(
            f"needs({requirement!r}): write one of {', '.join(sorted(CHECKS))}, "
            "the last four with a name behind the colon"
        )
    return None if CHECKS[kind](name) else REASONS[kind].format(name)


@cache
def _debian(_: str = "") -> bool:
    try:
        return "debian" in Path("/etc/os-release").read_text(encoding="utf-8")
    except OSError:
        return False


@cache
def _apt(package: str) -> bool:
    if shutil.which("dpkg-query") is None:
        return False
    query = ["dpkg-query", "--show", "--showformat=${db:Status-Status}", package]
    return subprocess.run(query, capture_output=True, check=False).stdout == b"installed"


CHECKS: dict[str, Callable[[str], bool]] = {
    "root": lambda _: os.geteuid() == 0,
    "debian": _debian,
    "apt": _apt,
    "program": lambda name: shutil.which(name) is not None,
    # (on the path only: setuptools' own finder warns of distutils where somebody asks it for pip)
    "module": lambda name: PathFinder.find_spec(name) is not None,
    "path": lambda name: Path(name).exists(),
}
REASONS = {
    "root": "needs root",
    "debian": "needs Debian",
    "apt": "needs the Debian package {0} (apt-get install {0})",
    "program": "needs the program {0}",
    "module": "needs the Python module {0}",
    "path": "needs {0}",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--require",
        choices=("what-can", "all"),
        default="what-can",
        help="all: a test that cannot run here makes the run fail",
    )


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Do not start a test whose needs are not met."""
    asked = [name for marker in item.iter_markers("needs") for name in marker.args]
    reasons = [reason for name in asked if (reason := unmet(name)) is not None]
    if reasons:
        pytest.skip("; ".join(reasons))


def pytest_sessionstart() -> None:
    gaps.clear()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note what did not run (with xdist, in the process that collects the reports)."""
    if report.skipped and not hasattr(report, "wasxfail"):
        _note(report)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """A module that skips itself as a whole is a gap as well."""
    if report.skipped:
        _note(report)


def _note(report: pytest.TestReport | pytest.CollectReport) -> None:
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longreprtext
    gaps[report.nodeid] = reason.removeprefix("Skipped: ")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workerinput"):
        return
    GAPS.parent.mkdir(exist_ok=True)
    GAPS.write_text(json.dumps(gaps, indent=1))
    if gaps and session.config.getoption("require") == "all" and session.exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if gaps:
        terminalreporter.section("could not run here")
        for name, reason in sorted(gaps.items()):
            terminalreporter.line(f"{name}: {reason}")
