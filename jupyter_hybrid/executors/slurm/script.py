"""The batch script of a job, as a text that can be read before it is sent. Pure."""

from __future__ import annotations

import math
import re
import shlex
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from ...containers.engines import Apptainer, Mount
from ...job import Job
from ...spec import Resources
from ..images.settings import ImageSettings
from ..images.starting import Interior, Start, container
from .options import SlurmOptions

#: Seconds before the end of its time at which Slurm tells the job.
WARNING = 120
#: Seconds that a job gets from Slurm beyond what its runner gives it, where the partition allows.
MARGIN = 180.0
#: Where the environment tells the job's processes which job they belong to.
MARK = "JUPYTER_HYBRID_JOB"
#: Characters of the user's name for the job that are in Slurm's.
NAME = 24
#: Options that are each job's own.
_OWN = ("#SBATCH --job-name=", "#SBATCH --chdir=", "#SBATCH --output=")
#: Lines that hand variables of these kinds on to the container, whatever their values are.
_KINDS = "MASTER|SLURM|PMI|PMIX|OMP|OPENBLAS|MKL|NUMEXPR|CUDA|ROCR|GPU"
_PASS = """\
for name in $(env | sed -nE 's/^((@KINDS@)_[A-Za-z0-9_]*)=.*/\\1/p'); do
  eval "export @INTO@$name=\\"\\$$name\\""
done
""".replace("@KINDS@", _KINDS)


@dataclass(frozen=True)
class Place:
    """What is known of the cluster when a job is sent; absolute paths over there."""

    directory: PurePosixPath
    blobs: PurePosixPath
    runner: PurePosixPath
    #: Chosen where the configuration names none.
    partition: str = ""
    #: The GPU's type as Slurm has it.
    gpu_type: str = ""
    #: Longest wall time of the partition in seconds; None: no limit.
    longest: float | None = None
    #: The image that the job runs in, with its layers.
    interior: Interior | None = None
    #: The user's name over there.
    user: str = ""


def job_name(job: Job) -> str:
    """The name in Slurm's queue: the user's own, and the job's id by which it is found again."""
    name = re.sub(r"[^A-Za-z0-9_.+-]+", "-", job.spec.name).strip("-.")[:NAME] or "job"
    return f"{name}.{job.id}"


def job_id(name: str) -> str:
    """The job's id in the name in Slurm's queue; whatever is behind the last point."""
    return name.rpartition(".")[2]


def array_name(array: str) -> str:
    """The name of an array of jobs in Slurm's queue."""
    return f"jupyter-hybrid.{array}"


def parse_member(marker: str) -> str | None:
    """``ID_TASK`` of a job in an array, from the marker beside its record; None for others."""
    words = marker.split()
    return "_".join(words[1:]) if words[:1] == ["array"] and len(words) == 3 else None


def render(job: Job, options: SlurmOptions, place: Place) -> str:
    """The script for ``sbatch``."""
    lines = ["#!/bin/bash -l" if options.setup else "#!/bin/sh"]
    lines += [f"#SBATCH {option}" for option in sbatch_options(job, options, place)]
    lines += ["umask 077", f"export {MARK}={job.id}", *_threads(job.spec.resources)]
    lines += options.setup
    if place.interior is None:
        runs = [f"exec {shlex.join(_bare(job, options, place))}"]
    else:
        runs = contained(job, options, place, place.interior)
    # the script becomes the runner: Slurm's signals reach it, and its end is the job's
    lines += runs if job.spec.resources.ranks == 1 else on_all(job, runs)
    return "\n".join(lines) + "\n"


def kind(script: str) -> tuple[str, ...]:
    """Its interpreter and options but for those that are each job's own."""
    lines = script.splitlines()
    return (*lines[:1], *(x for x in lines if x.startswith("#SBATCH ") and not x.startswith(_OWN)))


def may_be_array(script: str) -> bool:
    """Whether an option of the site's own does not forbid it."""
    return not any(re.match(r"#SBATCH (--array|-a)\b", line) for line in kind(script))


def array_script(script: str, array: str, directory: str, tasks: list[int]) -> str:
    """The script of jobs of this kind; each has its own as ``DIRECTORY/TASK/script``."""
    shell, *common = kind(script)
    logs = directory.replace("%", "%%")
    numbers = ",".join(map(str, tasks))
    if tasks == list(range(len(tasks))):
        numbers = f"0-{len(tasks) - 1}"
    own = [
        f"--job-name={array_name(array)}",
        f"--array={numbers}",
        f"--chdir={directory}",
        f"--output={logs}/%a/runner.log",
    ]
    lines = [shell, *(f"#SBATCH {_quoted(option)}" for option in own), *common]
    lines += ['cd -P "$SLURM_ARRAY_TASK_ID" || exit', f"exec {shell[2:]} ./script"]
    return "\n".join(lines) + "\n"


def on_all(job: Job, runs: list[str]) -> list[str]:
    """Lines that run these on every rank; what tells the script to end is told to rank 0."""
    resources = job.spec.resources
    words = ["srun", f"--ntasks={resources.ranks}", "--mpi=pmix", "--kill-on-bad-exit=1"]
    if resources.cpus is not None:
        words.append(f"--cpus-per-task={max(1, resources.cpus // resources.ntasks_per_node)}")
    script = "\n".join(runs)
    return [
        "export MASTER_ADDR=$SLURMD_NODENAME",
        "export MASTER_PORT=$((20000 + SLURM_JOB_ID % 20000))",
        "trap ': > terminated' TERM",
        f"{shlex.join([*words, '/bin/sh', '-c', script])} &",
        # a signal interrupts the first wait
        "until wait $!; status=$?; ! kill -0 $! 2>/dev/null; do :; done",
        "exit $status",
    ]


def _bare(job: Job, options: SlurmOptions, place: Place) -> list[str]:
    """The runner by an interpreter of the compute node."""
    command = [options.python, f"{place.runner}/run.py", str(place.directory)]
    command += ["--blobs", str(place.blobs)]
    resources = job.spec.resources
    if (seconds := runner_time(resources.time, place.longest)) is not None:
        command += ["--time", f"{seconds:.15g}"]
    if resources.mem is not None:
        command += ["--mem", str(_each(resources))]
    if resources.ranks > 1:
        command.append("--ranks")
    return command


def contained(job: Job, options: SlurmOptions, place: Place, interior: Interior) -> list[str]:
    """Lines that become the runner in the job's image."""
    resources = job.spec.resources
    seconds = runner_time(resources.time, place.longest)
    start = Start(
        name=job.id,
        directory=Path(place.directory),
        blobs=Path(place.blobs),
        resources=replace(resources, time=seconds, mem=_each(resources)),
        user_name=place.user,
        env={MARK: job.id},
    )
    settings = ImageSettings(mounts=mounts_of(options, place.user))
    # the devices are what Slurm gives, and not what a number here says
    gpus = ("--nv",) if resources.gpus and "--rocm" not in options.engine_options else ()
    engine = Apptainer(options.engine, (*gpus, *options.engine_options))
    inside = container(interior, start, settings)
    if resources.ranks > 1:
        inside = replace(inside, argv=(*inside.argv, "--ranks"))
    command = engine.run(inside)
    exports = [f"export {name}={shlex.quote(value)}" for name, value in command.env.items()]
    # what Slurm and MPI say to the job is to be known in the image as well
    into = "SINGULARITYENV_" if options.engine == "singularity" else "APPTAINERENV_"
    return [
        *exports,
        *_PASS.replace("@INTO@", into).splitlines(),
        f"exec {shlex.join(command.argv)}",
    ]


def _each(resources: Resources) -> int | None:
    """Memory of each process on a node."""
    return None if resources.mem is None else resources.mem // resources.ntasks_per_node


def mounts_of(options: SlurmOptions, user: str) -> tuple[Mount, ...]:
    """What the site lets containers see besides the job."""
    found = []
    for text in options.mounts:
        source, *rest = text.replace("{user}", user).split(":")
        read_only = bool(rest) and rest[-1] in ("ro", "rw") and rest.pop() == "ro"
        found.append(Mount(Path(source), PurePosixPath(rest[0] if rest else source), read_only))
    return tuple(found)


def sbatch_options(job: Job, options: SlurmOptions, place: Place) -> list[str]:
    """What is asked of Slurm; the site's own options come last, and win."""
    resources = job.spec.resources
    # % begins a pattern in names of files
    directory = str(place.directory).replace("%", "%%")
    asked = [
        f"--job-name={job_name(job)}",
        f"--chdir={place.directory}",
        f"--output={directory}/runner.log",
        "--open-mode=append",
        f"--signal=B:TERM@{warning(resources.time, place.longest)}",
        "--requeue" if options.requeue else "--no-requeue",
    ]
    named = {**options.asked, "partition": options.partition or place.partition}
    asked += [f"--{name}={value}" for name, value in named.items() if value]
    asked += resource_options(resources, options, place)
    return [_quoted(option) for option in (*asked, *options.sbatch)]


def resource_options(resources: Resources, options: SlurmOptions, place: Place) -> list[str]:
    """Hardware and time."""
    asked = [f"--nodes={resources.nodes}"] if resources.nodes > 1 else []
    if resources.ranks > 1:
        asked.append(f"--ntasks-per-node={resources.ntasks_per_node}")
    if resources.cpus is not None:
        asked.append(f"--cpus-per-task={max(1, resources.cpus // resources.ntasks_per_node)}")
    if resources.mem is not None:
        # Slurm counts in megabytes of 1024; the runner enforces what was asked for
        asked.append(f"--mem={math.ceil(resources.mem / (1 << 20)) + 64}M")
    gres = [options.gres] if options.gres else []
    if resources.gpus:
        kind = f"{place.gpu_type or resources.gpu_type}:" if resources.gpu_type else ""
        gres.append(f"gpu:{kind}{resources.gpus}")
    if gres:
        asked.append(f"--gres={','.join(gres)}")
    if options.exclusive:
        asked.append("--exclusive")
    if (limit := slurm_time(resources.time, place.longest)) is not None:
        asked.append(f"--time={format_limit(limit)}")
    return asked


def slurm_time(seconds: float | None, longest: float | None) -> float | None:
    """The wall time asked of Slurm: with room for the runner to save, where that is allowed."""
    if seconds is None:
        return None
    wanted = math.ceil((seconds + MARGIN) / 60.0) * 60.0
    return wanted if longest is None else min(wanted, max(longest, 60.0))


def warning(seconds: float | None, longest: float | None) -> int:
    """Seconds before the end of its time at which Slurm tells the job; less where there is little.

    Slurm looks once a minute or so, and may tell it up to a minute earlier.
    """
    limit = slurm_time(seconds, longest)
    return WARNING if limit is None else int(min(WARNING, max(limit / 4, 10)))


def runner_time(seconds: float | None, longest: float | None) -> float | None:
    """The wall time that the runner enforces, so that it ends before Slurm ends it."""
    limit = slurm_time(seconds, longest)
    if seconds is None or limit is None:
        return None
    return min(seconds, max(limit - 30.0, limit / 2))


def format_limit(seconds: float) -> str:
    """``1-02:03:00`` as sbatch reads it."""
    minutes = math.ceil(seconds / 60.0)
    days, rest = divmod(minutes, 1440)
    return f"{days}-{rest // 60:02}:{rest % 60:02}:00"


def _threads(resources: Resources) -> list[str]:
    if resources.cpus is None:
        return []
    each = max(1, resources.cpus // resources.ntasks_per_node)
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
    return [f"export {name}={each}" for name in names]


def _quoted(option: str) -> str:
    """An option for a line of #SBATCH, where only double quotes protect spaces."""
    if re.search(r"[\s#'\"\\]", option):
        name, equals, value = option.partition("=")
        return f'{name}{equals}"{value}"'
    return option
