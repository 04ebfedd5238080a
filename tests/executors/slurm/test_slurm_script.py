"""The batch script as a text, and what a target's configuration may say."""

from __future__ import annotations

import os
import shlex
import subprocess
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from jupyter_hybrid.config import Hybrid, far_root
from jupyter_hybrid.containers.layer_store import PackageLayer
from jupyter_hybrid.containers.layers import Layer
from jupyter_hybrid.errors import ConfigError
from jupyter_hybrid.executors.base import TargetConfig
from jupyter_hybrid.executors.images.starting import Interior, Layered
from jupyter_hybrid.executors.slurm import script
from jupyter_hybrid.executors.slurm.options import SlurmOptions, read_options
from jupyter_hybrid.executors.slurm.script import Place, job_id, job_name, render
from jupyter_hybrid.job import Job
from jupyter_hybrid.spec import JobSpec, Resources

PLACE = Place(PurePosixPath("/s/ada/jobs/ID"), PurePosixPath("/s/ada/blobs"), PurePosixPath("/s/r"))


def a_job(name: str = "train", **resources: Any) -> Job:
    spec = JobSpec(name, "dgx", "cell", resources=Resources(**resources))
    return Job(id="01m89h1mj4f64qrk90vn3tt33r", spec=spec, directory="", created_at=0.0)


def options(**values: Any) -> SlurmOptions:
    return read_options(TargetConfig(name="dgx", executor="slurm", root=Path("/"), options=values))


def test_the_script_of_a_job_that_asks_for_nothing() -> None:
    assert render(a_job(), options(), PLACE) == (
        "#!/bin/sh\n"
        "#SBATCH --job-name=train.01m89h1mj4f64qrk90vn3tt33r\n"
        "#SBATCH --chdir=/s/ada/jobs/ID\n"
        "#SBATCH --output=/s/ada/jobs/ID/runner.log\n"
        "#SBATCH --open-mode=append\n"
        "#SBATCH --signal=B:TERM@120\n"
        "#SBATCH --no-requeue\n"
        "umask 077\n"
        "export JUPYTER_HYBRID_JOB=01m89h1mj4f64qrk90vn3tt33r\n"
        "exec python3 /s/r/run.py /s/ada/jobs/ID --blobs /s/ada/blobs\n"
    )


def test_everything_that_can_be_asked_for_is() -> None:
    job = a_job(gpus=2, gpu_type="V100", cpus=8, mem=4 << 30, time=7200.0)
    site = options(
        partition="gpu", account="chem", qos="high", constraint="nvlink", reservation="course",
        licenses="matlab:1", gres="nvme:1", exclusive=True, requeue=True,
        sbatch=["--mail-type=END", "--comment=two words"],
        setup="module load python\nsource /opt/site/env.sh", python="/opt/site py/bin/python",
    )  # fmt: skip
    place = Place(PLACE.directory, PLACE.blobs, PLACE.runner, gpu_type="v100", longest=86400.0)
    text = render(job, site, place)
    for line in (
        "#!/bin/bash -l",
        "#SBATCH --requeue",
        "#SBATCH --partition=gpu",
        "#SBATCH --account=chem",
        "#SBATCH --qos=high",
        "#SBATCH --constraint=nvlink",
        "#SBATCH --reservation=course",
        "#SBATCH --licenses=matlab:1",
        "#SBATCH --cpus-per-task=8",
        "#SBATCH --mem=4160M",
        "#SBATCH --gres=nvme:1,gpu:v100:2",
        "#SBATCH --exclusive",
        "#SBATCH --time=0-02:03:00",
        "#SBATCH --mail-type=END",
        '#SBATCH --comment="two words"',
        "export OMP_NUM_THREADS=8",
        "module load python",
        "source /opt/site/env.sh",
        "exec '/opt/site py/bin/python' /s/r/run.py /s/ada/jobs/ID --blobs /s/ada/blobs"
        " --time 7200 --mem 4294967296",
    ):
        assert f"{line}\n" in text, line
    assert text.index("module load") < text.index("exec ")


def interior() -> Interior:
    layer = Layer(Path("/here"), "sha256:1", "sha256:2", 3)
    runner = PackageLayer(layer, "/opt/jupyter-hybrid/runners/r", {}, lock="r")
    packages = PackageLayer(layer, "/opt/jupyter-hybrid/environments/e", {}, "e", "/usr/lib/e.pth")
    laid = [Layered(added, Path("/s/ada/layers", added.lock)) for added in (runner, packages)]
    return Interior("/s/ada/images/d.sif", "/usr/bin/python3", *laid)


def test_a_job_in_an_image() -> None:
    site = options(
        engine="apptainer", mounts=["/scratch/{user}", "/data:/in:ro"], engine_options=["--contain"]
    )
    place = replace(PLACE, interior=interior(), user="ada", longest=3600.0)
    text = render(a_job(gpus=1, cpus=2, time=3600.0), site, place)
    _, _, last = text.partition("\nexec ")
    words = shlex.split(last)
    assert words[:3] == ["apptainer", "--quiet", "exec"]
    assert words[words.index("/s/ada/images/d.sif") - 2 :][:2] == ["--nv", "--contain"]
    for bind in (
        "/s/ada/layers/r/opt/jupyter-hybrid/runners/r:/opt/jupyter-hybrid/runners/r:ro",
        "/s/ada/layers/e/usr/lib/e.pth:/usr/lib/e.pth:ro",
        "/s/ada/jobs/ID:/s/ada/jobs/ID",
        "/s/ada/blobs:/s/ada/blobs:ro",
        "/scratch/ada:/scratch/ada",
        "/data:/in:ro",
    ):
        assert f"--bind={bind}" in words
    assert words[-7:] == [
        "/usr/bin/python3", "/opt/jupyter-hybrid/runners/r", "/s/ada/jobs/ID",
        "--blobs", "/s/ada/blobs", "--time", "3570.0",
    ]  # fmt: skip


def test_jobs_of_a_kind_are_an_array() -> None:
    site = options(setup="module load x", sbatch=["--comment=two words"])
    one = render(a_job("one"), site, PLACE)
    other = render(a_job("two"), site, replace(PLACE, directory=PurePosixPath("/s/ada/jobs/OTHER")))
    assert script.kind(one) == script.kind(other) != script.kind(render(a_job(gpus=1), site, PLACE))
    assert script.may_be_array(one)
    assert not script.may_be_array(render(a_job(), options(sbatch="--array=0-3"), PLACE))
    text = script.array_script(one, "01abc", "/s/50 %/arrays/01abc", [0, 1, 2])
    assert text == (
        "#!/bin/bash -l\n"
        "#SBATCH --job-name=jupyter-hybrid.01abc\n"
        "#SBATCH --array=0-2\n"
        '#SBATCH --chdir="/s/50 %/arrays/01abc"\n'
        '#SBATCH --output="/s/50 %%/arrays/01abc/%a/runner.log"\n'
        "#SBATCH --open-mode=append\n"
        "#SBATCH --signal=B:TERM@120\n"
        "#SBATCH --no-requeue\n"
        '#SBATCH --comment="two words"\n'
        'cd -P "$SLURM_ARRAY_TASK_ID" || exit\n'
        "exec /bin/bash -l ./script\n"
    )
    assert "#SBATCH --array=1,3\n" in script.array_script(one, "01abc", "/s", [1, 3])
    assert script.parse_member("array 01abc 12") == "01abc_12"
    assert script.parse_member("hpc-login 12 3456") is script.parse_member("") is None


def test_what_slurm_says_to_a_job_reaches_its_image() -> None:
    place = replace(PLACE, interior=interior(), user="ada")
    before, _, _ = render(a_job(cpus=2), options(engine="apptainer"), place).partition("\nexec ")
    name = "a 'b' $(c)\nd"
    said = {"PATH": os.environ["PATH"], "SLURM_JOB_NAME": name, "CUDA_VISIBLE_DEVICES": "1"}
    shell = ["sh", "-c", f"{before}\nenv -0"]
    done = subprocess.run(shell, env=said, check=True, capture_output=True, text=True)
    got = dict(entry.split("=", 1) for entry in done.stdout.split("\0") if entry)
    assert got["APPTAINERENV_SLURM_JOB_NAME"] == name
    assert got["APPTAINERENV_CUDA_VISIBLE_DEVICES"] == "1"
    assert got["APPTAINERENV_OMP_NUM_THREADS"] == "2"
    assert got["APPTAINERENV_JUPYTER_HYBRID_JOB"] == a_job().id


def test_the_runner_ends_before_slurm_ends_it() -> None:
    assert (script.slurm_time(60.0, None), script.runner_time(60.0, None)) == (240.0, 60.0)
    # no more than the partition allows: the runner gets a little less than was asked for
    assert (script.slurm_time(3600.0, 3600.0), script.runner_time(3600.0, 3600.0)) == (
        3600.0,
        3570.0,
    )
    assert (script.warning(60.0, None), script.warning(60.0, 60.0)) == (60, 15)
    assert script.slurm_time(None, 3600.0) is script.runner_time(None, 3600.0) is None
    assert script.format_limit(93784.0) == "1-02:04:00"


@pytest.mark.parametrize("name", ["my model.v2", "größe/x", "", "." * 40, "x" * 80])
def test_jobs_are_found_by_their_names(name: str) -> None:
    job = a_job(name)
    assert job_id(job_name(job)) == job.id
    assert set(job_name(job)) <= set("abcdefghijklmnopqrstuvwxyz0123456789.-+_")
    assert len(job_name(job)) <= script.NAME + 27


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"partitoin": "gpu"}, r"unknown option 'partitoin'.*partition"),
        ({"partition": 3}, r"\['partition'\] is 3; it must be a text of one line"),
        ({"exclusive": "yes"}, "it must be True or False"),
        ({"setup": 3}, "it must be a text, or a list of texts"),
        ({"engine": "docker"}, "it must be 'apptainer', 'singularity' or 'none'"),
        ({"images": "nowhere"}, "it must be 'login', 'job' or 'here'"),
        ({"mounts": ["data:/x"]}, "it must be a list of mounts: '/data'"),
        ({"price": "much"}, "it must be a number"),
        ({"account": "a\n#SBATCH --x"}, "a text of one line"),
    ],
)
def test_wrong_configuration_is_named(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        options(**values)


def test_a_program_for_ssh_may_be_a_text() -> None:
    assert options(ssh="tsh ssh --proxy 'a b'").ssh == ("tsh", "ssh", "--proxy", "a b")


def test_the_root_of_another_machine_is_its_own_matter() -> None:
    assert far_root(None) == "~/.jupyter-hybrid"
    assert far_root("/scratch/jobs/") == "/scratch/jobs/{user}"
    assert far_root("$WORK/jobs") == "$WORK/jobs"
    targets = {"dgx": {"executor": "slurm", "host": "dgx", "root": "~/x"}}
    target = Hybrid(directory="/here", targets=targets).target("dgx")
    assert (str(target.root), str(target.home)) == ("~/x", "/here")


def test_several_processes_are_started_by_srun(tmp_path: Path) -> None:
    job = a_job(nodes=2, ntasks_per_node=2, cpus=4, mem=2 << 30)
    text = render(job, options(), PLACE)
    for line in ("--nodes=2", "--ntasks-per-node=2", "--cpus-per-task=2", "--mem=2112M"):
        assert f"#SBATCH {line}\n" in text
    assert "export OMP_NUM_THREADS=2\n" in text
    assert (
        "srun --ntasks=4 --mpi=pmix --kill-on-bad-exit=1 --cpus-per-task=2 /bin/sh -c 'exec "
        "python3 /s/r/run.py /s/ada/jobs/ID --blobs /s/ada/blobs --mem 1073741824 --ranks' &\n"
    ) in text
    # what Slurm says to the script is left for rank 0, and its status is srun's
    srun = tmp_path / "srun"
    srun.write_text("#!/bin/sh\nkill -TERM $PPID\nsleep 0.3\nexit 3\n")
    srun.chmod(0o755)
    said = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "SLURM_JOB_ID": "7"}
    done = subprocess.run(["sh", "-c", text], env=said, cwd=tmp_path, check=False)
    assert done.returncode == 3 and (tmp_path / "terminated").exists()
    # also of one that has ended before the script looks, which bash has taken note of by then
    srun.write_text("#!/bin/sh\nexit 3\n")
    slowly = 'kill() { sleep 0.3; command kill "$@"; }\n'
    done = subprocess.run(["bash", "-c", slowly + text], env=said, cwd=tmp_path, check=False)
    assert done.returncode == 3
