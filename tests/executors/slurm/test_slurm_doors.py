"""What a user does, on a real cluster: ``%%remote dgx`` and ``jupyter hybrid run --target dgx``."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from commands import Home, notebook
from hpc import NEEDS, Cluster
from live_kernel import Live, Result, live_kernel

pytestmark = [pytest.mark.needs(*NEEDS), pytest.mark.timeout(600)]


def configure(folder: Path, cluster: Cluster, **more: Any) -> None:
    """The target ``dgx``, as a user's configuration has it."""
    folder.mkdir(exist_ok=True)
    target = {"executor": "slurm", "root": "~/doors", **cluster.options(**more)}
    settings = {"Hybrid": {"targets": {"dgx": target}, "default_target": "dgx"}}
    (folder / "jupyter_hybrid_config.json").write_text(json.dumps(settings))


@pytest.fixture
def kernel(cluster: Cluster, tmp_path: Path) -> Iterator[Live]:
    configure(tmp_path / "config", cluster)
    data = {"JUPYTER_HYBRID_DIR": str(tmp_path / "hybrid")}
    with live_kernel(tmp_path, JUPYTER_CONFIG_DIR=str(tmp_path / "config"), **data) as live:
        yield live


@pytest.fixture
def home(cluster: Cluster, tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path)
    configure(tmp_path / "config", cluster)
    yield home
    home.clean()
    cluster.ssh("rm -rf ~/doors")


def test_a_cell_runs_on_a_compute_node_with_its_gpus(kernel: Live) -> None:
    kernel.run("import numpy as np\nX = np.arange(300_000.0)")
    result = kernel.run(
        "%%remote dgx --gpus 2 --gpu-type v100\nimport os, socket\nhost = socket.gethostname()\n"
        "gpus = os.environ['CUDA_VISIBLE_DEVICES']\ntotal = (X * 2).sum()\nprint('on', host)"
    )
    assert re.search(r"^on v100-0[12]$", result.text, re.M)
    assert re.search(r"dgx: .* s · back: host \(str\), gpus \(str\), total", result.text)
    assert kernel.value("(host[:4], gpus, float(total))") == ("v100", "0,1", 89999700000.0)


def test_functions_do_not_crash_the_nodes_other_python(kernel: Live) -> None:
    kernel.run("def f(x): return x * 2")
    result = kernel.run("%%remote dgx\nf(1)", ok=False)
    assert "cannot be read by Python 3.13; --replay executes the cells" in result.error
    assert kernel.run("%%remote dgx --replay\nprint(f(21))").text.startswith("42\n")


def test_a_cell_runs_on_every_rank(kernel: Live) -> None:
    result = kernel.run(
        "%%remote dgx --nodes 2 --ntasks-per-node 2\nimport os\nrank = int(os.environ['RANK'])\n"
        "print('I am', rank, 'of', os.environ['WORLD_SIZE'])"
    )
    assert result.text.startswith("I am 0 of 4\n")
    assert kernel.value("rank") == 0
    assert kernel.run("%remote logs --rank 3").text == "I am 3 of 4\n"


def test_lines_appear_while_the_job_runs(kernel: Live) -> None:
    seen: list[float] = []

    def note(result: Result) -> None:
        if "tick" in str(result.messages[-1][1].get("text", "")):
            seen.append(result.times[-1])

    source = (
        "import time\nfor n in range(10):\n    print('tick', n, flush=True)\n    time.sleep(0.7)"
    )
    kernel.run(f"%%remote dgx\n{source}", on=note)
    # a few at a time, and not all at the end
    assert len(seen) > 2 and seen[-1] - seen[0] > 1.5


def test_an_error_is_raised_here_with_the_users_line(kernel: Live) -> None:
    result = kernel.run("%%remote dgx\nhalf = 21\nint('three')", ok=False)
    assert "ValueError: invalid literal for int()" in result.error
    assert "----> 3 int('three')" in result.error
    assert kernel.value("half") == 21


def test_what_the_cluster_does_not_have_is_refused_at_once(kernel: Live) -> None:
    result = kernel.run("%%remote dgx --gpus 3 --gpu-type v100\n1", ok=False)
    assert "at most 2 v100 GPUs in a node, not 3" in result.error
    result = kernel.run("%%remote dgx --time 3d\n1", ok=False)
    assert "has a limit of 1 d 0 h, not 3 d 0 h" in result.error


def test_a_notebook_with_parameters_and_files(home: Home) -> None:
    (home.work / "data.txt").write_text("from here")
    source = "print(open('data.txt').read(), n)\n_ = open('out.txt', 'w').write('x' * n)"
    home.write("n.ipynb", notebook(source, parameters="n = 1"))
    done = home.hybrid("run", "n.ipynb", "-p", "n", "5")
    assert (done.returncode, done.stdout) == (0, "from here 5\n"), done.stderr
    assert (home.work / "out.txt").read_text() == "xxxxx"
    assert "wrote n." in done.stderr
    again = home.hybrid("rerun", "last", "-p", "n", "2")
    assert (again.returncode, again.stdout) == (0, "from here 2\n"), again.stderr


def test_several_notebooks_are_one_array(home: Home, tmp_path: Path) -> None:
    # (however long a full machine takes until the last of them is in line)
    patient = "from jupyter_hybrid.executors.slurm import arrays\narrays.TOGETHER = 30.0\n"
    (tmp_path / "config" / "jupyter_hybrid_config.py").write_text(patient)
    names = [f"{letter}.ipynb" for letter in "abcd"]
    for name in names:
        home.write(name, notebook("import os\nprint(os.environ['SLURM_ARRAY_JOB_ID'])"))
    done = home.hybrid("run", *names, timeout=300.0)
    assert done.returncode == 0, done.stderr
    labels, numbers = zip(*(line.split(" | ") for line in done.stdout.splitlines()), strict=True)
    assert sorted(labels) == list("abcd") and len(set(numbers)) == 1, done.stdout


def test_a_dry_run_shows_the_batch_script(home: Home, cluster: Cluster) -> None:
    home.write("n.ipynb", notebook("1"))
    asked = ("run", "n.ipynb", "--gpus", "1", "--gpu-type", "P100", "--time", "1h", "--dry-run")
    shown = home.hybrid(*asked)
    assert shown.returncode == 0, shown.stderr
    for line in (
        "#SBATCH --job-name=n.example",
        f"#SBATCH --chdir=/home/{cluster.user}/doors/jobs/example",
        "#SBATCH --partition=p100",
        "#SBATCH --gres=gpu:p100:1",
        "#SBATCH --time=0-01:03:00",
    ):
        assert line in shown.stdout, shown.stdout
    assert "/opt/jupyter/bin/python" in shown.stdout
    refused = home.hybrid(*asked, "--gpus", "3")
    assert refused.returncode != 0 and "at most 2 p100 GPUs in a node" in refused.stderr


def test_another_process_attaches_cancels_and_deletes(home: Home, cluster: Cluster) -> None:
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
    assert cluster.ssh("ls ~/doors/jobs") == ""
    assert not list(home.data.glob("jupyter-hybrid/jobs/*"))


def test_targets_offers_and_doctor_know_the_cluster(home: Home) -> None:
    (offer,) = [o for o in home.json("offers") if o["target"] == "dgx"]
    assert "2 v100, 4 cores" in offer["hardware"] and "nodes free" in offer["note"]
    found = home.hybrid("doctor")
    assert re.search(r"target dgx.*v100", found.stdout), found.stdout


def test_what_lies_there_is_told_and_cleared(home: Home, cluster: Cluster) -> None:
    cluster.ssh("mkdir -p -m 700 ~/doors/images; truncate -s 3M ~/doors/images/x.sif")
    cluster.ssh("touch -d '61 days ago' ~/doors/images/x.sif")
    (found,) = [f for f in home.json("doctor") if f["name"] == "target dgx"]
    assert found["ok"] and "3.0 MB of images" in found["text"], found
    done = home.hybrid("image", "prune", "--target", "dgx")
    assert done.returncode == 0 and done.stderr.startswith("3.0 MB were freed; 0 B"), done.stderr
    assert cluster.ssh("ls ~/doors/images") == ""
    refused = home.hybrid("image", "prune", "--target", "local")
    assert refused.returncode == 2 and "keeps nothing that could be removed" in refused.stderr
    refused = home.hybrid("image", "tags", "x", "--target", "dgx")
    assert refused.returncode == 2 and "image tags takes no --target" in refused.stderr
