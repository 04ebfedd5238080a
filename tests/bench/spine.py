"""What the benches of the spine share: a user's home, notebooks, and programs that are timed."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from commands import Home
from commands import notebook as code_notebook

#: Programs of this environment: what a user types.
PROGRAMS = Path(sys.executable).parent


@contextmanager
def a_home() -> Iterator[Home]:
    """A user's home on the disk of this checkout; nothing runs in it afterwards."""
    build = Path(__file__).resolve().parents[2] / "build"
    build.mkdir(exist_ok=True)
    directory = Path(tempfile.mkdtemp(prefix="bench-", dir=build))
    home = Home(directory)
    home.environ["JUPYTER_HYBRID_DIR"] = str(directory / "hybrid")
    home.data = directory / "hybrid"
    try:
        yield home
    finally:
        home.clean()
        shutil.rmtree(directory, ignore_errors=True)


def python_notebook(*sources: str) -> dict[str, Any]:
    """A notebook of these cells for the kernel ``python3``."""
    return code_notebook(*sources, name="python3", display_name="Python 3", language="python")


def program(home: Home, *words: str) -> str:
    """What a program of this environment prints; its failure is the bench's."""
    command = [str(PROGRAMS / words[0]), *words[1:]]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, cwd=home.work, env=home.environ
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(words)} failed: {done.stdout}{done.stderr}")
    return done.stdout


def hybrid(home: Home, *words: str) -> str:
    """What ``jupyter-hybrid …`` prints."""
    return program(home, "jupyter-hybrid", *words)
