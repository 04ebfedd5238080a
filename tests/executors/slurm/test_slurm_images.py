"""Cells in images on a cluster without a way out, by its own Apptainer."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import bases
import hpc
import pytest
from commands import Home, notebook
from hpc import Cluster, hang_up
from jobs import until
from registries import Daemon, Options, start
from slurm_jobs import User
from uv import find_uv_bin

from jupyter_hybrid.comparing import compare
from jupyter_hybrid.containers.indexes import uv_environment
from jupyter_hybrid.containers.references import parse_reference
from jupyter_hybrid.containers.registry import RegistryClient
from jupyter_hybrid.environment.facts import ImageFacts
from jupyter_hybrid.environment.needs import Environment, Need
from jupyter_hybrid.errors import ImageError, UsageError
from jupyter_hybrid.executors.slurm import images
from jupyter_hybrid.executors.slurm.images import _hides
from jupyter_hybrid.executors.slurm.options import SlurmOptions
from jupyter_hybrid.job import State
from jupyter_hybrid.spec import JobSpec

pytestmark = [
    pytest.mark.needs(*bases.NEEDS, *hpc.NEEDS, "apt:docker-registry"),
    pytest.mark.timeout(600),
]

SEES = """
import os, pathlib, sys, tqdm
print("kernel:", type(sys.modules["ipykernel.kernelapp"].__loader__).__name__)
print(tqdm.__file__, sys.version_info[:2], os.environ["APPTAINER_CONTAINER"])
print(os.environ["CUDA_VISIBLE_DEVICES"], os.environ["SLURM_JOB_ID"].isdigit())
pathlib.Path("~/written").expanduser().touch(); pathlib.Path(f"/dev/shm/{os.getuid()}").touch()
print(pathlib.Path("/data/shared.txt").read_text())
"""


#: torch is brought along: as a layer, two hundred megabytes would be packed and sent.
GLOO = """
import importlib, os, sys, tqdm
sys.path.append("/torch")
torch = importlib.import_module("torch")
distributed = importlib.import_module("torch.distributed")
distributed.init_process_group("gloo")
total = torch.ones(1) * (distributed.get_rank() + 1)
distributed.all_reduce(total)
size = distributed.get_world_size()
print(tqdm.__name__, f"sum {int(total)} of {size}, by {os.environ['MASTER_ADDR']}", flush=True)
distributed.destroy_process_group()
"""


def torch(cluster: Cluster) -> str:
    """Where the cluster's users have torch for the base image's Python; kept with their homes."""
    place = cluster.directory / "state/home/torch"
    with hpc.lock("torch", fcntl.LOCK_EX):
        if not place.exists():
            new = place.with_suffix(".new")
            shutil.rmtree(new, ignore_errors=True)
            command = [find_uv_bin(), "pip", "install", "--quiet", "--python-version", "3.11"]
            command += ["--only-binary", ":all:", "--target", str(new), "torch==2.13.0"]
            subprocess.run(command, check=True, env=uv_environment())
            # whoever imports it first compiles it for all
            for folder, _, _ in os.walk(new):
                Path(folder).chmod(0o1777)
            new.rename(place)
    return "/home/torch"


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Daemon]:
    daemon = start(tmp_path / "registry", Options("open"))
    yield daemon
    daemon.stop()


def push(registry: Daemon, image: str, name: str) -> str:
    """The image's name once it is in the registry."""
    words = ["podman", "push", "--quiet", "--tls-verify=false", image, f"{registry.host}/{name}"]
    subprocess.run(words, check=True, capture_output=True)
    return words[-1]


@pytest.fixture
def image(registry: Daemon, base_image: Callable[[str], str]) -> str:
    """An image with Python and nothing else, in a registry that the cluster cannot reach."""
    return push(registry, base_image("base"), "lab/base:1")


def a_user(cluster: Cluster, folder: Path, **options: Any) -> User:
    return User(cluster, folder, engine="apptainer", **options)


@pytest.mark.parametrize(
    ("options", "hidden"),
    [
        pytest.param({}, False, id="nothing"),
        pytest.param({"mounts": ("/data", "/sw:/opt/sw:ro")}, False, id="data"),
        pytest.param({"mounts": ("/sw:/opt",)}, True, id="above the image's Python"),
        pytest.param({"mounts": ("/sw:/usr/lib/python3/dist-packages/x",)}, True, id="in it"),
        pytest.param({"engine_options": ("--overlay=/sw.img",)}, True, id="an overlay"),
    ],
)
def test_modules_are_not_kept_where_something_may_hide_them(
    options: dict[str, Any], hidden: bool
) -> None:
    site = ("/usr/lib/python3/dist-packages", "/opt/conda/lib/python3.11/site-packages")
    facts = ImageFacts(python="3.11.2", prefix="/opt/conda", site=site)
    assert _hides(SlurmOptions(**options), facts) is hidden


async def killed_build(user: User, image: str) -> None:
    """Somebody, or a full machine, kills what makes the SIF; what is half there stays."""
    cluster, executor = user.cluster, user.executor
    kill = f"pkill -KILL -u {cluster.user} -f /faults/images/; true"
    for _ in range(5):
        making = asyncio.create_task(
            executor.prepare(JobSpec("x", "dgx", "notebook", image=image), None)
        )
        await until(lambda: cluster.ssh("ls ~/faults/images 2>/dev/null || true"), 120.0)
        cluster.on("hpc-login", "sh", "-c", kill)
        (said,) = await asyncio.gather(making, return_exceptions=True)
        if isinstance(said, BaseException):
            break
        # it was quicker
        cluster.ssh("rm -rf ~/faults/images")
    assert isinstance(said, ImageError) and "cannot make a SIF" in str(said), said
    left = cluster.ssh("ls ~/faults/images").split()
    assert left and not any(name.endswith(".sif") for name in left), left


async def missing(user: User, image: str) -> Mapping[str, str] | None:
    """Versions of what the image would get for a cell; None where nobody has looked into it."""
    spec = JobSpec("x", "dgx", "notebook", image=image)
    needs = Environment((Need("tqdm", "import tqdm", ("tqdm",)),))
    found = await compare(user.executor, spec, lambda: needs, resolve=True)
    assert found is not None
    return found.added if found.known else None


async def test_jobs_run_in_a_sif_that_is_made_once(
    image: str, cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = f"/home/{cluster.user}"
    cluster.ssh("mkdir -p ~/shared; printf shared > ~/shared/shared.txt")
    mounts = ["/home/{user}/shared:/data:ro"]
    users = [a_user(cluster, tmp_path, images="here", mounts=mounts) for _ in range(2)]
    try:
        await killed_build(users[0], image)
        assert await missing(users[0], image) is None
        asked = {"image": image, "gpus": 1, "gpu_type": "v100"}
        jobs = await asyncio.gather(*(user.submit(SEES, **asked) for user in users))
        for user, job in zip(users, jobs, strict=True):
            ended, text = await user.follow(job)
            assert ended.state is State.COMPLETED, f"{ended.reason} {text}"
            assert text.startswith("kernel: Kept\n"), text
            assert "/opt/jupyter-hybrid/environments/" in text and "(3, 11)" in text
            assert f"{home}/faults/images/" in text
            # (which of a node's two GPUs it is depends on the other job)
            assert re.search(r"\n[01] True\nshared\n$", text), text
        # a job has looked into it, and the dialog knows what the image has
        assert "tqdm" in (await missing(users[0], image) or ())
        (made,) = cluster.ssh("ls ~/faults/images").split()
        assert made.endswith(".sif")
        assert cluster.ssh("ls ~/faults/pulls") == ""
        assert not list((tmp_path / "jupyter-hybrid/images").glob("pulls/*"))
        # the same file by its path; where the login node runs nothing, a job looks into it. Two
        # processes of torch find one another by the variables of torchrun
        (sif,) = cluster.ssh("ls ~/faults/images/*.sif").split()
        options = {"engine_options": ["--contain"], "mounts": [f"{torch(cluster)}:/torch"]}
        monkeypatch.setattr(images, "LOOK", 0.1)  # it waits in the queue for longer
        other = a_user(cluster, tmp_path, images="job", image=sif, **options)
        ended, text = await other.follow(await other.submit(GLOO, nodes=2, gpus=1))
        assert ended.state is State.COMPLETED, f"{ended.reason} {text}"
        assert text.splitlines()[-1] == "tqdm sum 3 of 2, by v100-01"
        hang_up(other.executor.transport)
    finally:
        cluster.ssh("rm -rf ~/shared ~/written")
        for user in users:
            await user.leave()


@contextmanager
def way_out(cluster: Cluster, host: str) -> Iterator[None]:
    """A registry of this machine can be reached from the login node, at the same address."""
    door = f"registry-{os.getpid()}.sock"
    here = cluster.directory / "run" / door
    listens = ["socat", f"UNIX-LISTEN:{here},fork", f"TCP:{host}"]
    address, port = host.split(":")
    there = f"TCP-LISTEN:{port},bind={address},fork,reuseaddr UNIX-CONNECT:/run/hpc/{door}"
    with subprocess.Popen(listens) as process:
        start = f"setsid socat {there} >/dev/null 2>&1 & echo $!"
        number = cluster.on("hpc-login", "sh", "-c", start).strip()
        try:
            yield
        finally:
            cluster.on("hpc-login", "kill", number)
            process.terminate()
    here.unlink(missing_ok=True)


async def test_the_login_node_fetches_what_it_can_reach(
    registry: Daemon, base_image: Callable[[str], str], cluster: Cluster, tmp_path: Path
) -> None:
    """Two users of the cluster at once, each with a file of their own."""
    image = push(registry, base_image("no-python"), "lab/small:1")
    with hpc.a_user() as name, way_out(cluster, registry.host):
        config = tmp_path / "other"
        config.write_text(cluster.config.read_text().replace(cluster.user, name, 1))
        other = Cluster(cluster.directory, name, config)
        users = [a_user(cluster, tmp_path), a_user(other, tmp_path)]
        try:
            # that it has no Python is found by looking into what was fetched
            for said in await asyncio.gather(
                *(user.submit("1", image=image) for user in users), return_exceptions=True
            ):
                assert isinstance(said, ImageError) and "no Python" in str(said), said
            for user in users:
                made = user.cluster.ssh("ls ~/faults/images").split()
                assert len(made) == 1 and made[0].endswith(".sif"), made
        finally:
            for user in users:
                await user.leave()


async def layers(image: str) -> list[str]:
    async with RegistryClient() as client:
        found = await client.image(parse_reference(image))
        return [layer.digest for layer in found.manifest.layers]


def test_processes_that_fetch_one_image_at_once_wait_for_one_another(
    registry: Daemon, base_image: Callable[[str], str], cluster: Cluster, tmp_path: Path
) -> None:
    """Two for one cluster, and one for another; each cluster gets the file once."""
    image = push(registry, base_image("no-python"), "lab/small:1")
    before = len(registry.log.read_text())
    options = cluster.options(engine="apptainer", images="here")
    roots = {"dgx": "~/faults", "other": "~/other"}
    targets = {name: {"executor": "slurm", "root": root, **options} for name, root in roots.items()}
    home = Home(tmp_path)
    home.write("n.ipynb", notebook("1"))
    (tmp_path / "config").mkdir()
    settings = json.dumps({"Hybrid": {"targets": targets}})
    (tmp_path / "config/jupyter_hybrid_config.json").write_text(settings)
    try:
        with ExitStack() as started:
            words = ("run", "n.ipynb", "--image", image, "--target")
            running = [
                started.enter_context(home.started(*words, name))
                for name in ("dgx", "other", "dgx")
            ]
            said = [process.communicate(timeout=120.0)[1] for process in running]
        # that it has no Python is found by looking into what was fetched
        assert ["no Python" in words for words in said] == [True] * 3, said
        for root in roots.values():
            (made,) = cluster.ssh(f"ls {root}/images").split()
            assert made.endswith(".sif") and cluster.ssh(f"ls {root}/pulls") == ""
        assert not list(home.data.rglob("images/pulls/*"))
        log = registry.log.read_text()[before:]
        for layer in asyncio.run(layers(image)):
            assert log.count(f'"GET /v2/lab/small/blobs/{layer} ') == 2
    finally:
        cluster.ssh("rm -rf ~/faults ~/other")


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
