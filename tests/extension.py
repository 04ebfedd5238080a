"""The JupyterLab extension as built from this checkout, for tests that need it."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest
from prebuilt import OUTPUT, BuildError, ensure_built
from tree import ROOT


def built_extension() -> Path:
    """The folder with the built extension; a gap where it cannot be built here."""
    lock = ROOT / "build" / "labextension" / "lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        # several processes test at once: one builds
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            ensure_built()
        except BuildError as error:
            pytest.skip(str(error).splitlines()[0])
    return OUTPUT
