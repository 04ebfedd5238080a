"""What the local executor does besides the contract."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from jupyter_hybrid.errors import UsageError
from jupyter_hybrid.executors import hardware
from jupyter_hybrid.executors.base import TargetConfig
from jupyter_hybrid.executors.local import LocalExecutor
from jupyter_hybrid.spec import Resources

#: Recorded from a DGX (nvidia-smi 470), one GPU of four in use.
DGX = """\
Tesla V100-DGXS-32GB, 3, 0
Tesla V100-DGXS-32GB, 31004, 98
Tesla V100-DGXS-32GB, 3, 0
Quadro P400, [N/A], [N/A]
"""


@pytest.fixture
def executor(environment: Path) -> LocalExecutor:
    return LocalExecutor(TargetConfig(name="here", executor="local", root=environment))


def test_nvidia_smis_answer_is_read() -> None:
    assert hardware.parse_gpus(DGX) == {"Tesla V100-DGXS-32GB": (3, 2), "Quadro P400": (1, 0)}
    assert hardware.parse_gpus("No devices were found\n") == {}
    assert hardware.parse_gpus("") == {}


async def test_more_than_there_is_is_refused_with_numbers(executor: LocalExecutor) -> None:
    cpus = hardware.cpus()
    with pytest.raises(UsageError, match=f"has {cpus} cores, not {cpus + 1}"):
        await executor.offers(Resources(cpus=cpus + 1))
    with pytest.raises(UsageError, match="of memory, not 1"):
        await executor.offers(Resources(mem=2**60))
    with pytest.raises(UsageError, match="one machine, not 2 nodes"):
        await executor.offers(Resources(nodes=2))


async def test_gpus_are_counted_by_a_stand_in_for_nvidia_smi(
    executor: LocalExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bin/nvidia-smi"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n# test fixture: no GPU is here\ncat <<'END'\n{DGX}END\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    (offer,) = await executor.offers(Resources(gpus=2, gpu_type="v100"))
    assert (offer.free_now, offer.gpus, offer.gpu_type) == (True, 2, "v100")
    (offer,) = await executor.offers(Resources(gpus=3, gpu_type="v100"))
    assert offer.free_now is False
    with pytest.raises(UsageError, match="has 3 v100 GPUs that nvidia-smi shows, not 4"):
        await executor.offers(Resources(gpus=4, gpu_type="v100"))


async def test_without_gpus_a_sentence_says_so(
    executor: LocalExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UsageError, match=r"has no GPUs.*not 1; name another target"):
        await executor.offers(Resources(gpus=1))
