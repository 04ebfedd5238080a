"""Base images that are large, or take long to make; see ``bases``.

====================  =============================================================================
``pytorch``           as ``ngc``, with a real PyTorch (a build for CPUs) that its constraints pin
====================  =============================================================================
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import bases
import pytest
from uv import find_uv_bin

from jupyter_hybrid.containers.indexes import uv_environment

#: With ``+cpu``: PyPI's own brings two gigabytes of CUDA along.
PYTORCH = "2.13.0+cpu"
CONSTRAINTS = f"torch=={PYTORCH}\nnumpy==1.26.4\npandas==2.2.2\n"
#: Of PyTorch, what only those want who compile against it or test it.
_SPARED = ("torch/include", "torch/test", "torch/bin/*test*", "torch/share", "torch/lib/*.a")


def _pytorch(root: Path) -> None:
    asked = subprocess.run(
        [find_uv_bin(), "pip", "compile", "--quiet", "--no-deps", "-"],
        input=f"torch=={PYTORCH}",
        env=uv_environment(),
        text=True,
        capture_output=True,
        check=False,
    )
    if asked.returncode != 0:
        pytest.skip(f"torch {PYTORCH} is nowhere that pip looks (its find-links)")
    bases.ngc_like(root, f"torch=={PYTORCH}")
    (site,) = (root / "opt/conda").glob("lib/python3*/site-packages")
    for pattern in _SPARED:
        for path in site.glob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    (root / "etc/pip/constraint.txt").write_text(CONSTRAINTS)


bases.ROOTS["pytorch"] = _pytorch
bases.CONFIG["pytorch"] = bases.CONFIG["ngc"]
