"""What is built is whole: the wheel, the source distribution, and an editable install."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest
from extension import built_extension
from tree import ROOT, files

#: Files of the checkout that need not be in a source distribution.
NOT_SHIPPED = {".gitignore", ".gitattributes", "MANIFEST.in"}


def copy_of_the_tree(directory: Path) -> Path:
    """The project as a fresh clone has it: no build left-overs, no egg-info."""
    for source in files():
        target = directory / source.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)
    # built from these very sources, which the build sees; that it can be built has tests of its own
    shutil.copytree(built_extension(), directory / "labextension" / "dist")
    return directory


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_of_the_tree(tmp_path_factory.mktemp("a tree with spaces"))


@pytest.fixture(scope="module")
def built(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the source distribution, and the wheel that was built from it."""
    output = tmp_path_factory.mktemp("dist")
    # (no isolation: setuptools is in this environment, and no network is needed)
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(output), str(tree)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return output


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    (found,) = built.glob("*.whl")
    return found


def package_files() -> set[str]:
    """Everything below jupyter_hybrid and spawner that git would track, as it is imported."""
    found = {path.relative_to(ROOT).as_posix() for path in files()}
    named = {re.sub("^spawner/", "jupyter_hybrid_spawner/", name) for name in found}
    return {n for n in named if n.startswith(("jupyter_hybrid/", "jupyter_hybrid_spawner/"))}


def test_wheel_holds_both_packages_whole_and_nothing_else(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    below = {name for name in names if ".dist-info/" not in name and ".data/" not in name}
    assert below == package_files()
    assert {"jupyter_hybrid/py.typed", "jupyter_hybrid_spawner/py.typed"} <= below


#: What lies beside the package in an environment, below names that are ours alone: a file of
#: another's name would take its place, and pip would remove it one day.
BESIDE = (
    "share/jupyter/labextensions/jupyter-hybrid/",
    "etc/jupyter/jupyter_server_config.d/jupyter_hybrid.json",
)


def test_wheel_puts_only_what_is_ours_beside_the_package(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    beside = {name.partition(".data/data/")[2] for name in names if ".data/" in name}
    assert all(name.startswith(BESIDE) for name in beside), beside
    extension = {name.removeprefix(BESIDE[0]) for name in beside if name.startswith(BESIDE[0])}
    assert {"install.json", "package.json"} <= extension
    built = built_extension()
    for folder in ("static", "schemas"):
        wanted = {path for path in (built / folder).rglob("*") if path.is_file()}
        assert {path.relative_to(built).as_posix() for path in wanted} <= extension


def test_editable_install_has_what_lies_beside_the_package(tree: Path, tmp_path: Path) -> None:
    code = "import sys, backend; print(backend.build_editable(sys.argv[1]))"
    env = {**os.environ, "PYTHONPATH": str(tree / "build_backend")}
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, cwd=tree, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (found,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(found).namelist()
    assert any(name.endswith(BESIDE[0] + "package.json") for name in names)


def test_wheel_describes_itself(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (info,) = {name.split("/")[0] for name in archive.namelist() if ".dist-info/" in name}
    metadata = Parser().parsestr(archive.read(f"{info}/METADATA").decode())
    assert metadata["Name"] == "jupyter-hybrid"
    assert metadata["License-Expression"] == "BSD-3-Clause"
    assert metadata["License-File"] == "LICENSE"
    assert metadata["Requires-Python"] == ">=3.10"
    assert {"demo", "hub", "test"} <= set(metadata.get_all("Provides-Extra") or [])
    points = configparser.ConfigParser()
    points.read_string(archive.read(f"{info}/entry_points.txt").decode())
    assert points["console_scripts"]["jupyter-hybrid"] == "jupyter_hybrid.cli:main"
    assert "local" in points["jupyter_hybrid.executors"]
    assert points["jupyterhub.spawners"]["ngc"] == "jupyter_hybrid_spawner:NGCSpawner"


def test_source_distribution_holds_what_the_checkout_holds(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        members = {m.name.partition("/")[2]: m for m in archive.getmembers() if m.isfile()}
    checkout = {path.relative_to(ROOT).as_posix() for path in files()}
    assert checkout - set(members) <= NOT_SHIPPED
    for name in (".ci/run", "binder/postBuild", "tests/tools/fresh-debian"):
        assert members[name].mode & 0o111, f"{name} is not executable"


@pytest.fixture(scope="module")
def prefix(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that has the wheel; everything it needs is this environment's."""
    prefix = tmp_path_factory.mktemp("prefix")
    create = [sys.executable, "-m", "venv", "--without-pip", str(prefix)]
    subprocess.run(create, check=True)
    python = prefix / "bin" / "python"
    install = [sys.executable, "-m", "pip", "--quiet", "--python", str(python), "install"]
    subprocess.run([*install, "--no-deps", "--no-index", str(wheel)], check=True)
    ask = [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    site = Path(subprocess.check_output(ask, text=True).strip())
    # a path in a .pth file is only searched: this environment's own jupyter-hybrid stays unseen
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return prefix


def in_prefix(prefix: Path, *command: str) -> str:
    """What a command says in that environment, away from the checkout."""
    env = {**os.environ, "PATH": f"{prefix / 'bin'}:{os.environ['PATH']}"}
    env.pop("PYTHONPATH", None)
    python = str(prefix / "bin" / "python")
    done = subprocess.run(
        [python, *command], env=env, cwd=prefix, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_installed_wheel_is_a_subcommand_of_jupyter(prefix: Path) -> None:
    where = in_prefix(prefix, "-c", "import jupyter_hybrid; print(jupyter_hybrid.__file__)")
    assert where.startswith(str(prefix))
    version = in_prefix(prefix, "-c", "import jupyter_hybrid as j; print(j.__version__)").strip()
    assert version in in_prefix(prefix, "-m", "jupyter", "hybrid", "--version")


SITES = 'c.InteractiveShellApp.exec_lines = ["site = 40"]'
#: Prints what the code in the last argument shows in a kernel of the environment.
KERNEL = """
import sys
from jupyter_client.manager import start_new_kernel
manager, client = start_new_kernel(kernel_name="python3")
client.execute_interactive(sys.argv[1], timeout=60)
client.stop_channels()
manager.shutdown_kernel(now=True)
"""
ASK = "print(site + 2, get_ipython().find_cell_magic('remote') is not None)"


def test_autoload_brings_the_magic_into_every_kernel_beside_what_a_site_has(
    prefix: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    config = prefix / "etc" / "ipython" / "ipython_config.py"
    config.parent.mkdir(parents=True)
    config.write_text(SITES)
    kernel = ("-W", "ignore", "-c", KERNEL, ASK)
    assert "42 False" in in_prefix(prefix, *kernel)
    in_prefix(prefix, "-m", "jupyter", "hybrid", "autoload", "on")
    assert "42 True" in in_prefix(prefix, *kernel)
    shell = ("-m", "IPython", "--simple-prompt", "--no-banner", "-c", ASK)
    assert "42 True" in in_prefix(prefix, *shell)
    # who removes the package and forgets our lines is not told so by every kernel
    (package,) = prefix.glob("lib/python*/site-packages/jupyter_hybrid")
    away = package.rename(package.with_name("elsewhere"))
    said = in_prefix(prefix, *kernel[:-1], "print(site + 2)")
    assert "42" in said and "jupyter_hybrid" not in said
    away.rename(package)
    in_prefix(prefix, "-m", "jupyter", "hybrid", "autoload", "off")
    assert config.read_text() == SITES
