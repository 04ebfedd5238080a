"""Cells and notebooks on Kubernetes, from a live kernel and from the command line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import kube
import pytest
import yaml
from commands import Home, notebook
from kube import Kubernetes
from kube_jobs import configure
from live_kernel import Live, Result, live_kernel

pytestmark = [pytest.mark.needs(*kube.NEEDS), pytest.mark.timeout(600)]


@pytest.fixture
def kernel(kubernetes: Kubernetes, tmp_path: Path) -> Iterator[Live]:
    configure(tmp_path / "config", kubernetes)
    data = {"JUPYTER_HYBRID_DIR": str(tmp_path / "hybrid")}
    with live_kernel(tmp_path, JUPYTER_CONFIG_DIR=str(tmp_path / "config"), **data) as live:
        yield live
        live.run(
            "import asyncio, jupyter_hybrid.manager as m\nmanager = m.Manager.default()\n"
            "from jupyter_hybrid import blocking\n"
            "for job in manager.jobs(): blocking.run(manager.delete(job.id))"
        )


@pytest.fixture
def home(kubernetes: Kubernetes, tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path)
    configure(tmp_path / "config", kubernetes)
    yield home
    for job in home.json("jobs", "--all"):
        home.hybrid("cancel", job["id"], "--force")
        home.hybrid("delete", job["id"])


def test_a_cell_runs_in_a_pod_with_gpus_and_brings_its_variables_back(kernel: Live) -> None:
    kernel.run("import numpy as np\nX = np.arange(300_000.0)\ndef twice(x): return x * 2")
    result = kernel.run(
        "%%remote cloud --gpus 2 --gpu-type v100\nimport socket\nhost = socket.gethostname()\n"
        "total = float(twice(X).sum())\nprint('on', host)"
    )
    assert re.search(r"^on jh-", result.text, re.M)
    assert re.search(r"cloud: .* s · back: host \(str\), total \(float\)", result.text)
    assert kernel.value("(host[:3], total)") == ("jh-", 89999700000.0)


def test_lines_appear_while_the_job_runs(kernel: Live) -> None:
    seen: list[float] = []

    def note(result: Result) -> None:
        if "tick" in str(result.messages[-1][1].get("text", "")):
            seen.append(result.times[-1])

    source = (
        "import time\nfor n in range(10):\n    print('tick', n, flush=True)\n    time.sleep(0.7)"
    )
    kernel.run(f"%%remote cloud\n{source}", on=note)
    # a few at a time, and not all at the end
    assert len(seen) > 2 and seen[-1] - seen[0] > 1.5


def test_an_error_is_raised_here_with_the_users_line(kernel: Live) -> None:
    result = kernel.run("%%remote cloud\nhalf = 21\nint('three')", ok=False)
    assert "ValueError: invalid literal for int()" in result.error
    assert "----> 3 int('three')" in result.error
    assert kernel.value("half") == 21


def test_what_the_cluster_does_not_have_is_refused_at_once(kernel: Live) -> None:
    result = kernel.run("%%remote cloud --gpus 64\n1", ok=False)
    assert "no node of 'cloud' has 64 GPUs, the largest has 4" in result.error
    result = kernel.run("%%remote cloud --gpus 1 --gpu-type h100\n1", ok=False)
    assert "no GPU of the model 'h100'; the cluster has: v100" in result.error


def test_a_notebook_with_parameters_and_files(home: Home) -> None:
    (home.work / "data.txt").write_text("from here")
    source = "print(open('data.txt').read(), n)\n_ = open('out.txt', 'w').write('x' * n)"
    home.write("n.ipynb", notebook(source, parameters="n = 1"))
    done = home.hybrid("run", "n.ipynb", "-p", "n", "5")
    assert (done.returncode, done.stdout) == (0, "from here 5\n"), done.stderr
    assert (home.work / "out.txt").read_text() == "xxxxx"
    again = home.hybrid("rerun", "last", "-p", "n", "2")
    assert (again.returncode, again.stdout) == (0, "from here 2\n"), again.stderr


def test_files_too_large_for_the_jobs_secret_are_streamed(home: Home) -> None:
    # (random digits: nothing that would compress)
    import random

    text = "".join(random.choices("0123456789abcdef", k=8_000_000))
    (home.work / "large.txt").write_text(text)
    home.write("n.ipynb", notebook("t = open('large.txt').read()\nprint(len(t), t[:9], t[-9:])"))
    done = home.hybrid("run", "n.ipynb")
    assert done.stdout == f"8000000 {text[:9]} {text[-9:]}\n", done.stderr


def test_another_process_attaches_cancels_and_deletes(home: Home, kubernetes: Kubernetes) -> None:
    source = "import time\nfor n in range(600):\n    print('tick', n)\n    time.sleep(0.1)"
    home.write("n.ipynb", notebook(source))
    job = home.json("run", "n.ipynb", "--detach")
    with home.started("attach", job["id"]) as attached:
        assert attached.stdout is not None
        assert attached.stdout.readline() == "tick 0\n"
        cancelled = home.hybrid("cancel", job["id"])
        assert cancelled.returncode == 0, cancelled.stderr
        rest = attached.stdout.read()
    assert "tick 1" in rest
    assert home.state(job["id"]) == "CANCELLED"
    assert home.hybrid("delete", job["id"]).returncode == 0
    assert not list(home.data.glob("jupyter-hybrid/jobs/*"))


def test_a_dry_run_shows_the_job_as_yaml_and_sends_nothing(
    home: Home, kubernetes: Kubernetes
) -> None:
    home.write("n.ipynb", notebook("print(1)"))
    words = ("--gpus", "2", "--gpu-type", "v100", "--mem", "1G", "--dry-run")
    done = home.hybrid("run", "n.ipynb", *words)
    assert done.returncode == 0, done.stderr
    sizes, _, text = done.stdout.partition("\n\n")
    assert "nothing was sent" in sizes
    made = yaml.safe_load(text)
    (container,) = made["spec"]["template"]["spec"]["containers"]
    assert container["image"] == kube.IMAGE
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "2"
    # the server would take it
    kubernetes.kubectl("create", "--dry-run=server", "-f", "-", input=text)
    assert kubernetes.left() == []


def test_targets_offers_and_doctor_know_the_cluster(home: Home) -> None:
    (offer,) = [o for o in home.json("offers", "--gpus", "1") if o["target"] == "cloud"]
    assert "4 × Tesla-V100-SXM2-16GB" in offer["hardware"]
    found = home.hybrid("doctor")
    assert re.search(r"target cloud", found.stdout), found.stdout
