"""A pytest plugin: the cluster of ``tests/services/hpc``, started once, stopped by its last user.

::

    pytestmark = pytest.mark.needs(*hpc.NEEDS)

    def test_…(cluster: Cluster) -> None:             # others may use it at the same time
    def test_…(cluster_alone: Cluster) -> None:       # for tests that break it

Each process that tests is a user of its own there, also of another checkout. No test leaves a job
in the queue.
"""

from __future__ import annotations

import fcntl
import itertools
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO

import pytest

from jupyter_hybrid.transport import Transport
from jupyter_hybrid.transport.ssh import SSHTransport

SERVICE = Path(__file__).resolve().parent / "services" / "hpc"
#: What a test with the cluster needs of the machine.
NEEDS = ("root", "debian", "apt:debootstrap", "apt:socat", "apt:iproute2", "apt:openssh-client")
#: Users of the cluster, as in its settings.
USERS = ("alice", "bob", "carol", "dave")


@dataclass(frozen=True)
class Cluster:
    """The running cluster, as one of its users."""

    directory: Path
    user: str
    #: Configuration for ssh, in which the login node is ``hpc``.
    config: Path

    @property
    def home(self) -> Path:
        """The user's home directory, seen from here."""
        return self.directory / "state" / "home" / self.user

    def ssh(self, command: str, **options: object) -> str:
        """What a shell command prints on the login node; fails with what it complains of."""
        words = ["ssh", "-F", str(self.config), "hpc", command]
        deadline = time.monotonic() + 20.0
        # an sshd that was just started again lets go of connections before it has answered them
        while (done := _run(words, **options)).returncode == 255 and "kex_" in done.stderr:
            assert time.monotonic() < deadline, f"{command}: {done.stderr}"
            time.sleep(0.2)
        return _checked(done)

    def on(self, node: str, *command: str) -> str:
        """What a command prints that root runs on a machine."""
        return _output([str(SERVICE / "cluster"), "exec", node, *command])

    def restart_sshd(self, *options: str) -> None:
        """Cut every connection; the server is back at once, with these options and no others."""
        self.stop_sshd()
        self.on("hpc-login", "hpc-init", "start", "sshd", *options)
        deadline = time.monotonic() + 20.0
        probe = "(exec 3<>/dev/tcp/127.0.0.1/22) 2>&1 && echo up || true"
        while "up" not in self.on("hpc-login", "bash", "-c", probe):
            assert time.monotonic() < deadline, "sshd does not answer"
            time.sleep(0.02)

    def stop_sshd(self) -> None:
        """Cut every connection; nobody answers any more."""
        self.on("hpc-login", "sh", "-c", "pkill -KILL sshd || true")

    def options(self, **more: object) -> dict[str, object]:
        """Options of a Slurm target on it."""
        ssh = ["ssh", "-F", str(self.config)]
        return {"host": "hpc", "ssh": ssh, "python": "/opt/jupyter/bin/python", **more}

    def jobs(self) -> list[str]:
        """The user's jobs in the queue: number, state and name."""
        command = ("squeue", "-h", "--array", "-u", self.user, "-o", "%i %T %j")
        return self.on("hpc-login", *command).splitlines()


def _output(words: list[str], **options: object) -> str:
    return _checked(_run(words, **options))


def _checked(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, f"{done.args[-1]}: {done.stdout}{done.stderr}"
    return done.stdout


def _run(words: list[str], **options: object) -> subprocess.CompletedProcess[str]:
    # what ends with the test must not end by the terminal's Ctrl-C
    settings = {"stdin": subprocess.DEVNULL, **options}
    if "input" in settings:
        del settings["stdin"]
    return subprocess.run(words, capture_output=True, text=True, check=False, **settings)  # type: ignore[call-overload,no-any-return]


def start(user: str, config: Path) -> Cluster:
    """The cluster, started where it is not up; builds it the first time, which takes minutes."""
    environment = {**os.environ, "PYTHON": sys.executable}
    command = [str(SERVICE / "start")]
    started = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if started.returncode != 0:
        raise RuntimeError(f"the cluster did not start: {started.stdout}{started.stderr}")
    directory = place()
    text = (directory / "ssh/config").read_text(encoding="utf-8")
    config.write_text(f"Host hpc\n  User {user}\n{text}", encoding="utf-8")
    return Cluster(directory, user, config)


def restart(cluster: Cluster) -> None:
    """Stop and start it, for a test that has it alone."""
    subprocess.run([str(SERVICE / "stop")], check=True, capture_output=True)
    start(cluster.user, cluster.config)


def hang_up(transport: Transport) -> None:
    """End the connection, and the shared one as well, which would outlive the test."""
    transport.close()
    if isinstance(transport, SSHTransport):
        transport.hang_up()


@cache
def place() -> Path:
    """Where the cluster is; another version of its scripts has another one."""
    return Path(_output([str(SERVICE / "cluster"), "directory"]).strip())


@contextmanager
def lock(name: str, kind: int) -> Iterator[IO[str]]:
    """A lock that the system takes back from a dead process."""
    path = place()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f"{path.name}-{name}.lock").open("a") as file:
        fcntl.flock(file, kind)
        yield file


@contextmanager
def turn(kind: int) -> Iterator[None]:
    """Test beside others (``LOCK_SH``), or alone; who waits to be alone is not overtaken."""
    with ExitStack() as held:
        with lock("turn", fcntl.LOCK_EX):
            held.enter_context(lock("tests", kind))
        yield


@contextmanager
def a_user() -> Iterator[str]:
    """A user who is nobody else's; where all are taken, the first one who is free again."""
    with ExitStack() as held:
        for name in itertools.cycle(USERS):
            with suppress(BlockingIOError):
                held.enter_context(lock(name, fcntl.LOCK_EX | fcntl.LOCK_NB))
                break
            time.sleep(0.1)
        yield name


@contextmanager
def running(user: str, config: Path) -> Iterator[Cluster]:
    """The cluster while the block runs; the last of those who use it stops it."""
    with lock("all", fcntl.LOCK_SH) as users:
        with turn(fcntl.LOCK_SH):  # nobody breaks it just now
            found = start(user, config)
        yield found
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        subprocess.run([str(SERVICE / "stop")], check=True, capture_output=True)


@contextmanager
def used() -> Iterator[Cluster]:
    """The cluster beside others, as a user of its own: for what is no test."""
    with ExitStack() as held:
        folder = held.enter_context(tempfile.TemporaryDirectory())
        user = held.enter_context(a_user())
        cluster = held.enter_context(running(user, Path(folder, "config")))
        held.enter_context(turn(fcntl.LOCK_SH))
        yield cluster


@pytest.fixture(scope="session")
def _cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    config = tmp_path_factory.mktemp("hpc") / "config"
    with a_user() as user, running(user, config) as found:
        yield found


@pytest.fixture
def cluster(_cluster: Cluster) -> Iterator[Cluster]:
    """The cluster, which others may use at the same time; nothing of the user's is left in it."""
    with turn(fcntl.LOCK_SH):
        yield from _clean(_cluster)


@pytest.fixture
def cluster_alone(_cluster: Cluster) -> Iterator[Cluster]:
    """The cluster with nobody else in it, to be broken; it is whole again afterwards."""
    with turn(fcntl.LOCK_EX):
        yield from _clean(_cluster)


def _clean(cluster: Cluster) -> Iterator[Cluster]:
    yield cluster
    deadline = time.monotonic() + 60.0
    while (left := cluster.jobs()) and time.monotonic() < deadline:
        time.sleep(0.1)
    if left:
        cluster.on("hpc-login", "scancel", "--user", cluster.user)
    assert not left, f"jobs outlived the test: {left}"
