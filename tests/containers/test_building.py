"""Images from recipes, into a registry: what is in them, and what is left where they fail."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import bases
import pytest
from registries import Daemon

from jupyter_hybrid.cli import main

pytestmark = [pytest.mark.needs(*bases.NEEDS, "apt:docker-registry"), pytest.mark.timeout(300)]

RECIPE = """
base: {base}
packages: [tqdm]
files:
  code: /workspace
  apt-get: /usr/local/bin/apt-get
env: {{LAB: physics}}
labels: {{maintainer: ada}}
entrypoint: [python3, -c, "import os, tqdm, train; print(tqdm.__name__, os.environ['LAB'])"]
workdir: /workspace
"""
#: What stands for Debian's program, which the base does not have.
APT_GET = "#!/bin/sh\ncase $* in *graphviz*) echo yes >/graphviz;; esac\n"


def podman(*words: str) -> str:
    done = subprocess.run(["podman", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def base(base_image: Callable[[str], str], open_registry: Daemon, tmp_path: Path) -> str:
    name = f"{open_registry.host}/lab/debian:1"
    podman("push", "--quiet", "--tls-verify=false", base_image("base"), name)
    (tmp_path / "code").mkdir()
    (tmp_path / "code/train.py").write_text("EPOCHS = 3\n")
    (tmp_path / "apt-get").write_text(APT_GET)
    (tmp_path / "apt-get").chmod(0o755)
    return name


def written(tmp_path: Path, text: str) -> str:
    path = tmp_path / "recipe.yml"
    path.write_text(text)
    return str(path)


def test_a_recipe_is_appended_without_an_engine_and_built_with_one(
    base: str, open_registry: Daemon, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = f"{open_registry.host}/lab/wrapped:1"
    recipe = written(tmp_path, RECIPE.format(base=base))
    assert main(["image", "build", recipe, target, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["image"].startswith(f"{target}@sha256:") and list(said["packages"]) == ["tqdm"]
    podman("pull", "--quiet", "--tls-verify=false", target)
    assert podman("run", "--rm", target) == "tqdm physics\n"
    labels = json.loads(podman("image", "inspect", "--format={{json .Labels}}", target))
    assert labels["maintainer"] == "ada"
    assert labels["org.opencontainers.image.base.digest"].startswith("sha256:")
    assert len(labels["io.jupyter-hybrid.lock"]) == len(labels["io.jupyter-hybrid.recipe"]) == 71

    # on that, with a package of Debian's: an engine builds it
    built = f"{open_registry.host}/lab/built:1"
    text = f"base: {target}\napt: [graphviz]\nfiles: {{code/train.py: /train.py}}\n"
    assert main(["image", "build", written(tmp_path, text), built]) == 0
    podman("rmi", built)
    podman("pull", "--quiet", "--tls-verify=false", built)
    cat = ["--entrypoint=", built, "cat", "/graphviz", "/train.py"]
    assert podman("run", "--rm", *cat) == "yes\nEPOCHS = 3\n"

    # this machine's copies go; the registry's stay
    assert main(["image", "rm", built]) == 0
    assert main(["image", "rm", built]) == 2
    assert "no container engine of this machine has the image" in capsys.readouterr().err


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
    text = f"base: {base}\npackages: [no-such-package-of-anybody]\n"
    assert main(["image", "build", written(tmp_path, text), target]) == 2
    assert main(["image", "show", target]) == 2
