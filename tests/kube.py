"""A pytest plugin: the cluster of ``tests/services/kubernetes``, started once.

::

    pytestmark = pytest.mark.needs(*kube.NEEDS)

    def test_…(kubernetes: Kubernetes) -> None:            # in a namespace of its own
    def test_…(kubernetes_alone: Kubernetes) -> None:      # for tests that break the cluster

Its last user stops it. Where KUBECONFIG names a cluster that one is used instead, with the image
that JUPYTER_HYBRID_TEST_IMAGE names (Python with ipykernel and papermill); tests that break a
cluster are left out there.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pytest

SERVICE = Path(__file__).resolve().parent / "services" / "kubernetes"
#: What a test with the cluster needs of the machine.
NEEDS = (
    "root",
    "debian",
    *(f"apt:{name}" for name in ("golang-go", "etcd-server", "containerd", "docker-registry")),
    *(f"apt:{name}" for name in ("containernetworking-plugins", "skopeo", "debootstrap")),
)
#: Seconds that a test may wait for its turn, beyond what it may take itself.
WAIT = 600.0
#: The cluster of whoever runs the tests.
FOREIGN = os.environ.get("KUBECONFIG", "")
IMAGE = os.environ.get("JUPYTER_HYBRID_TEST_IMAGE", "nvcr.io/base:1")
#: The interpreter in that image.
PYTHON = os.environ.get("JUPYTER_HYBRID_TEST_PYTHON", "/opt/jupyter/bin/python")


@dataclass(frozen=True)
class Kubernetes:
    """The running cluster, as its administrator in one namespace."""

    kubeconfig: Path
    program: str
    namespace: str = "default"
    #: A directory here that pods may mount as a hostPath; None where the nodes are elsewhere.
    shared: Path | None = None
    #: Address of its registry, as its nodes and this machine reach it.
    registry: str = ""

    def kubectl(self, *arguments: str, check: bool = True, **options: Any) -> str:
        """What kubectl prints in the namespace; fails with what it complains of."""
        words = [self.program, f"--kubeconfig={self.kubeconfig}", f"--namespace={self.namespace}"]
        return _output([*words, *arguments], check=check, **options)

    def get(self, *arguments: str) -> Any:
        """Objects as JSON."""
        return json.loads(self.kubectl("get", *arguments, "-o", "json"))

    def apply(self, *objects: dict[str, Any]) -> None:
        """Create or change objects."""
        listed = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        self.kubectl("apply", "-f", "-", input=json.dumps(listed))

    def service(self, *arguments: str, **options: Any) -> str:
        """What the service's own script does: kill, start, gpus, import, …"""
        return _output([str(SERVICE / "cluster"), *arguments], **options)

    @contextmanager
    def serving(self, *words: str) -> Iterator[str]:
        """A program in the cluster's network; the first line that it prints."""
        # a test run that is killed must leave no daemon behind
        argv = [str(SERVICE / "cluster"), "run", "setpriv", "--pdeathsig", "TERM", *words]
        with subprocess.Popen(
            argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as it:
            try:
                assert it.stdout is not None
                yield it.stdout.readline().strip()
            finally:
                it.terminate()

    def target(self, **options: Any) -> dict[str, Any]:
        """Options of a target on it."""
        known = {"kubeconfig": str(self.kubeconfig), "namespace": self.namespace}
        return {"image": IMAGE, "python": PYTHON, **known, **options}

    def left(self) -> list[str]:
        """What jobs have left in the namespace: jobs, pods, secrets and services by name."""
        kinds = "jobs,pods,secrets,services"
        return self.kubectl("get", kinds, "-l", "jupyter-hybrid/job", "-o", "name").split()


def _output(words: list[str], *, check: bool = True, **options: Any) -> str:
    settings: dict[str, Any] = {"stdin": subprocess.DEVNULL, **options}
    if "input" in settings:
        del settings["stdin"]
    # (without a HOME, kubectl keeps its cache where it stands)
    environment = {"HOME": str(Path.home()), **os.environ, "PYTHON": sys.executable}
    done = subprocess.run(
        words, capture_output=True, text=True, check=False, env=environment, **settings
    )
    assert not check or done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    return str(done.stdout)


def start() -> Kubernetes:
    """The cluster, started where it is not up; builds it the first time, which takes minutes."""
    if FOREIGN:
        return Kubernetes(Path(FOREIGN), shutil.which("kubectl") or "kubectl")
    started = subprocess.run(
        [str(SERVICE / "start")],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHON": sys.executable},
    )  # fmt: skip
    if started.returncode != 0:
        raise RuntimeError(f"the cluster did not start: {started.stdout}{started.stderr}")
    said = {w: _output([str(SERVICE / "cluster"), w]).strip() for w in ("kubeconfig", "kubectl")}
    directory = Path(said["kubeconfig"]).parent
    registry = f"{os.environ.get('KUBE_NET', '10.77')}.0.1:5000"
    return Kubernetes(
        Path(said["kubeconfig"]), said["kubectl"], shared=directory / "shared", registry=registry
    )


@contextmanager
def lock(name: str, kind: int) -> Iterator[IO[str]]:
    """A lock that the system takes back from a dead process."""
    path = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "jupyter-hybrid"
    path.mkdir(parents=True, exist_ok=True)
    with (path / f"kubernetes-{name}.lock").open("a") as file:
        fcntl.flock(file, kind)
        yield file


#: The turns of this process, each within the one before.
_TURNS: list[int] = []


@contextmanager
def turn(kind: int) -> Iterator[None]:
    """Test beside others (``LOCK_SH``), or alone; who waits to be alone is not overtaken.

    Within a turn another one begins at once: whoever waits to be alone waits for the outer one,
    and so the inner one must not queue behind them. To be alone cannot begin beside others.
    """
    assert not _TURNS or kind in (fcntl.LOCK_SH, _TURNS[0]), "others are in the cluster"
    with ExitStack() as held:
        if not _TURNS:
            with lock("turn", fcntl.LOCK_EX):
                held.enter_context(lock("tests", kind))
        _TURNS.append(kind)
        held.callback(_TURNS.pop)
        yield


@contextmanager
def running() -> Iterator[Kubernetes]:
    """The cluster while the block runs; the last of its users stops it."""
    with lock("users", fcntl.LOCK_SH) as users:
        with turn(fcntl.LOCK_SH):  # nobody breaks it just now
            found = start()
        yield found
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        if not FOREIGN:
            subprocess.run([str(SERVICE / "stop")], check=True, capture_output=True)


@contextmanager
def namespace(found: Kubernetes, name: str) -> Iterator[Kubernetes]:
    """The cluster with a new namespace, which is gone afterwards."""
    own = Kubernetes(found.kubeconfig, found.program, name, found.shared, found.registry)
    with turn(fcntl.LOCK_SH):
        own.kubectl("create", "namespace", name)
        deadline = time.monotonic() + 60.0
        while not own.kubectl("get", "serviceaccount", "default", "-o", "name", check=False):
            assert time.monotonic() < deadline, "the namespace got no service account"
            time.sleep(0.05)
    try:
        yield own
    finally:
        # (without a turn, which may be minutes away at the end of a test that has none: somebody
        # may have broken the cluster just now)
        own.kubectl("delete", "pods,jobs", "--all", "--force", "--grace-period=0", check=False)
        own.kubectl("delete", "namespace", name, "--wait=false", check=False)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Give tests the time for their turn: how long that is, is up to the tests of others."""
    for item in items:
        if "_kubernetes" in getattr(item, "fixturenames", ()):
            marker = item.get_closest_marker("timeout")
            own = float(marker.args[0] if marker else config.getini("timeout"))
            item.add_marker(pytest.mark.timeout(own + WAIT), append=False)


@pytest.fixture(scope="session")
def _kubernetes(request: pytest.FixtureRequest) -> Iterator[Kubernetes]:
    worker = getattr(request.config, "workerinput", {}).get("workerid", "main")
    with running() as found, namespace(found, f"test-{worker}-{os.getpid()}") as own:
        yield own


@pytest.fixture
def kubernetes(_kubernetes: Kubernetes) -> Iterator[Kubernetes]:
    """The cluster, which others may use at the same time; no job is left in the namespace."""
    with turn(fcntl.LOCK_SH):
        yield from _clean(_kubernetes)


@pytest.fixture
def kubernetes_alone(_kubernetes: Kubernetes) -> Iterator[Kubernetes]:
    """The cluster with nobody else in it, to be broken; it is whole again afterwards."""
    if FOREIGN:
        pytest.skip("does not break the cluster that KUBECONFIG names")
    with turn(fcntl.LOCK_EX):
        for _ in _clean(_kubernetes):
            yield _kubernetes
            _kubernetes.service("mend")


def _clean(cluster: Kubernetes) -> Iterator[Kubernetes]:
    yield cluster
    # what collects the pods of jobs that are gone comes back to it after pauses of its own where
    # the cluster was broken, also by the test before
    deadline = time.monotonic() + 90.0
    while (left := cluster.left()) and time.monotonic() < deadline:
        time.sleep(0.1)
    if left:
        kinds = ("jobs,pods,secrets,services", "-l", "jupyter-hybrid/job")
        cluster.kubectl("delete", *kinds, "--force", "--grace-period=0", check=False)
    assert not left, f"what outlived the test: {left}"
