"""``binder/`` does what mybinder.org would do with it: postBuild works, and the demo runs."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from prepare import install_packages
from test_packaging import copy_of_the_tree
from tree import ROOT

BINDER = ROOT / "binder"


def pip_requirements() -> list[str]:
    """The pip section of environment.yml."""
    environment = yaml.safe_load((BINDER / "environment.yml").read_text(encoding="utf-8"))
    (section,) = [entry for entry in environment["dependencies"] if isinstance(entry, dict)]
    return list(section["pip"])


@pytest.fixture(scope="module")
def prefix() -> Path:
    """An environment with what environment.yml asks for; kept in the cache for the next time."""
    wanted = pip_requirements()
    key = hashlib.sha256(json.dumps([wanted, sys.version, sys.prefix]).encode()).hexdigest()[:16]
    home = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    prefix = Path(home, "jupyter-hybrid", f"binder-{key}")
    if not (prefix / "complete").exists():
        shutil.rmtree(prefix, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(prefix)], check=True)
        install_packages(prefix / "bin" / "python", wanted)
        (prefix / "complete").touch()
    return prefix


@pytest.fixture(scope="module")
def user(prefix: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment variables of a binder user: that environment first, a home of their own."""
    home = tmp_path_factory.mktemp("jovyan")
    mine = ("PATH", "LANG", "TMPDIR")
    kept = {k: v for k, v in os.environ.items() if k in mine or k.startswith(("PIP_", "SSL_"))}
    return {**kept, "HOME": str(home), "PATH": f"{prefix / 'bin'}:{os.environ['PATH']}"}


@pytest.fixture(scope="module")
def repository(user: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of the repository in which postBuild was run."""
    clone = copy_of_the_tree(tmp_path_factory.mktemp("repository"))
    call(["binder/postBuild"], clone, user)
    return clone


def call(command: list[str], directory: Path, env: dict[str, str]) -> str:
    done = subprocess.run(
        command,
        cwd=directory,
        env=env,
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.timeout(600)
def test_the_demo_runs_in_the_environment_that_postbuild_leaves(
    repository: Path, user: dict[str, str], tmp_path: Path
) -> None:
    output = tmp_path / "executed.ipynb"
    command = ["papermill", "binder/demo.ipynb", str(output), "--cwd", "binder", "-k", "python3"]
    call([*command, "-p", "epochs", "8"], repository, user)
    cells = json.loads(output.read_text(encoding="utf-8"))["cells"]
    outputs = {cell["id"]: cell.get("outputs", []) for cell in cells}
    kinds = {kind for out in outputs["remote"] for kind in out.get("data", {})}
    assert "text/html" in kinds, "the job's table did not come back"
    text = "".join("".join(out.get("text", "")) for out in outputs["remote"])
    assert "256 units: 100%" in text, "the job's progress bar did not come back"
    assert any("image/png" in out.get("data", {}) for out in outputs["plots"])


def test_the_demo_is_committed_without_outputs_and_has_parameters() -> None:
    notebook = json.loads((BINDER / "demo.ipynb").read_text(encoding="utf-8"))
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert not any(cell["outputs"] or cell["execution_count"] for cell in code)
    assert [c["id"] for c in code if "parameters" in c["metadata"].get("tags", [])]
    assert any("".join(cell["source"]).startswith("%%remote") for cell in code)


def test_environment_has_what_the_extra_demo_has() -> None:
    extra = {"matplotlib", "pandas", "scikit-learn", "tqdm"}
    assert extra <= {requirement.split(">")[0] for requirement in pip_requirements()}
