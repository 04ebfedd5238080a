"""A pytest plugin: somebody on this machine who is not root, and is gone afterwards."""

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

import podman
import pytest
from commands import notebook

from jupyter_hybrid.containers.indexes import uv_environment

#: What a test with it needs of the machine.
NEEDS = ("root", "program:useradd", "program:setpriv")
#: What ``hello`` runs: it writes a file, and says who it is.
SOURCE = """import os, numpy
open('made.txt', 'w').write('x')
print(os.getuid(), numpy.__version__)"""
NAME = f"jh-podman-{os.getpid()}"


class User:
    """Somebody on this machine, with a folder; engines keep what they have there too."""

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

    def hello(self, engine: str, image: str) -> None:
        """Run a notebook in the image: its files, and all that is kept of it, are the user's."""
        config = {"Hybrid": {"targets": {"local": {"executor": "local", "engine": engine}}}}
        files = {"jupyter_hybrid_config.json": config, "hello.ipynb": notebook(SOURCE)}
        for name, content in files.items():
            (self.home / name).write_text(json.dumps(content))
        self.environ["JUPYTER_CONFIG_DIR"] = str(self.home)
        hybrid = [sys.executable, "-m", "jupyter_hybrid.cli", "run", "hello.ipynb"]
        done = self.run(*hybrid, "--image", image, "--output", "out.ipynb")
        assert f"{self.uid} 1.26.4" in done.stdout
        made = [
            *self.home.glob("*.txt"),
            self.home / "out.ipynb",
            *self.home.glob(".local/share/jupyter/**/jobs/*/*"),
        ]
        assert len(made) > 3
        assert {path.lstat().st_uid for path in made} == {self.uid}


def _at_work(uid: int) -> bool:
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if entry.name.isdigit() and entry.stat().st_uid == uid:
                return True
    return False


@pytest.fixture
def somebody() -> Iterator[User]:
    # useradd gives a range of ids as well, which rootless containers have
    subprocess.run(["useradd", "--no-create-home", NAME], check=True)
    folder = Path(tempfile.mkdtemp(prefix="pm-", dir="/tmp"))
    try:
        found = User(pwd.getpwnam(NAME).pw_uid, folder)
        for path in (folder, folder / "run", found.home):
            path.mkdir(exist_ok=True)
            os.chown(path, found.uid, found.uid)
        yield found
        # what holds the user's namespace while no container runs
        with suppress(OSError, ValueError):
            pause = folder / "run" / "libpod" / "tmp" / "pause.pid"
            os.kill(int(pause.read_text()), signal.SIGKILL)
        # podman clears its containers away behind the job's end
        deadline = time.monotonic() + 20
        while _at_work(found.uid) and time.monotonic() < deadline:
            time.sleep(0.1)
    finally:
        shutil.rmtree(folder)
        subprocess.run(["userdel", "--force", NAME], check=True, capture_output=True)
