"""podman of a user who is not root: jobs run, and all that they write belongs to that user."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

import bases
import podman
import pytest
from commands import notebook

from jupyter_hybrid.containers.indexes import uv_environment

pytestmark = [
    pytest.mark.needs(*bases.NEEDS, "apt:uidmap", "program:useradd", "program:setpriv"),
    pytest.mark.timeout(300),
]

NAME = f"jh-podman-{os.getpid()}"
SOURCE = """import os, numpy
open('made.txt', 'w').write('x')
print(os.getuid(), numpy.__version__)"""


class User:
    """Somebody on this machine, with a folder."""

    def __init__(self, uid: int, folder: Path) -> None:
        self.uid, self.home = uid, folder / "home"
        indexes = {n: v for n, v in uv_environment().items() if n.startswith(("UV_", "SSL_"))}
        self.environ = {
            **{**indexes, **podman.configured(folder)},
            **{"PATH": os.environ["PATH"], "HOME": str(self.home), "LANG": "C.UTF-8"},
            **{"XDG_RUNTIME_DIR": str(folder / "run"), "UV_CACHE_DIR": str(self.home / "uv")},
        }

    def run(self, *words: str, stdin: IO[bytes] | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command as that user, who may read all files here: Python may be root's own."""
        ids = [f"--reuid={self.uid}", f"--regid={self.uid}", "--clear-groups"]
        may = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
        done = subprocess.run(
            ["setpriv", *ids, *may, *words],
            env=self.environ, cwd=self.home,
            stdin=stdin, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done


def _at_work(uid: int) -> bool:
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if entry.name.isdigit() and entry.stat().st_uid == uid:
                return True
    return False


@pytest.fixture
def user() -> Iterator[User]:
    # useradd gives a range of ids as well, which rootless containers have
    subprocess.run(["useradd", "--no-create-home", NAME], check=True)
    folder = Path(tempfile.mkdtemp(prefix="pm-", dir="/tmp"))
    try:
        somebody = User(pwd.getpwnam(NAME).pw_uid, folder)
        for path in (folder, folder / "run", somebody.home):
            path.mkdir(exist_ok=True)
            os.chown(path, somebody.uid, somebody.uid)
        yield somebody
        # what holds the user's namespace while no container runs
        with suppress(OSError, ValueError):
            pause = folder / "run" / "libpod" / "tmp" / "pause.pid"
            os.kill(int(pause.read_text()), signal.SIGKILL)
        # podman clears its containers away behind the job's end
        deadline = time.monotonic() + 20
        while _at_work(somebody.uid) and time.monotonic() < deadline:
            time.sleep(0.1)
    finally:
        shutil.rmtree(folder)
        subprocess.run(["userdel", "--force", NAME], check=True, capture_output=True)


def test_a_job_runs_by_rootless_podman_and_its_files_are_the_user_s(user: User) -> None:
    changes = [word for line in bases.CONFIG["ngc"] for word in ("--change", line)]
    # (in the namespace of its own that podman works in nobody may read what is root's)
    with bases.tar_of("ngc").open("rb") as tar:
        user.run("podman", "import", "--quiet", *changes, "-", "localhost/ngc:1", stdin=tar)
    config = {"Hybrid": {"targets": {"local": {"executor": "local", "engine": "podman"}}}}
    files = {"jupyter_hybrid_config.json": config, "hello.ipynb": notebook(SOURCE)}
    for name, content in files.items():
        (user.home / name).write_text(json.dumps(content))
    user.environ["JUPYTER_CONFIG_DIR"] = str(user.home)
    hybrid = [sys.executable, "-m", "jupyter_hybrid.cli", "run", "hello.ipynb"]
    done = user.run(*hybrid, "--image", "localhost/ngc:1", "--output", "out.ipynb")
    assert f"{user.uid} 1.26.4" in done.stdout
    made = [
        *user.home.glob("*.txt"),
        user.home / "out.ipynb",
        *user.home.glob(".local/share/jupyter/**/jobs/*/*"),
    ]
    assert len(made) > 3
    assert {path.lstat().st_uid for path in made} == {user.uid}
