"""From a submit to its first line, against ``kubectl apply`` and ``kubectl logs -f``."""

from __future__ import annotations

import itertools
import json
import subprocess
import tempfile
import time
from pathlib import Path

import kube
from clusters import a_cluster, gap
from commands import Home, command, notebook
from harness import Bench
from kube import Kubernetes
from kube_jobs import configure
from live_kernel import Live, live_kernel
from spine import a_home

NUMBERS = itertools.count()


def rows(bench: Bench) -> None:
    """Measure."""
    if gap():
        bench.gap("submit to the first line, on Kubernetes", gap())
        return
    with a_cluster() as cluster, a_home() as home:
        configure(Path(home.environ["JUPYTER_CONFIG_DIR"]), cluster)
        home.write("n.ipynb", notebook("print('line', flush=True)"))
        environ = {key: home.environ[key] for key in ("JUPYTER_CONFIG_DIR", "JUPYTER_HYBRID_DIR")}
        with live_kernel(home.work, **environ) as kernel:
            _first_lines(bench, cluster, home, kernel)
            _latency(bench, kernel)


def _first_lines(bench: Bench, cluster: Kubernetes, home: Home, kernel: Live) -> None:
    kubectl, cell, line = [], [], []
    for _ in range(bench.n + 1):
        kubectl.append(_kubectl(cluster))
        cell.append(_cell(kernel))
        line.append(_command(home))
    peer = sorted(kubectl[1:])[bench.n // 2]
    note = f"beyond kubectl apply + logs -f, which took {peer:.2f} s"
    for name, found in (("a %%remote cell's", cell), ("the command line's", line)):
        more = [ours - theirs for ours, theirs in zip(found[1:], kubectl[1:], strict=True)]
        bench.figures(f"{name} first line, on Kubernetes", more, bar=0.7, note=note)


def _kubectl(cluster: Kubernetes) -> float:
    name = f"peer-{next(NUMBERS)}"
    container = {"name": "c", "image": kube.IMAGE, "command": [kube.PYTHON, "-c", "print('line')"]}
    template = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {"backoffLimit": 0, "template": template},
    }
    began = time.perf_counter()
    cluster.kubectl("apply", "-f", "-", input=json.dumps(job))
    # (a container that is being made has no log yet)
    while "line" not in cluster.kubectl("logs", "-f", f"job/{name}", check=False):
        pass
    return time.perf_counter() - began


def _cell(kernel: Live) -> float:
    began, shown = time.time(), 0.0
    result = kernel.run("%%remote cloud\nprint('line')")
    for (_, content), moment in zip(result.messages, result.times, strict=True):
        if content.get("text", "").startswith("line"):
            shown = moment
            break
    return shown - began


def _command(home: Home) -> float:
    began = time.perf_counter()
    words = command("run", "n.ipynb")
    # how it goes is no part of the table
    with (
        tempfile.TemporaryFile() as told,
        subprocess.Popen(
            words, cwd=home.work, env=home.environ, stdout=subprocess.PIPE, stderr=told
        ) as it,
    ):
        assert it.stdout is not None
        if it.stdout.readline() != b"line\n":
            told.seek(0)
            raise RuntimeError(f"the first line is another: {told.read().decode()}")
        return time.perf_counter() - began


def _latency(bench: Bench, kernel: Live) -> None:
    """From the moment of a print in the pod to that of its message here; one clock, one machine."""
    lines = "for n in range(20):\n    print(time.time(), flush=True)\n    time.sleep(0.2)"
    result = kernel.run(f"%%remote cloud\nimport time\n{lines}")
    delays = []
    for (_, content), moment in zip(result.messages, result.times, strict=True):
        for word in content.get("text", "").split():
            if word.startswith("1") and word.replace(".", "").isdigit():
                delays.append(moment - float(word))
    bench.figures("a line from the pod to the cell", delays, bar=0.3)
