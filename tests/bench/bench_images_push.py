"""A job's layer on a base image, pushed to a registry on this machine: ours, and podman's way."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path

import podman
from harness import ROOT, Bench
from images import put_image
from registries import Daemon, Options, start

from jupyter_hybrid.containers.append import Append, Pushed, append
from jupyter_hybrid.containers.layers import Layer
from jupyter_hybrid.containers.references import parse_reference
from jupyter_hybrid.containers.registry import RegistryClient
from jupyter_hybrid.containers.tars import tree_entries, write_layer

#: Bytes of a job's code, and of each layer of the base.
JOB, LAYER, LAYERS = 2 << 20, 30 << 20, 6
NEEDED = ("docker-registry", "podman", "runc")


def rows(bench: Bench) -> None:
    """Measure."""
    name = "base + 2 MB layer, pushed and ready to pull"
    missing = [program for program in NEEDED if shutil.which(program) is None]
    if missing or os.geteuid() != 0:
        bench.gap(name, f"needs root and {', '.join(missing or NEEDED)}")
        return
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=ROOT / "build")))
        registry = stack.enter_context(_registry(folder))
        words, environment = stack.enter_context(podman.storage())
        ours = Ours(registry, folder)
        peer = Podman(registry, folder, words, {**os.environ, **environment})
        bench.compare(name, ours=ours.submit, peer=peer.submit, bar=0.05, note="podman build, push")
        bench.limit(f"{name}: alone", ours.submit, bar=0.25, note="packed, appended, pushed")
        again = "second submit, nothing changed"
        sent: list[float] = []
        bench.limit(again, lambda: ours.again(sent), bar=0.1)
        bench.figures(f"{again}: sent", sent, bar=0.0, unit="B")


@contextmanager
def _registry(folder: Path) -> Iterator[Daemon]:
    registry = start(folder / "registry", Options("open"))
    try:
        layers = [{f"usr/lib/base{n}": os.urandom(LAYER)} for n in range(LAYERS)]
        put_image(registry.host, "nvidia/pytorch:24.01-py3", layers, docker=True)
        yield registry
    finally:
        registry.stop()


class Ours:
    """What a submit does once it knows what the job is."""

    def __init__(self, registry: Daemon, folder: Path) -> None:
        self._host, self._folder = registry.host, folder
        self._numbers = count()
        self._last = -1
        self._layer: Layer | None = None

    def submit(self) -> None:
        """Pack 2 MB that nobody has seen, append them, push the image."""
        self._last = next(self._numbers)
        code = self._folder / f"ours-{self._last}"
        code.mkdir()
        (code / "job.bin").write_bytes(os.urandom(JOB))
        self._layer = write_layer(tree_entries(code, "job"), code.with_suffix(".tar.gz"))
        pushed = asyncio.run(self._append(self._layer))
        if pushed.sent < JOB:
            raise RuntimeError(f"{pushed.sent} bytes were sent")
        _must_be_there(self._host, f"lab/ours/manifests/{pushed.reference.digest}")

    def again(self, sent: list[float]) -> None:
        """The same once more."""
        assert self._layer is not None
        sent.append(float(asyncio.run(self._append(self._layer)).sent))

    async def _append(self, layer: Layer) -> Pushed:
        base = parse_reference(f"{self._host}/nvidia/pytorch:24.01-py3")
        target = parse_reference(f"{self._host}/lab/ours:{self._last}")
        async with RegistryClient(cache=self._folder / "configurations") as client:
            wish = Append(await client.image(base), [layer], target)
            return await append(client, wish, self._folder / "notes")


class Podman:
    """The same with podman: a Containerfile of two lines, whose base it has already."""

    def __init__(
        self, registry: Daemon, folder: Path, words: list[str], environment: dict[str, str]
    ) -> None:
        self._host, self._context = registry.host, folder / "context"
        self._words, self._environment = words, environment
        self._numbers = count()
        self._context.mkdir()
        base = f"{self._host}/nvidia/pytorch:24.01-py3"
        self._run("pull", "--quiet", "--tls-verify=false", base)
        (self._context / "Containerfile").write_text(f"FROM {base}\nCOPY job.bin /job/job.bin\n")

    def submit(self) -> None:
        """Build and push."""
        number = next(self._numbers)
        (self._context / "job.bin").write_bytes(os.urandom(JOB))
        name = f"{self._host}/lab/podman:{number}"
        self._run("build", "--quiet", "--tag", name, str(self._context))
        self._run("push", "--quiet", "--tls-verify=false", name)
        _must_be_there(self._host, f"lab/podman/manifests/{number}")

    def _run(self, *words: str) -> None:
        done = subprocess.run(
            [*self._words, *words],
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"podman {words[0]}: {done.stderr}")


def _must_be_there(host: str, path: str) -> None:
    accept = "application/vnd.docker.distribution.manifest.v2+json"
    accept += ", application/vnd.oci.image.manifest.v1+json"
    request = urllib.request.Request(f"http://{host}/v2/{path}", headers={"Accept": accept})
    with urllib.request.urlopen(request, timeout=30) as answer:
        json.load(answer)
