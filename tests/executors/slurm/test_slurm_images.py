"""Cells in images on a cluster without a way out, by its own Apptainer."""

from __future__ import annotations

import asyncio
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bases
import hpc
import pytest
from hpc import Cluster, hang_up
from registries import Options, start
from slurm_jobs import User

from jupyter_hybrid.errors import ImageError, UsageError
from jupyter_hybrid.job import State

pytestmark = [
    pytest.mark.needs(*bases.NEEDS, *hpc.NEEDS, "apt:docker-registry"),
    pytest.mark.timeout(600),
]

SEES = """
import os, pathlib, sys, tqdm
print(tqdm.__file__, sys.version_info[:2], os.environ["APPTAINER_CONTAINER"])
print(os.environ["CUDA_VISIBLE_DEVICES"], os.environ["SLURM_JOB_ID"].isdigit())
pathlib.Path("~/written").expanduser().touch(); pathlib.Path("/dev/shm/x").touch()
print(pathlib.Path("/data/shared.txt").read_text())
"""


@pytest.fixture
def image(tmp_path: Path, base_image: Callable[[str], str]) -> Iterator[str]:
    """An image with Python and nothing else, in a registry that the cluster cannot reach."""
    daemon = start(tmp_path / "registry", Options("open"))
    name = f"{daemon.host}/lab/base:1"
    push = ["podman", "push", "--quiet", "--tls-verify=false", base_image("base"), name]
    subprocess.run(push, check=True, capture_output=True)
    yield name
    daemon.stop()


def a_user(cluster: Cluster, folder: Path, **options: Any) -> User:
    return User(cluster, folder, engine="apptainer", **options)


async def test_jobs_run_in_a_sif_that_is_made_once(
    image: str, cluster: Cluster, tmp_path: Path
) -> None:
    home = f"/home/{cluster.user}"
    cluster.ssh("mkdir -p ~/shared; printf shared > ~/shared/shared.txt")
    mounts = ["/home/{user}/shared:/data:ro"]
    users = [a_user(cluster, tmp_path, images="here", mounts=mounts) for _ in range(2)]
    try:
        asked = {"image": image, "gpus": 1, "gpu_type": "v100"}
        jobs = await asyncio.gather(*(user.submit(SEES, **asked) for user in users))
        for user, job in zip(users, jobs, strict=True):
            ended, text = await user.follow(job)
            assert ended.state is State.COMPLETED, f"{ended.reason} {text}"
            assert "/opt/jupyter-hybrid/environments/" in text and "(3, 11)" in text
            assert f"{home}/faults/images/" in text
            # (which of a node's two GPUs it is depends on the other job)
            assert re.search(r"\n[01] True\nshared\n$", text), text
        assert len(cluster.ssh("ls ~/faults/images/*.sif").split()) == 1
        assert cluster.ssh("ls ~/faults/pulls") == ""
        # the same file by its path; where the login node runs nothing, a job looks into it
        (sif,) = cluster.ssh("ls ~/faults/images/*.sif").split()
        other = a_user(cluster, tmp_path, images="job", image=sif, engine_options=["--contain"])
        source = "import os, tqdm\nprint(tqdm.__name__, *map(os.getenv, ('RANK', 'MASTER_ADDR')))"
        ended, text = await other.follow(await other.submit(source, nodes=2))
        assert (ended.state, text) == (State.COMPLETED, "tqdm 0 v100-01\n"), ended.reason
        hang_up(other.executor.transport)
    finally:
        cluster.ssh("rm -rf ~/shared ~/written")
        for user in users:
            await user.leave()


async def test_what_cannot_be_had_is_said(image: str, cluster: Cluster, tmp_path: Path) -> None:
    user = a_user(cluster, tmp_path)
    try:
        with pytest.raises(
            ImageError, match="set the option 'images' of the target 'dgx' to 'here'"
        ):
            await user.submit("1", image=image)
        with pytest.raises(ImageError, match=re.escape("there is no image /no/such.sif on hpc")):
            await user.submit("1", image="/no/such.sif")
        without = User(cluster, tmp_path)
        with pytest.raises(UsageError, match="has no container engine; leave out --image"):
            await without.submit("1", image=image)
        hang_up(without.executor.transport)
    finally:
        await user.leave()
