"""A pytest plugin: a machine with GPUs, as far as a program called ``nvidia-smi`` says so."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

#: nvidia-smi of two V100 and driver 470, as far as it is asked.
NVIDIA_SMI = """#!/bin/sh
case "$1" in
--query-gpu=index,name,memory.used) echo "0, Tesla V100-SXM2-32GB, 31000"
  echo "1, Tesla V100-SXM2-32GB, 3" ;;
--query-gpu=name,memory.used,utilization.gpu) echo "Tesla V100-SXM2-32GB, 31000, 98"
  echo "Tesla V100-SXM2-32GB, 3, 0" ;;
--query-gpu=driver_version) echo 470.82.01; echo 470.82.01 ;;
--query-gpu=compute_cap) echo 7.0; echo 7.0 ;;
esac
"""
#: The index of the one that nobody uses.
IDLE = 1


@pytest.fixture
def nvidia_smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the program on the PATH."""
    program = tmp_path / "smi" / "nvidia-smi"
    program.parent.mkdir()
    program.write_text(NVIDIA_SMI)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
