"""Files on their way to a cluster, against ``scp -r`` of the same."""

from __future__ import annotations

import asyncio
import itertools
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import hpc
from harness import Bench
from hpc import Cluster
from jobs import a_manager, a_request, until
from requirements import unmet

from jupyter_hybrid.executors.slurm import SlurmExecutor
from jupyter_hybrid.manager import Manager
from jupyter_hybrid.transport import Transport

#: Bytes in all, and in how many files.
TOTAL = 200_000_000
SHAPES = ((2000, 0.8, "2,000 files of 100 kB"), (1, 1.1, "one file of 200 MB"))
NUMBERS = itertools.count()


def rows(bench: Bench) -> None:
    """Measure."""
    gap = "; ".join(filter(None, map(unmet, hpc.NEEDS)))
    if gap:
        bench.gap("files to a cluster", gap)
        return
    bench.n = 3
    with hpc.used() as cluster, tempfile.TemporaryDirectory() as folder:
        os.environ["JUPYTER_HYBRID_DIR"] = f"{folder}/hybrid"
        for count, bar, words in SHAPES:
            project = Path(folder, str(count))
            data = project / "data"
            data.mkdir(parents=True)
            for number in range(count):
                (data / f"{number}.bin").write_bytes(os.urandom(TOTAL // count))
            # what was written just now may change without a trace in its times, and is read anew
            time.sleep(2.5)
            _measure(bench, cluster, project, bar, words)
        # not before: ext4 is slow to make files where others were removed a minute ago
        cluster.ssh("rm -rf ~/bench-* ~/by-hand-*")


def _measure(bench: Bench, cluster: Cluster, project: Path, bar: float, words: str) -> None:
    def ours() -> float:
        with _target(cluster, f"~/bench-{next(NUMBERS)}") as manager:
            return asyncio.run(_submit(manager, project))

    def peer() -> float:
        target = f"by-hand-{next(NUMBERS)}"
        began = time.perf_counter()
        copy = [
            "scp",
            "-q",
            "-r",
            "-F",
            str(cluster.config),
            str(project / "data"),
            f"hpc:{target}",
        ]
        subprocess.run(copy, check=True)
        return time.perf_counter() - began

    bench.compare(f"first submit of {words}", ours=ours, peer=peer, bar=bar, note="scp -r")
    with _target(cluster, f"~/bench-{next(NUMBERS)}") as manager:
        asyncio.run(_submit(manager, project))
        channel = asyncio.run(_transport(manager).channel())
        before = channel.sent + channel.received
        again = [asyncio.run(_submit(manager, project)) for _ in range(bench.n)]
        moved = (channel.sent + channel.received - before) / bench.n / 1000
    bench.figures(f"second submit of {words}", again, bar=0.4)
    bench.figures("of that, on the wire", [moved], bar=50, unit="kB")


@contextmanager
def _target(cluster: Cluster, root: str) -> Iterator[Manager]:
    """A manager whose target has nothing yet; no job is left of it."""
    options = cluster.options(sbatch=["--hold"])
    manager = a_manager(targets={"dgx": {"executor": "slurm", "root": root, **options}})
    yield manager
    cluster.on("hpc-login", "scancel", "--user", cluster.user)
    asyncio.run(_empty(cluster))
    _transport(manager).close()


def _transport(manager: Manager) -> Transport:
    executor = manager.executor("dgx")
    assert isinstance(executor, SlurmExecutor)
    return executor.transport


async def _empty(cluster: Cluster) -> None:
    await until(lambda: not cluster.jobs())


async def _submit(manager: Manager, project: Path) -> float:
    request = a_request(project, "1", target="dgx", files=("data/*",))
    began = time.perf_counter()
    await manager.submit(request)
    return time.perf_counter() - began
