"""The runner as a layer: real jobs in a root that has a bare Python and nothing of ours."""

import asyncio
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
from layered import run_on

from jupyter_hybrid.containers.environments import PackageLayers
from jupyter_hybrid.containers.layer_store import PackageLayer
from jupyter_hybrid.containers.runners import TRAVELS, RunnerLayers, code_digest
from jupyter_hybrid.environment.diff import diff
from jupyter_hybrid.environment.facts import ImageFacts, parse_probe, probe_command
from jupyter_hybrid.environment.needs import Environment, Need
from jupyter_hybrid.errors import ImageError

DEBIAN = "/usr/bin/python3"

#: Runs in the root: makes a job of the notebook in its argument, runs it, prints what came.
DRIVER = """
import json, pathlib, subprocess, sys
runner, cells = sys.argv[1], json.loads(sys.argv[2])
job = pathlib.Path("/tmp/job")
(job / "work").mkdir(parents=True)
(job / "spec.json").write_text(json.dumps({"name": "n", "target": "t", "kind": "notebook"}))
cells = [dict(cell_type="code", id=f"c{n}", metadata={}, source=text, outputs=[],
              execution_count=None) for n, text in enumerate(cells)]
notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}
(job / "notebook.ipynb").write_text(json.dumps(notebook))
command = [sys.executable, runner, str(job), "--blobs", "/tmp/blobs"]
done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
print(done.stdout.decode())
result = json.loads((job / "result.ipynb").read_text())
outputs = ["".join(o.get("text", [])) for c in result["cells"] for o in c["outputs"]]
print(json.dumps({"exit": json.loads((job / "exit.json").read_text()), "outputs": outputs}))
"""
CELLS = [
    "import sys, json, emcee\nprint(emcee.__version__)",
    "def there(name):\n"
    "    try:\n        __import__(name)\n    except ImportError:\n        return False\n"
    "    return True\n"
    "print(json.dumps([there(n) for n in ('papermill', 'nbclient', 'nbformat')]))",
    "print(json.dumps(sys.path))",
    "import subprocess\nprint(subprocess.run([sys.executable, '-c', 'import emcee, sys; "
    "print(emcee.__file__); import papermill'], capture_output=True, text=True).stdout)",
]


def facts_of(python: str) -> ImageFacts:
    done = subprocess.run(probe_command([python]), capture_output=True, text=True, check=True)
    return parse_probe(done.stdout)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("layers")


def layers(cache: Path, facts: ImageFacts) -> tuple[PackageLayer, PackageLayer]:
    needs = Environment((Need("emcee", "imported", ("emcee",), "3.1.6"),))
    packages = asyncio.run(PackageLayers(cache).layer(diff(needs, facts), facts))
    assert packages is not None
    return asyncio.run(RunnerLayers(cache).layer(facts)), packages


def run_job(cache: Path, python: str, mount: Path) -> tuple[Any, PackageLayer, PackageLayer]:
    runner, packages = layers(cache, facts_of(python))
    command = [python, "-c", DRIVER, runner.directory, json.dumps(CELLS)]
    done = run_on([packages.layer.path, runner.layer.path], command, mount)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1]), runner, packages


def pythons() -> list[str]:
    """Interpreters of this machine that jobs can run in: Debian's, the oldest and the newest."""
    others = [str(path) for path in Path.home().glob(".pyenv/versions/3.*/bin/python")]
    usable = sorted((facts_of(p).minor, p) for p in others if facts_of(p).usable)
    return [DEBIAN, *dict.fromkeys(path for _, path in (usable[:1] + usable[-1:]))]


@pytest.mark.needs("root", "debian", f"path:{DEBIAN}")
@pytest.mark.parametrize("python", pythons())
def test_a_job_in_a_root_without_anything_of_ours(python: str, cache: Path, tmp_path: Path) -> None:
    said, runner, packages = run_job(cache, python, tmp_path / "root")
    assert said["exit"]["state"] == "COMPLETED", said
    version, theirs, path, child = said["outputs"]
    assert version.strip() == "3.1.6"
    # the runner's packages are the runner's, and the kernel sees none of them
    assert json.loads(theirs) == [False, False, False]
    assert runner.directory not in json.loads(path)
    assert packages.directory in json.loads(path)
    # programs that the notebook starts see its packages, and no papermill
    assert child.strip().startswith(packages.directory)


def test_the_runner_has_what_travels_and_what_it_imports(cache: Path) -> None:
    runner = asyncio.run(RunnerLayers(cache).layer(facts_of(sys.executable)))
    with tarfile.open(runner.layer.path) as tar:
        names = tar.getnames()
    below = runner.directory.lstrip("/")
    for name in (*TRAVELS, "../papermill", "../nbclient", "../cloudpickle"):
        path = os.path.normpath(f"{below}/jupyter_hybrid/{name}")
        assert path in names or f"{path}.py" in names
    # whatever kernel there is must be the image's or the environment's
    assert f"{below}/ipykernel" not in names
    assert f"{below}/jupyter_hybrid/manager.py" not in names
    assert all(name.startswith(below) or below.startswith(name) for name in names)
    assert len(code_digest()) == 64


@pytest.mark.parametrize("python", [None, "3.7.9"])
def test_no_runner_for_what_cannot_run_it(python: str | None, cache: Path) -> None:
    with pytest.raises(ImageError, match=r"3\.8 or newer"):
        asyncio.run(RunnerLayers(cache).layer(ImageFacts(python)))
