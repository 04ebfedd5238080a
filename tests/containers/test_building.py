"""Images from recipes, into a registry: what is in them, and what is left where they fail."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import bases
import dockerd
import pytest
from registries import Daemon

from jupyter_hybrid.cli import main
from jupyter_hybrid.containers.append import Append, append
from jupyter_hybrid.containers.compose import Changes
from jupyter_hybrid.containers.references import parse_reference
from jupyter_hybrid.containers.registry import RegistryClient

pytestmark = [pytest.mark.needs(*bases.NEEDS, "apt:docker-registry"), pytest.mark.timeout(300)]

RECIPE = """
base: {base}
packages: [tqdm]
files:
  code: /workspace
  root: /
  apt-get: /usr/local/bin/apt-get
env: {{LAB: physics}}
labels: {{maintainer: ada}}
entrypoint: [python3, -c, "import os, tqdm, train; print(tqdm.__name__, os.environ['LAB'])"]
workdir: /workspace
"""
#: Looked for before a test hides it.
PODMAN = shutil.which("podman") or "podman"
BUILDERS = [
    "podman",
    pytest.param("docker", marks=pytest.mark.needs(*dockerd.NEEDS)),
    pytest.param("buildah", marks=pytest.mark.needs("apt:buildah")),
]
#: What stands for Debian's program, which the base does not have.
APT_GET = "#!/bin/sh\ncase $* in *graphviz*) echo yes >/graphviz;; esac\n"


def podman(*words: str) -> str:
    done = subprocess.run([PODMAN, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def base(base_image: Callable[[str], str], open_registry: Daemon, tmp_path: Path) -> str:
    name = f"{open_registry.host}/lab/debian:1"
    podman("push", "--quiet", "--tls-verify=false", base_image("base"), name)
    (tmp_path / "code").mkdir()
    (tmp_path / "code/train.py").write_text("EPOCHS = 3\n")
    (tmp_path / "root/srv").mkdir(parents=True)
    (tmp_path / "root/srv/data.txt").write_text("1 2 3\n")
    (tmp_path / "apt-get").write_text(APT_GET)
    (tmp_path / "apt-get").chmod(0o755)
    return name


@pytest.fixture
def another(base_image: Callable[[str], str]) -> str:
    """An image with nothing in it that could build."""
    return base_image("no-python")


def _committed(folder: Path) -> str:
    """Have the folder under git; returns the commit."""
    who = ["-c", "user.name=ada", "-c", "user.email=ada@lab"]
    git = ["git", "-C", str(folder)]
    subprocess.run([*git, "init", "--quiet"], check=True)
    subprocess.run([*git, *who, "commit", "--quiet", "--allow-empty", "-m", "x"], check=True)
    done = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    return done.stdout.strip()


async def _run_as(user: str, image: str) -> str:
    """The same image for another user; returns its name with its digest."""
    reference = parse_reference(image)
    async with RegistryClient() as client:
        target = replace(reference, tag="of-another", digest="")
        wish = Append(await client.image(reference), [], target, Changes(user=user))
        with tempfile.TemporaryDirectory() as notes:
            return str((await append(client, wish, Path(notes))).reference)


def written(tmp_path: Path, text: str) -> str:
    path = tmp_path / "recipe.yml"
    path.write_text(text)
    return str(path)


def test_a_recipe_is_appended_without_an_engine(
    base: str, open_registry: Daemon, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = f"{open_registry.host}/lab/wrapped:1"
    commit = _committed(tmp_path)
    recipe = written(tmp_path, RECIPE.format(base=base))
    assert main(["image", "build", recipe, target, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["image"].startswith(f"{target}@sha256:") and list(said["packages"]) == ["tqdm"]
    podman("pull", "--quiet", "--tls-verify=false", target)
    assert podman("run", "--rm", target) == "tqdm physics\n"
    assert podman("run", "--rm", "--entrypoint=", target, "cat", "/srv/data.txt") == "1 2 3\n"
    labels = json.loads(podman("image", "inspect", "--format={{json .Labels}}", target))
    assert labels["maintainer"] == "ada"
    assert labels["org.opencontainers.image.revision"] == commit
    assert labels["org.opencontainers.image.base.digest"].startswith("sha256:")
    assert len(labels["io.jupyter-hybrid.lock"]) == len(labels["io.jupyter-hybrid.recipe"]) == 71


@pytest.fixture(params=BUILDERS)
def builder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The one program here that builds images."""
    if request.param == "docker":
        request.getfixturevalue("docker_image")
    programs = tmp_path / "programs"
    programs.mkdir()
    for folder in os.environ["PATH"].split(":"):
        for program in Path(folder).glob("*"):
            name = programs / program.name
            others = {"podman", "docker", "buildah", "apptainer"} - {request.param}
            if program.name not in others and not name.is_symlink():
                name.symlink_to(program)
    monkeypatch.setenv("PATH", str(programs))
    return str(request.param)


def test_with_a_package_of_debian_s_an_engine_builds_it(
    base: str,
    another: str,
    builder: str,
    open_registry: Daemon,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    prepared = written(tmp_path, f"base: {base}\nfiles: {{apt-get: /usr/local/bin/apt-get}}\n")
    target = f"{open_registry.host}/lab/prepared:1"
    assert main(["image", "build", prepared, target, "--json"]) == 0
    exactly = asyncio.run(_run_as("1234:1234", json.loads(capsys.readouterr().out)["image"]))
    built = f"{open_registry.host}/lab/built-by-{builder}:1"
    name = exactly.partition("@")[0]
    # what the name meant here some time ago
    podman("tag", another, name)
    text = f"base: {name}\napt: [graphviz]\nlabels: {{by: {builder}}}\n"
    text += "files: {code/train.py: /train.py}\n"
    status = main(["image", "build", written(tmp_path, text), built, "--json"])
    said = capsys.readouterr()
    podman("untag", another, name)
    assert status == 0, said.err
    digest = json.loads(said.out)["image"].rpartition("@")[2]

    # this machine's copies go; the registry's stay
    assert main(["image", "rm", built]) == 0
    assert main(["image", "rm", built]) == 2
    assert "no container engine of this machine has the image" in capsys.readouterr().err
    podman("pull", "--quiet", "--tls-verify=false", f"{built.rpartition(':')[0]}@{digest}")
    podman("pull", "--quiet", "--tls-verify=false", built)
    cat = ["--entrypoint=", built, "cat", "/graphviz", "/train.py"]
    assert podman("run", "--rm", *cat) == "yes\nEPOCHS = 3\n"
    # root was wanted for apt alone
    assert podman("run", "--rm", "--entrypoint=", built, "id", "-u") == "1234\n"
    labels = json.loads(podman("image", "inspect", "--format={{json .Labels}}", built))
    assert labels["by"] == builder
    assert labels["org.opencontainers.image.base.digest"] == exactly.rpartition("@")[2]


def test_what_fails_leaves_no_image_of_that_name(
    base: str, open_registry: Daemon, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = f"{open_registry.host}/lab/failed:1"
    text = f"base: {base}\napt: [graphviz]\n"
    assert main(["image", "build", written(tmp_path, text), target]) == 1
    assert "cannot build" in capsys.readouterr().err
    assert main(["image", "show", target]) == 2
    text = f"base: {base}\nfiles: {{nothing: /x}}\n"
    assert main(["image", "build", written(tmp_path, text), target]) == 2
    assert "names 'nothing', which is not in" in capsys.readouterr().err
    (tmp_path / "jupyter-config").mkdir()
    checks = json.dumps({"Hybrid": {"checks": {"secrets": "refuse"}}})
    (tmp_path / "jupyter-config" / "jupyter_hybrid_config.json").write_text(checks)
    (tmp_path / "code" / "key.py").write_text("key = '" + "AKIA" + "QYLPMN5HFIQR7XYA'\n")
    text = f"base: {base}\nfiles: {{code: /x}}\n"
    assert main(["image", "build", written(tmp_path, text), target]) == 2
    assert "key.py" in capsys.readouterr().err
    text = f"base: {base}\nenv: {{HF_TOKEN: hf_{'a1' * 17}}}\n"
    assert main(["image", "build", written(tmp_path, text), target]) == 2
    assert "recipe.yml, line 2, seems to hold a secret" in capsys.readouterr().err
    text = f"base: {base}\npackages: [no-such-package-of-anybody]\n"
    assert main(["image", "build", written(tmp_path, text), target]) == 2
    assert main(["image", "show", target]) == 2
