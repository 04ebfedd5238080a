"""JupyterLab's extension for documents that several people edit at once, in a place of its own.

Where it is installed it changes every notebook, so it is kept out of the tests' own environment.
"""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
from pathlib import Path

from tree import ROOT

PACKAGE = "jupyter-collaboration>=5,<6"
PREFIX = ROOT / "build" / "collaboration"


def prefix() -> Path:
    """The prefix in which it is installed; made once. What it needs besides is our own."""
    PREFIX.parent.mkdir(exist_ok=True)
    with PREFIX.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = PREFIX / PACKAGE
        if not done.exists():
            shutil.rmtree(PREFIX, ignore_errors=True)
            words = ["install", "--quiet", "--disable-pip-version-check", "--prefix", str(PREFIX)]
            subprocess.run([sys.executable, "-m", "pip", *words, PACKAGE], check=True)
            done.touch()
    return PREFIX


def environment() -> dict[str, str]:
    """Variables by which a Jupyter server finds it, besides what it finds anyway."""
    where = prefix()
    (packages,) = where.glob("lib/python3*/site-packages")
    return {
        "PYTHONPATH": str(packages),
        "JUPYTER_PATH": str(where / "share" / "jupyter"),
        "JUPYTER_CONFIG_PATH": str(where / "etc" / "jupyter"),
    }
