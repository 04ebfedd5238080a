"""A notebook in an image by podman: ours, and papermill in that image; and a second submit."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import bases
import podman
from commands import Home
from harness import Bench
from spine import a_home, hybrid, python_notebook

from jupyter_hybrid.capture.packages import job_environment
from jupyter_hybrid.executors.base import TargetConfig
from jupyter_hybrid.executors.local import LocalExecutor
from jupyter_hybrid.spec import JobSpec

NEEDED = ("podman", "runc", "dpkg-query")


def rows(bench: Bench) -> None:
    """Measure."""
    name = "hello notebook in podman"
    missing = [program for program in NEEDED if shutil.which(program) is None]
    if missing or os.geteuid() != 0:
        bench.gap(name, f"needs root and {', '.join(missing or NEEDED)}")
        return
    with ExitStack() as stack:
        words, environment = stack.enter_context(podman.storage())
        image = bases.imported(words, environment, "papermill")
        home = stack.enter_context(a_home())
        home.environ.update(environment)
        os.environ.update(environment)
        settings = {"targets": {"local": {"executor": "local", "engine": "podman"}}}
        folder = Path(home.environ["JUPYTER_CONFIG_DIR"])
        folder.mkdir()
        (folder / "jupyter_hybrid_config.json").write_text(json.dumps({"Hybrid": settings}))
        hello = Hello(home, image)
        note = "podman run IMAGE papermill"
        bench.compare(name, ours=hello.ours, peer=hello.peer, bar=0.55, note=note)
        again = "second submit to podman: capture, image, layers"
        bench.limit(again, Second(home, image).prepare, bar=0.1, note="the same kernel")


class Hello:
    """One line, from the command to its end."""

    def __init__(self, home: Home, image: str) -> None:
        self._home, self._image, self._numbers = home, image, count()
        home.write("hello.ipynb", python_notebook("print('hello')"))

    def ours(self) -> None:
        """Submit, watch, fetch."""
        out = f"ours-{next(self._numbers)}.ipynb"
        words = ("run", "hello.ipynb", "--image", self._image, "--output", out, "--quiet")
        hybrid(self._home, *words)
        self._must_say_hello(out)

    def peer(self) -> None:
        """papermill in a container that sees the folder."""
        work, out = self._home.work, f"peer-{next(self._numbers)}.ipynb"
        command = [
            "podman",
            "run",
            "--rm",
            f"--volume={work}:/work",
            "--workdir=/work",
            self._image,
        ]
        command += ["python3", "-m", "papermill", "hello.ipynb", out, "-k", "python3"]
        done = subprocess.run(
            command, env=self._home.environ, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise RuntimeError(done.stderr)
        self._must_say_hello(out)

    def _must_say_hello(self, name: str) -> None:
        notebook = json.loads((self._home.work / name).read_bytes())
        texts = [o.get("text") for c in notebook["cells"] for o in c.get("outputs", ())]
        if "hello" not in json.dumps(texts):
            raise RuntimeError(f"{name} says {texts}")


class Second:
    """What a submit does before there is a job, once it has been done before."""

    def __init__(self, home: Home, image: str) -> None:
        root = home.data
        target = TargetConfig(
            name="local", executor="local", root=root, options={"engine": "podman"}
        )
        self._executor, self._folder = LocalExecutor(target), home.work
        self._spec = JobSpec(name="x", target="local", kind="notebook", image=image)

    def prepare(self) -> None:
        """Find out what is needed, look at the image, find the layers."""
        needs = job_environment(["import numpy, pathspec"], self._folder)
        prepared = asyncio.run(self._executor.prepare(self._spec, needs))
        if "pathspec" not in prepared.packages:
            raise RuntimeError(f"no pathspec in {prepared}")
