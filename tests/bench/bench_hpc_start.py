"""From a submit to its first line on a cluster, against ``sbatch`` and ``tail`` by hand.

In an image like NVIDIA's, and without one, where the peer starts nothing but ``srun`` and Python.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import time
from pathlib import Path

import bases
import hpc
from harness import Bench
from hpc import Cluster
from live_kernel import Live, live_kernel
from requirements import unmet
from spine import a_home, hybrid, python_notebook

NUMBERS = itertools.count()
#: What somebody would write who has a cluster and no more than that.
BY_HAND = """\
#!/bin/sh
#SBATCH --output={log}
srun --mpi=none {run} -c "print('line')"
"""
PRINTS = "import time\nfor n in range(20):\n    print(time.time(), flush=True)\n    time.sleep(0.2)"


def rows(bench: Bench) -> None:
    """Measure."""
    gap = "; ".join(filter(None, map(unmet, (*hpc.NEEDS, *bases.NEEDS))))
    if gap:
        bench.gap("submit to the first line, on Slurm", gap)
        return
    with hpc.used() as cluster, a_home() as home:
        configured = Path(home.environ["JUPYTER_CONFIG_DIR"])
        image = _image(cluster)
        targets = {
            name: {"executor": "slurm", "root": "~/bench", **cluster.options(**options)}
            for name, options in (("dgx", {}), ("ngc", {"engine": "apptainer", "image": image}))
        }
        settings = {"Hybrid": {"targets": targets}}
        configured.mkdir(parents=True, exist_ok=True)
        (configured / "jupyter_hybrid_config.json").write_text(json.dumps(settings))
        names = ("JUPYTER_CONFIG_DIR", "JUPYTER_HYBRID_DIR")
        # the first job in an image waits for what is laid beside it
        (home.work / "warm.ipynb").write_text(json.dumps(python_notebook("1")))
        hybrid(home, "run", "warm.ipynb", "--target", "ngc")
        with live_kernel(home.work, **{name: home.environ[name] for name in names}) as kernel:
            by_hand = f"apptainer --quiet exec {image} /opt/conda/bin/python"
            _first_line(bench, cluster, kernel, "ngc", by_hand)
            _first_line(bench, cluster, kernel, "dgx", "/opt/jupyter/bin/python")
            _latency(bench, kernel)
        cluster.ssh("rm -rf ~/bench ~/by-hand-* ~/bench.sif")


def _image(cluster: Cluster) -> str:
    """The path of a SIF with conda's Python; Debian compiles its own, as it does in NVIDIA's."""
    root = cluster.home / "bench-root"
    root.mkdir()
    subprocess.run(["tar", "-C", root, "-xf", bases.tar_of("ngc")], check=True)
    library = next(root.glob("usr/lib/python3.*"))
    subprocess.run([f"/usr/bin/{library.name}", "-m", "compileall", "-q", library], check=False)
    cluster.on("hpc-login", "chown", "-R", cluster.user, f"/home/{cluster.user}/bench-root")
    cluster.ssh("apptainer --quiet build --disable-cache --force bench.sif bench-root")
    cluster.ssh("rm -rf bench-root")
    return f"/home/{cluster.user}/bench.sif"


def _settle(share: float) -> None:
    """Wait a second and until this share of another one.

    The controller looks at new jobs once a second: whoever always came right after the other's job
    would always come when it has just looked.
    """
    now = time.time()
    time.sleep(1.0 + (share - now) % 1.0)


def _first_line(bench: Bench, cluster: Cluster, kernel: Live, target: str, by_hand: str) -> None:
    pairs = []
    for number in range(bench.n + 1):
        _settle(number / bench.n)
        ours = _cell(kernel, target)
        _settle(number / bench.n)
        pairs.append((ours, _by_hand(cluster, by_hand)))
    pairs = pairs[1:]
    peer = sorted(theirs for _, theirs in pairs)[bench.n // 2]
    note = f"beyond sbatch + srun + tail over the same ssh, which took {peer:.2f} s"
    more = [ours - theirs for ours, theirs in pairs]
    where = "in Apptainer" if target == "ngc" else "on Slurm"
    bench.figures(f"a %%remote cell's first line, {where}", more, bar=0.7, note=note)
    ratios = [ours / theirs for ours, theirs in pairs]
    bench.figures(f"the same, {where}, as a ratio", ratios, bar=1.5, unit="×")


def _cell(kernel: Live, target: str) -> float:
    began, shown = time.time(), 0.0
    result = kernel.run(f"%%remote {target}\nprint('line')")
    for (_, content), moment in zip(result.messages, result.times, strict=True):
        if content.get("text", "").startswith("line"):
            shown = moment
            break
    return shown - began


def _by_hand(cluster: Cluster, run: str) -> float:
    log = f"by-hand-{next(NUMBERS)}.log"
    began = time.perf_counter()
    cluster.ssh("sbatch", input=BY_HAND.format(log=log, run=run))
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
