"""From a submit to its first line on a cluster, against ``sbatch`` and ``tail`` by hand."""

from __future__ import annotations

import itertools
import json
import time
from pathlib import Path

import hpc
from harness import Bench
from hpc import Cluster
from live_kernel import Live, live_kernel
from requirements import unmet
from spine import a_home

NUMBERS = itertools.count()
#: What somebody would write who has a cluster and no more than that.
BY_HAND = """\
#!/bin/sh
#SBATCH --output={log}
srun --mpi=none /opt/jupyter/bin/python -c "print('line')"
"""
PRINTS = "import time\nfor n in range(20):\n    print(time.time(), flush=True)\n    time.sleep(0.2)"


def rows(bench: Bench) -> None:
    """Measure."""
    gap = "; ".join(filter(None, map(unmet, hpc.NEEDS)))
    if gap:
        bench.gap("submit to the first line, on Slurm", gap)
        return
    with hpc.used() as cluster, a_home() as home:
        configured = Path(home.environ["JUPYTER_CONFIG_DIR"])
        target = {"executor": "slurm", "root": "~/bench", **cluster.options()}
        settings = {"Hybrid": {"targets": {"dgx": target}}}
        configured.mkdir(parents=True, exist_ok=True)
        (configured / "jupyter_hybrid_config.json").write_text(json.dumps(settings))
        names = ("JUPYTER_CONFIG_DIR", "JUPYTER_HYBRID_DIR")
        with live_kernel(home.work, **{name: home.environ[name] for name in names}) as kernel:
            _first_line(bench, cluster, kernel)
            _latency(bench, kernel)
        cluster.ssh("rm -rf ~/bench ~/by-hand-*")


def _first_line(bench: Bench, cluster: Cluster, kernel: Live) -> None:
    pairs = [(_cell(kernel), _by_hand(cluster)) for _ in range(bench.n + 1)][1:]
    peer = sorted(theirs for _, theirs in pairs)[bench.n // 2]
    note = f"beyond sbatch + srun + tail over the same ssh, which took {peer:.2f} s"
    more = [ours - theirs for ours, theirs in pairs]
    bench.figures("a %%remote cell's first line, on Slurm", more, bar=0.7, note=note)
    ratios = [ours / theirs for ours, theirs in pairs]
    bench.figures("the same, as a ratio", ratios, bar=1.5, unit="×")


def _cell(kernel: Live) -> float:
    began, shown = time.time(), 0.0
    result = kernel.run("%%remote dgx\nprint('line')")
    for (_, content), moment in zip(result.messages, result.times, strict=True):
        if content.get("text", "").startswith("line"):
            shown = moment
            break
    return shown - began


def _by_hand(cluster: Cluster) -> float:
    log = f"by-hand-{next(NUMBERS)}.log"
    began = time.perf_counter()
    cluster.ssh("sbatch", input=BY_HAND.format(log=log))
    cluster.ssh(f"touch {log}; tail -n +1 -f {log} | head -n 1")
    return time.perf_counter() - began


def _latency(bench: Bench, kernel: Live) -> None:
    """From the moment of a print on a node to that of its message here; one clock, one machine."""
    result = kernel.run(f"%%remote dgx\n{PRINTS}")
    delays = []
    for (_, content), moment in zip(result.messages, result.times, strict=True):
        for word in content.get("text", "").split():
            if word.startswith("1") and word.replace(".", "").isdigit():
                delays.append(moment - float(word))
    bench.figures("a line from a compute node to the cell", delays, bar=0.5)
