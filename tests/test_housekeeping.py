"""What dead processes left goes with the next submit, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

from commands import Home, notebook

from jupyter_hybrid.housekeeping import STAGING, tidy


def test_only_what_is_old_goes(tmp_path: Path) -> None:
    assert tidy(tmp_path) == 0 and not list(tmp_path.iterdir())
    old, new = (tmp_path / STAGING / name for name in ("old", "new"))
    for directory in (old, new):
        directory.mkdir(parents=True)
        (directory / "values.bin").write_bytes(b"x")
    os.utime(old, (1, 1))
    assert tidy(tmp_path) == 1
    assert list((tmp_path / STAGING).iterdir()) == [new]


def test_a_submit_tidies_up(tmp_path: Path) -> None:
    home = Home(tmp_path)
    ours = home.data / "jupyter-hybrid"
    incoming, staged = ours / "blobs" / ".incoming" / "half", ours / STAGING / "dead"
    for path in (incoming, staged):
        path.mkdir(parents=True) if path is staged else path.parent.mkdir(parents=True)
    incoming.write_bytes(b"half")
    for path in (incoming, staged):
        os.utime(path, (1, 1))
    home.write("n.ipynb", notebook("1"))
    assert home.hybrid("run", "n.ipynb").returncode == 0
    assert not incoming.exists() and not staged.exists()
