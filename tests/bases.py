"""Base images of the tests, made of this Debian's own files; and podman that has them.

====================  =============================================================================
``base``              Debian with its Python, and nothing else
``ngc``               NVIDIA-like: ``/opt/conda`` with numpy and ipykernel, a banner as
                      entry point, labels, ``/etc/pip/constraint.txt``
``papermill``         the same with papermill and JupyterLab, for the benches
``hostile``           the base's Python; another user, a writable nothing, an entry point that fails
``no-python``         busybox
``python3.8``         pyenv's, where this machine has it
====================  =============================================================================

As tars they are kept from run to run, below the user's cache; ``large_bases`` and
``musl_base`` have more.
"""

from __future__ import annotations

import fcntl
import hashlib
import inspect
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import podman
import pytest

#: What a test with images needs of the machine.
NEEDS = ("root", "debian", "apt:podman", "apt:runc", "apt:busybox-static", "path:/usr/bin/python3")
PACKAGES = (
    *("base-files", "base-passwd", "libc-bin", "dash", "bash", "coreutils", "libstdc++6"),
    "python3",
)
#: What the NVIDIA-like image has in its environment.
CONDA = ("numpy==1.26.4", "ipykernel==6.29.5")
#: Seconds after which a tar that nobody has asked for is removed.
UNUSED = 3 * 86_400.0
#: Of that, what no test wants: it would be half of the image.
SPARED = ("debugpy",)
PYTHON38 = sorted(Path.home().glob(".pyenv/versions/3.8.*"))
_LEFT_OUT = re.compile(r"/usr/share/(doc|man|locale|info|perl)|/usr/lib/\S*/perl|/test(s)?/")

#: Instructions of ``podman import --change``.
CONFIG = {
    "base": ("ENV PATH=/usr/local/bin:/usr/bin:/bin",),
    "ngc": (
        "ENV PATH=/opt/conda/bin:/usr/local/bin:/usr/bin:/bin",
        "ENV PIP_CONSTRAINT=/etc/pip/constraint.txt",
        "LABEL com.nvidia.pytorch.version=2.2.0a0",
        "LABEL com.nvidia.cuda.version=12.3",
        'ENTRYPOINT ["/opt/nvidia/nvidia_entrypoint.sh"]',
    ),
    "papermill": ("ENV PATH=/opt/conda/bin:/usr/local/bin:/usr/bin:/bin",),
    "hostile": ("USER 1234:1234", 'ENTRYPOINT ["/bin/false"]', "WORKDIR /nowhere"),
    "no-python": ("ENV PATH=/bin",),
    "python3.8": (
        "ENV PATH=/opt/python/bin:/usr/bin:/bin",
        "ENV LD_LIBRARY_PATH=/opt/python/lib",
    ),
}
BANNER = """\
#!/bin/bash
echo "=============="
echo "== PyTorch =="
echo "=============="
export NVIDIA_ENTRYPOINT_RAN=yes
exec "$@"
"""


def tar_of(name: str) -> Path:
    """The image's root as a tar, made where it is not there yet."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "jupyter-hybrid"
    sources = {__file__, inspect.getfile(ROOTS[name])}
    recipe = [*(Path(source).read_text() for source in sorted(sources))]
    recipe.append(_query("Version", *PACKAGES))
    key = hashlib.sha256("\n".join(recipe).encode()).hexdigest()[:12]
    path = cache / "bases" / f"{key}-{name}.tar"
    path.parent.mkdir(parents=True, exist_ok=True)
    with (path.parent / f"{name}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            with tempfile.TemporaryDirectory(dir=path.parent) as folder:
                root = Path(folder, "root")
                root.mkdir()
                ROOTS[name](root)
                made = Path(folder, "tar")
                subprocess.run(["tar", "-C", root, "-cf", made, "."], check=True)
                made.rename(path)
        path.touch()
        for old in path.parent.glob("*.tar"):
            if old.stat().st_mtime < time.time() - UNUSED:
                old.unlink()
    return path


def _query(field: str, *packages: str) -> str:
    command = ["dpkg-query", "-W", "-f", f"${{{field}}}\n", *packages]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _closure() -> list[str]:
    found: set[str] = set()
    todo = list(PACKAGES)
    while todo:
        name = todo.pop()
        if name in found:
            continue
        command = ["dpkg-query", "-W", "-f", "${Version}|${Pre-Depends},${Depends}", name]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        version, _, needed = done.stdout.partition("|")
        if version:
            found.add(name)
            firsts = (choice.split("|")[0].split() for choice in needed.split(","))
            todo += [words[0].partition(":")[0] for words in firsts if words]
    return sorted(found)


def skeleton(root: Path) -> None:
    for name in ("bin", "sbin", "lib", "lib64"):
        (root / "usr" / name).mkdir(parents=True)
        (root / name).symlink_to(f"usr/{name}")
    for name in ("tmp", "var/tmp", "etc", "root", "run", "proc", "dev", "sys"):
        (root / name).mkdir(parents=True)
    for name in ("tmp", "var/tmp"):
        (root / name).chmod(0o1777)


def _debian(root: Path) -> None:
    skeleton(root)
    command = ["dpkg-query", "-L", *_closure()]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    names = sorted({line for line in listed.splitlines() if line.startswith("/")})
    kept = [n.lstrip("/") for n in names if not _LEFT_OUT.search(n) and os.path.lexists(n)]
    read = subprocess.Popen(
        ["tar", "-C", "/", "--no-recursion", "-cf", "-", "--files-from", "-"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    write = subprocess.Popen(
        ["tar", "-C", root, "--keep-directory-symlink", "-xf", "-"], stdin=read.stdout
    )
    assert read.stdin is not None
    assert read.stdout is not None
    read.stdout.close()
    read.stdin.write("\n".join(name for name in kept if name != ".").encode())
    read.stdin.close()
    assert write.wait() == 0
    assert read.wait() == 0
    # Debian compiles as it installs: of that dpkg knows nothing
    library = next(root.glob("usr/lib/python3.*"))
    command = ["/usr/bin/python3", "-m", "compileall", "-q", "-s", str(root), str(library)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def ngc_like(root: Path, *more: str) -> None:
    from uv import find_uv_bin

    from jupyter_hybrid.containers.indexes import uv_environment

    _debian(root)
    conda = root / "opt" / "conda"
    subprocess.run(["/usr/bin/python3", "-m", "venv", "--without-pip", conda], check=True)
    command = [find_uv_bin(), "pip", "install", "--quiet", "--python", f"{conda}/bin/python"]
    subprocess.run([*command, *CONDA, *more], check=True, env=uv_environment())
    command[2:3] = ["uninstall"]
    subprocess.run([*command, *SPARED], check=True, env=uv_environment())
    for folder in conda.rglob("tests"):
        shutil.rmtree(folder)
    for script in (conda / "bin").iterdir():
        if script.is_file() and not script.is_symlink():
            text = script.read_text(errors="replace")
            script.write_text(text.replace(str(conda), "/opt/conda"))
    subprocess.run(["/usr/bin/python3", "-m", "compileall", "-q", "-s", root, conda], check=False)
    (root / "etc/pip").mkdir()
    (root / "etc/pip/constraint.txt").write_text("numpy==1.26.4\npandas==2.2.2\n")
    entry = root / "opt/nvidia/nvidia_entrypoint.sh"
    entry.parent.mkdir()
    entry.write_text(BANNER)
    entry.chmod(0o755)


def _papermill(root: Path) -> None:
    ngc_like(root, "papermill==2.6.0", "jupyterlab>=4,<5")


def busybox(root: Path) -> None:
    skeleton(root)
    shutil.copy2("/bin/busybox", root / "usr/bin/busybox")
    for name in ("sh", "ls", "cat"):
        (root / "usr/bin" / name).symlink_to("busybox")


def _python38(root: Path) -> None:
    _debian(root)
    for name in ("python3", "python3.11"):
        (root / "usr/bin" / name).unlink()
    shutil.copytree(
        PYTHON38[-1],
        root / "opt/python",
        symlinks=True,
        ignore=shutil.ignore_patterns("test", "tests", "__pycache__", "site-packages", "*.a"),
    )


ROOTS: dict[str, Callable[[Path], None]] = {
    "base": _debian,
    "ngc": ngc_like,
    "papermill": _papermill,
    "hostile": _debian,
    "no-python": busybox,
    "python3.8": _python38,
}


def imported(words: list[str], environment: dict[str, str], name: str) -> str:
    """The image in podman's storage; returns what it is called there."""
    called = f"localhost/{name}:1"
    here = [*words, "image", "exists", called]
    environ = {**os.environ, **environment}
    if subprocess.run(here, env=environ, check=False).returncode != 0:
        changes = [word for line in CONFIG[name] for word in ("--change", line)]
        command = [*words, "import", "--quiet", *changes, str(tar_of(name)), called]
        subprocess.run(command, env=environ, check=True, capture_output=True)
    return called


@pytest.fixture(scope="session")
def _storage() -> Iterator[tuple[list[str], dict[str, str]]]:
    with podman.storage() as found:
        yield found


@pytest.fixture(scope="session")
def _kept_images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("images")


@pytest.fixture
def base_image(
    _storage: tuple[list[str], dict[str, str]],
    _kept_images: Path,
    environment: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[str], str]:
    """``base_image(name)``: the image, in a podman whose storage lasts as long as the run.

    What is made and learned of images lasts as long.
    """
    words, variables = _storage
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    keep_images(environment, _kept_images)
    return lambda name: imported(words, variables, name)


def keep_images(environment: Path, kept: Path) -> None:
    """Have what is made and learned of images last longer than the test."""
    environment.mkdir(exist_ok=True)
    if not (environment / "images").is_symlink():
        (environment / "images").symlink_to(kept)
