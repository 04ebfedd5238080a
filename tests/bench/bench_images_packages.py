"""What a notebook needs, found; what its image lacks, made into a layer and pushed."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from itertools import count
from pathlib import Path

import corpus
from harness import ROOT, Bench
from images import put_image
from registries import Daemon, Options, start

from jupyter_hybrid.capture.packages import job_environment
from jupyter_hybrid.containers.append import Append, append
from jupyter_hybrid.containers.environments import PackageLayers
from jupyter_hybrid.containers.references import parse_reference
from jupyter_hybrid.containers.registry import RegistryClient
from jupyter_hybrid.environment.diff import Difference, diff
from jupyter_hybrid.environment.facts import ImageFacts, parse_probe, probe_command

#: Its packages and theirs: 25 that an empty image lacks.
MISSING = "import seaborn, sklearn, yaml, bs4, xarray"
PACKAGES = 25
BASE = "lab/base:1"
#: Forty imports: of the standard library, of packages, of packages' parts.
FORTY = """
import os, sys, re, json, math, time, random, itertools, functools, collections, pathlib, logging
import datetime, subprocess, tempfile, warnings, dataclasses, typing, concurrent.futures, csv
import numpy as np, pandas as pd, scipy.stats, scipy.optimize, matplotlib.pyplot as plt
import seaborn as sns, sklearn, xarray as xr, yaml, tqdm, attr, emcee, bs4, pyarrow, cv2
from sklearn.linear_model import LinearRegression
from PIL import Image
from dateutil import parser
from google.cloud import storage
from matplotlib.colors import LogNorm
"""
CAPTURE = """
import sys, time
from pathlib import Path
import corpus
began = time.perf_counter()
from jupyter_hybrid.capture.packages import job_environment
with corpus.installed_here(Path(sys.argv[1])):
    found = job_environment([sys.argv[2]], Path(sys.argv[3]))
print(time.perf_counter() - began)
assert len(found.needs) >= 17 and not found.missing, found
"""


def rows(bench: Bench) -> None:
    """Measure."""
    site = corpus.here()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=ROOT / "build")))
        name = "capture of a notebook with 40 imports"
        bench.limit(name, lambda: _capture(site, folder), bar=0.3, note="in a new process")
        facts = _facts(folder)
        again = "second submit: capture, comparison, layer"
        bench.limit(again, Second(site, folder, facts).submit, bar=0.1, note="the same kernel")
        pushed = f"{PACKAGES} packages missing, warm uv cache, to a pushed layer"
        if shutil.which("docker-registry") is None:
            bench.gap(pushed, "needs docker-registry")
            return
        registry = start(folder / "registry", Options("open"))
        stack.callback(registry.stop)
        put_image(registry.host, BASE, [{"etc/motd": b"hello"}], docker=True)
        bench.limit(pushed, First(registry, site, folder, facts).submit, bar=3.0)


def _capture(site: Path, folder: Path) -> float:
    command = [sys.executable, "-c", CAPTURE, str(site), FORTY, str(folder)]
    path = str(Path(__file__).resolve().parents[1])
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, env={"PYTHONPATH": path}
    )
    return float(done.stdout)


def _facts(folder: Path) -> ImageFacts:
    """This Python without packages."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    command = probe_command([str(folder / "venv/bin/python")])
    return parse_probe(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def _difference(site: Path, folder: Path, facts: ImageFacts) -> Difference:
    with corpus.installed_here(site):
        return diff(job_environment([MISSING], folder), facts, kernel=False)


class Second:
    """A submit whose environment has been made before."""

    def __init__(self, site: Path, folder: Path, facts: ImageFacts) -> None:
        self._site, self._folder, self._facts = site, folder, facts

    def submit(self) -> None:
        """Capture, compare, find the layer on the disk."""
        difference = _difference(self._site, self._folder, self._facts)
        layers = PackageLayers(self._folder / "second")
        assert asyncio.run(layers.layer(difference, self._facts)) is not None


class First:
    """A submit whose layer has to be made and sent: each time another one."""

    def __init__(self, registry: Daemon, site: Path, folder: Path, facts: ImageFacts) -> None:
        self._registry, self._site, self._folder, self._facts = registry, site, folder, facts
        self._numbers = count()

    def submit(self) -> None:
        """Capture, compare, resolve, unpack, pack, push."""
        asyncio.run(self._submit(next(self._numbers)))

    async def _submit(self, number: int) -> None:
        # another interpreter makes another lock, and so another layer
        facts = replace(self._facts, executable=f"/opt/python{number}")
        difference = _difference(self._site, self._folder, facts)
        directory = self._folder / f"layers{number}"
        made = await PackageLayers(directory).layer(difference, facts)
        assert made is not None
        assert len(made.packages) == PACKAGES, sorted(made.packages)
        async with RegistryClient(cache=self._folder / "configurations") as client:
            base = await client.image(parse_reference(f"{self._registry.host}/{BASE}"))
            target = parse_reference(f"{self._registry.host}/lab/job{number}:1")
            await append(client, Append(base, [made.layer], target), self._folder / "locks")
        shutil.rmtree(directory, ignore_errors=True)
