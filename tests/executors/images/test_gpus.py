"""GPUs in containers, by a description of the kind that NVIDIA's toolkit writes (CDI)."""

from __future__ import annotations

import asyncio
import fcntl
import json
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import bases
import pytest
from in_images import a_podman_manager, outputs, run
from jobs import a_request

from jupyter_hybrid.executors.hardware import parse_versions
from jupyter_hybrid.job import State
from jupyter_hybrid.spec import Resources

#: Container Device Interface 0.5.0: a device node and a variable for each GPU.
DEVICES = [
    {
        "name": str(number),
        "containerEdits": {
            "env": [f"GPU_{number}=described"],
            "deviceNodes": [
                {"path": f"/dev/nvidia{number}", "hostPath": "/dev/null", "type": "c"},
            ],
        },
    }
    for number in range(2)
]
SOURCE = "import os\nprint(sorted(v for v in os.environ if v[:4] == 'GPU_'))"
SOURCE += "\nprint([n for n in sorted(os.listdir('/dev')) if n.startswith('nvidia')])"
RELEASE = "nvcr.io/nvidia/pytorch:24.01-py3"

pytestmark = [pytest.mark.needs(*bases.NEEDS), pytest.mark.timeout(300)]


@pytest.fixture
def _described() -> Iterator[None]:
    """The GPUs as engines find them, in the machine's own directory: one test run at a time."""
    path = Path("/var/run/cdi/jupyter-hybrid-test.json")
    path.parent.mkdir(exist_ok=True)
    with Path(tempfile.gettempdir(), "jupyter-hybrid-cdi.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        described = {"cdiVersion": "0.5.0", "kind": "nvidia.com/gpu", "devices": DEVICES}
        path.write_text(json.dumps(described))
        try:
            yield
        finally:
            path.unlink()


def test_the_least_version_is_what_counts() -> None:
    assert parse_versions("9.0\n10.0\n") == "9.0"
    assert parse_versions("535.104.05\n") == "535.104.05"
    assert parse_versions('[N/A]\nField "compute_cap" is not a valid field to query.\n') == ""


@pytest.mark.usefixtures("nvidia_smi", "_described")
async def test_a_job_gets_the_gpu_that_nobody_uses_and_hears_of_an_old_driver(
    base_image: Callable[[str], str], tmp_path: Path
) -> None:
    manager = a_podman_manager()
    tag = ["podman", "tag", base_image("ngc"), RELEASE]
    await asyncio.to_thread(subprocess.run, tag, check=True)
    gpus = {"image": RELEASE, "resources": Resources(gpus=1)}
    assert await run(manager, tmp_path, SOURCE, **gpus) == "['GPU_1']\n['nvidia1']\n"
    (note,) = (note for note in manager.get("last").notes if "GPU" in note)
    assert note.startswith(f"{RELEASE} may find no GPU here: its CUDA 12.3.2 needs driver 525")
    # and none where none is asked for
    assert await run(manager, tmp_path, SOURCE, image=RELEASE) == "[]\n[]\n"
    assert not manager.get("last").notes


@pytest.mark.usefixtures("nvidia_smi")
async def test_gpus_that_nobody_has_described_are_told_with_the_way_out(
    base_image: Callable[[str], str], tmp_path: Path
) -> None:
    manager = a_podman_manager()
    wanted = {"image": base_image("ngc"), "resources": Resources(gpus=1)}
    job = await manager.submit(a_request(tmp_path, "1", **wanted))
    await outputs(manager, job.id, State.FAILED)
    assert "nvidia-ctk cdi generate" in manager.get(job.id).reason
