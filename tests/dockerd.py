"""Docker's daemon on machines like CI's: root without CAP_SYS_RESOURCE, nobody's network touched.

It keeps all that it has in one folder and is spoken to by a socket there, so that it and a daemon
of the machine's own know nothing of one another. Its containers have no network but the machine's,
where they ask for that, or none: a bridge would be everybody's. ``tests/services/docker/start``
starts one for people.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

#: What a test with it needs of the machine.
NEEDS = ("root", "apt:docker.io", "apt:containerd", "apt:runc", "program:docker")
#: Seconds that the daemon has to start, and to end.
PATIENCE = 120.0
#: Stands for the program of NVIDIA's toolkit that lets a container have GPUs: Docker offers them
#: where it finds one of this name, and calls it before a container starts. The real one would bring
#: the driver in; what this one is told shows in the container's variables.
HOOK = "#!/bin/sh\nexit 0\n"
OPTIONS = (
    *("--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false"),
    *("--ip-masq=false", "--storage-driver=overlay2", "--exec-opt=native.cgroupdriver=cgroupfs"),
    # limits that need not be raised: that is not allowed there
    "--default-ulimit=nofile=1024:1024",
)

_children: dict[int, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True)
class Daemon:
    """One that runs."""

    directory: Path
    pid: int

    @property
    def socket(self) -> Path:
        return self.directory / "sock"

    @property
    def log(self) -> Path:
        return self.directory / "log"

    @property
    def environment(self) -> dict[str, str]:
        """What the client is to be started with: this daemon, and nobody's logins."""
        here = {"DOCKER_HOST": f"unix://{self.socket}"}
        return {**here, "DOCKER_CONFIG": str(self.directory / "client")}

    def docker(self, *words: str) -> str:
        """What the client prints; fails as it does."""
        environ = {**os.environ, **self.environment}
        done = subprocess.run(
            ["docker", *words], env=environ, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


def start(directory: Path, *, stays: bool = False, gpus: bool = True) -> Daemon:
    """Start a daemon that keeps everything in the directory; it answers when this returns.

    The directory's path must be short: sockets have names of a hundred bytes at the most.
    ``stays`` is for one that shall outlive whoever starts it, ``gpus`` for one that offers some.
    """
    for name in ("bin", "client"):
        (directory / name).mkdir(parents=True)
    (directory / "daemon.json").write_text("{}")
    # (podman reads the client's as well, where a variable names it)
    (directory / "client" / "config.json").write_text("{}")
    hook = directory / "bin" / "nvidia-container-runtime-hook"
    if gpus:
        hook.write_text(HOOK)
        hook.chmod(0o755)
    places = {"data-root": "root", "exec-root": "exec", "pidfile": "pid"}
    places["config-file"] = "daemon.json"
    words = [f"--{option}={directory / name}" for option, name in places.items()]
    # a test run that is killed must leave no daemon behind
    bound = [] if stays else ["setpriv", "--pdeathsig", "TERM"]
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(
            [*bound, "dockerd", *words, f"--host=unix://{directory / 'sock'}", *OPTIONS],
            env={**os.environ, "PATH": f"{hook.parent}:{os.environ['PATH']}:/usr/sbin:/sbin"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    daemon = Daemon(directory, process.pid)
    _children[process.pid] = process
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        if "API listen on" in daemon.log.read_text():
            return daemon
        time.sleep(0.02)
    stop(daemon)
    raise RuntimeError(f"no Docker daemon: {daemon.log.read_text()[-2000:]}")


def stop(daemon: Daemon) -> None:
    """End it, and containerd with it; what it kept is gone afterwards."""
    process = _children.pop(daemon.pid, None)
    _signal(daemon.pid, signal.SIGTERM)
    deadline = time.monotonic() + PATIENCE
    while _runs(daemon.pid, process) and time.monotonic() < deadline:
        time.sleep(0.02)
    _signal(daemon.pid, signal.SIGKILL)
    if process is not None:
        process.wait()
    for mount in _mounts(daemon.directory):
        subprocess.run(["umount", "-l", mount], capture_output=True, check=False)
    shutil.rmtree(daemon.directory)


@contextmanager
def running(*, gpus: bool = True) -> Iterator[Daemon]:
    """A daemon for as long as the block lasts; its containers end with it."""
    daemon = start(Path(tempfile.mkdtemp(prefix="dk-", dir="/tmp"), "d"), gpus=gpus)
    try:
        yield daemon
    finally:
        if left := daemon.docker("ps", "--all", "--quiet").split():
            daemon.docker("rm", "--force", *left)
        stop(daemon)
        daemon.directory.parent.rmdir()


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def _runs(pid: int, process: subprocess.Popen[bytes] | None) -> bool:
    return Path(f"/proc/{pid}").exists() if process is None else process.poll() is None


def _mounts(directory: Path) -> list[str]:
    """Where something is mounted below the directory, the deepest first."""
    lines = Path("/proc/self/mounts").read_text().splitlines()
    found = [line.split()[1] for line in lines]
    return sorted((m for m in found if m.startswith(f"{directory}/")), reverse=True)
