"""The cluster is one: Slurm with accounting, GPUs, MPI, Apptainer, and no way in but ssh."""

from __future__ import annotations

import hashlib
import io
import json
import re
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hpc import NEEDS, USERS, Cluster

pytestmark = [pytest.mark.needs(*NEEDS), pytest.mark.timeout(900)]

#: Who, what, and what alice's shell prints there (a regular expression over all of it).
CHECKS = {
    "who": ("echo $(id -un) $(hostname)", rf"^({'|'.join(USERS)}) hpc-login\n$"),
    "partitions": ("sinfo -h -o '%P %D %T'", r"v100\* 2 \w+\np100 1 \w+"),
    "one GPU of two": (
        "srun -w v100-01 --gres=gpu:v100:1 bash -c "
        "'echo $(hostname) $CUDA_VISIBLE_DEVICES; "
        "for n in 0 1; do cat </dev/nvidia$n; done; true' 2>&1",
        r"v100-01 0\n(?s:.*)Operation not permitted",
    ),
    "both GPUs": ("srun -p p100 --gres=gpu:p100:2 bash -c 'echo $CUDA_VISIBLE_DEVICES'", r"^0,1\n"),
    "a GPU that is not there": (
        "sbatch -p p100 --gres=gpu:v100:1 --wrap true 2>&1 || true",
        r"configuration is not available",
    ),
    "an unknown account": ("sbatch -A nosuch --wrap true 2>&1 || true", r"Invalid account"),
    "two nodes": ("srun -N2 hostname | sort", r"^v100-01\nv100-02\n$"),
    "an array and what follows it": (
        "a=$(sbatch --parsable --array=1-3 -o a%a.out --wrap 'echo $SLURM_ARRAY_TASK_ID'); "
        "sbatch -Q -W -d afterok:$a -o z.out --wrap 'echo after'; cat a?.out z.out",
        r"^1\n2\n3\nafter\n$",
    ),
    "accounting": (
        "j=$(sbatch --parsable -W --wrap 'exit 3'); sacct -X -n -P -j $j -o state,exitcode",
        r"FAILED\|3:0",
    ),
    "memory is limited": (
        "j=$(sbatch --parsable -W --mem=100M --wrap 'python3 -c \"x=bytearray(400<<20)\"'); "
        "sacct -X -n -P -j $j -o state",
        r"OUT_OF_MEMORY",
    ),
    "the site's Python": (
        "srun /opt/jupyter/bin/python -c 'import ipykernel, papermill; print(1)'", r"^1\n$",
    ),
    "no way out": ("timeout 2 bash -c '</dev/tcp/9.9.9.9/53' 2>&1 || echo none", r"none\n$"),
}  # fmt: skip


@pytest.fixture
def directory(cluster: Cluster) -> Iterator[str]:
    cluster.ssh("rm -rf ~/check; mkdir ~/check")
    yield "~/check"
    cluster.ssh("rm -rf ~/check")


@pytest.mark.parametrize("name", CHECKS)
def test_what_a_site_has(cluster: Cluster, directory: str, name: str) -> None:
    command, expected = CHECKS[name]
    if name == "memory is limited" and "freezer" not in Path("/proc/self/cgroup").read_text():
        pytest.skip("needs cgroup v1 with the memory controller")
    assert re.search(expected, cluster.ssh(f"cd {directory}; {command}")), name


def test_mpi_over_two_nodes(cluster: Cluster, directory: str) -> None:
    source = (
        "from mpi4py import MPI\nprint('sum', MPI.COMM_WORLD.allreduce(MPI.COMM_WORLD.rank + 1))\n"
    )
    cluster.ssh(f"cat > {directory}/sum.py", input=source)
    out = cluster.ssh(f"cd {directory}; srun -N2 --ntasks-per-node=2 python3 sum.py")
    assert out == "sum 10\n" * 4


def test_apptainer_in_jobs(cluster: Cluster, directory: str, tmp_path: Path) -> None:
    archive = _busybox(tmp_path, (cluster.directory / "rootfs/usr/bin/busybox").read_bytes())
    copy = ["scp", "-q", "-F", str(cluster.config), str(archive), "hpc:check/bb.tar"]
    subprocess.run(copy, check=True)
    cluster.ssh(f"cd {directory}; apptainer -q build bb.sif docker-archive:bb.tar")
    run = f"cd {directory}; srun -N2 --gres=gpu:v100:1 apptainer -q exec --nv bb.sif"
    out = cluster.ssh(f"{run} sh -c 'echo $FROM_IMAGE $(hostname) $(ls /dev/nvidia0)' | sort")
    assert out == "yes v100-01 /dev/nvidia0\nyes v100-02 /dev/nvidia0\n"


def _busybox(folder: Path, program: bytes) -> Path:
    """A docker archive of a static busybox: no registry needed."""
    links = ["sh", "ls", "cat", "hostname", "id", "echo"]
    layer = _tar({"bin/busybox": program, "etc/passwd": b"root:x:0:0::/root:/bin/sh\n"}, links)
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Env": ["PATH=/bin", "FROM_IMAGE=yes"], "Cmd": ["/bin/sh"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }
    manifest = [{"Config": "c.json", "RepoTags": ["lab/busybox:1"], "Layers": ["layer.tar"]}]
    archive = folder / "bb.tar"
    contents = {"manifest.json": manifest, "c.json": config}
    encoded = {name: json.dumps(value).encode() for name, value in contents.items()}
    archive.write_bytes(_tar({**encoded, "layer.tar": layer}, []))
    return archive


def _tar(files: dict[str, bytes], links: list[str]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), 0o755
            archive.addfile(info, io.BytesIO(data))
        for name in links:
            info = tarfile.TarInfo(f"bin/{name}")
            info.type, info.linkname, info.mode = tarfile.SYMTYPE, "busybox", 0o777
            archive.addfile(info)
    return out.getvalue()
