"""Third parties add executors by an entry point; broken ones are named, not tracebacks."""

from __future__ import annotations

import sys
from importlib.metadata import distribution
from pathlib import Path

import pytest

from jupyter_hybrid.errors import ConfigError
from jupyter_hybrid.executors.local import LocalExecutor
from jupyter_hybrid.executors.registry import GROUP, OWN, executor_class


def install(site: Path, distribution: str, name: str, source: str, attribute: str = "E") -> None:
    """A distribution on disk, as pip would leave it."""
    module = distribution.replace("-", "_")
    (site / f"{module}.py").write_text(source)
    info = site / f"{module}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
    points = f"[jupyter_hybrid.executors]\n{name} = {module}:{attribute}\n"
    (info / "entry_points.txt").write_text(points)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


GOOD = "from jupyter_hybrid.executors.local import LocalExecutor\nclass E(LocalExecutor): pass\n"


def test_local_is_there() -> None:
    assert executor_class("local") is LocalExecutor


def test_our_own_are_our_entry_points() -> None:
    points = distribution("jupyter-hybrid").entry_points.select(group=GROUP)
    assert {point.name: point.value for point in points} == OWN


def test_the_names_of_our_own_are_taken(site: Path) -> None:
    install(site, "other-executor", "local", GOOD)
    assert executor_class("local") is LocalExecutor


def test_a_third_party_executor_is_found(site: Path) -> None:
    install(site, "lab-executor", "lab", GOOD)
    assert executor_class("lab").__module__ == "lab_executor"
    assert "lab_executor" in sys.modules


def test_an_unknown_name_lists_what_is_there() -> None:
    with pytest.raises(ConfigError, match=r"no executor is named 'lbo'; installed are: .*local"):
        executor_class("lbo")


def test_two_of_one_name_are_refused(site: Path) -> None:
    install(site, "one-executor", "twice", GOOD)
    install(site, "two-executor", "twice", GOOD)
    with pytest.raises(ConfigError, match="in one-executor and two-executor; uninstall all but"):
        executor_class("twice")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("import absent_module", "cannot be loaded.*upgrade or uninstall broken-executor"),
        ("1 / 0", "ZeroDivisionError"),
        ("class E: pass", "is not an Executor"),
        ("x = 1", "cannot be loaded"),
    ],
)
def test_a_broken_one_is_named(site: Path, source: str, words: str) -> None:
    install(site, "broken-executor", "broken", source)
    sys.modules.pop("broken_executor", None)
    with pytest.raises(ConfigError, match=words):
        executor_class("broken")
