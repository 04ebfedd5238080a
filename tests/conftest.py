"""Every test has a jupyter-hybrid directory of its own, and leaves no process behind."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_hybrid.executors.local_directory import MARK

# settings of one person's shell, which would hide what users see
for _name in ("PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"):
    os.environ.pop(_name, None)

#: ``requirements``: the marker ``needs``, and the list of what could not run; clusters; spawners
pytest_plugins = ["pytester", "requirements", "hpc", "slurm_jobs", "kube", "bases", "spawners"]
pytest_plugins += ["container_engines", "somebody", "smi"]


#: What only the tests of a cluster need: Kubernetes, and the one with Slurm.
CLUSTERS = ("apt:etcd-server", "apt:socat")


def _fixtures(item: pytest.Item) -> list[str]:
    return list(getattr(item, "fixturenames", ()))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let each of the processes that test at once begin with what takes long at another place.

    Each has an equal part of the list, and when it is through half of what another still has
    (xdist's ``worksteal``). Tests that have a cluster alone hold up only those at the same one.
    """
    limits: dict[Path, float] = {}
    for item in items:
        limit = item.get_closest_marker("timeout")
        limits[item.path] = max(limits.get(item.path, 0.0), limit.args[0] if limit else 0.0)
    count = int(getattr(config, "workerinput", {}).get("workercount", 1))
    parts: list[list[pytest.Item]] = [[] for _ in range(count)]
    quick = []
    for item in sorted(items, key=lambda item: -limits[item.path]):
        needs = {name for marker in item.iter_markers("needs") for name in marker.args}
        place = next((n for n, name in enumerate(CLUSTERS) if name in needs), len(CLUSTERS))
        slow = place < len(CLUSTERS) or limits[item.path] or "browser" in _fixtures(item)
        (parts[place % count] if slow else quick).append(item)
    ordered: list[pytest.Item] = []
    for number, part in enumerate(parts):
        share = (len(items) - len(ordered)) // (count - number)
        more = max(0, share - len(part))
        ordered += part + quick[:more]
        del quick[:more]
    items[:] = ordered + quick


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A private jupyter-hybrid directory; fails where a job's process outlives the test."""
    directory = tmp_path / "jupyter-hybrid"
    monkeypatch.setenv("JUPYTER_HYBRID_DIR", str(directory))
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "jupyter-config"))
    for name in ("JPY_SESSION_NAME", "PAPERMILL_INPUT_PATH", "JUPYTER_HYBRID_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    others = frozenset(os.listdir("/proc"))
    yield directory
    # a job has ended when its exit record is there; its processes go right after that (the
    # supervisor itself takes up to 5 s for what does not)
    deadline = time.monotonic() + 30.0
    while (left := list(_processes_below(str(tmp_path), others))) and time.monotonic() < deadline:
        time.sleep(0.02)
    for pid, _ in left:
        os.kill(pid, signal.SIGKILL)
    assert not left, f"processes outlived the test: {left}"


def _processes_below(directory: str, others: frozenset[str]) -> Iterator[tuple[int, str]]:
    """Processes of jobs whose directory is below this one; the others were there before."""
    # (after each of thousands of tests: few processes get to the first question)
    for name in filter(str.isdigit, set(os.listdir("/proc")) - others):
        try:
            words = Path("/proc", name, "cmdline").read_bytes().decode("utf-8", "replace")
            environment = Path("/proc", name, "environ").read_bytes() if directory in words else b""
        except OSError:
            continue
        if f"{MARK}=".encode() in environment:
            yield int(name), words.replace("\0", " ")
