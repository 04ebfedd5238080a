"""What a user does with an image: ``%%remote --image``, and limits that hold in it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import bases
import pytest
from container_engines import Place
from in_images import outputs, run
from jobs import a_request
from live_kernel import Live, live_kernel

from jupyter_hybrid.job import State
from jupyter_hybrid.spec import Cause, Resources

pytestmark = [pytest.mark.needs(*bases.NEEDS), pytest.mark.timeout(300)]


@pytest.fixture
def kernel(base_image: Callable[[str], str], environment: Path, tmp_path: Path) -> Iterator[Live]:
    settings = {
        "targets": {"local": {"executor": "local", "engine": "podman"}},
        "images": {"torch": base_image("ngc")},
        "allowed_images": ["localhost/*"],
    }
    (tmp_path / "config").mkdir()
    file = tmp_path / "config" / "jupyter_hybrid_config.json"
    file.write_text(json.dumps({"Hybrid": settings}))
    data = {"JUPYTER_HYBRID_DIR": str(environment)}
    with live_kernel(tmp_path, JUPYTER_CONFIG_DIR=str(tmp_path / "config"), **data) as live:
        yield live


def test_a_cell_runs_in_the_image_and_its_values_come_back(kernel: Live) -> None:
    kernel.run("import tqdm\nnumbers = list(range(10))")
    result = kernel.run(
        "%%remote --image torch\nimport numpy\nprint('in', numpy.__version__, tqdm.__name__)\n"
        "total = sum(numbers)\nversion = numpy.__version__"
    )
    assert "in 1.26.4 tqdm\n" in result.text
    assert kernel.value("(total, version)") == (45, "1.26.4")
    error = kernel.run("%%remote --image nvcr.io/nvidia/pytorch:24.01-py3\n1", ok=False).error
    assert "nvcr.io/nvidia/pytorch" in error and "localhost/*" in error


async def test_memory_is_limited_and_the_job_says_so(place: Place, tmp_path: Path) -> None:
    manager = place.manager()
    source = "print('before')\nheld = [b'x' * (1 << 20) for _ in range(2000)]"
    resources = Resources(mem=400 << 20, cpus=1)
    request = a_request(tmp_path, source, image=place.image("ngc"), resources=resources)
    job = await manager.submit(request)
    assert await outputs(manager, job.id, State.FAILED) == "before\n"
    record = manager.get(job.id).exit
    assert record is not None and record.cause == Cause.OUT_OF_MEMORY


async def test_no_network_nothing_to_write_and_what_the_target_mounts(
    place: Place, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "file").write_text("of the site's")
    manager = place.manager(
        network=False,
        read_only=True,
        mounts=[f"{tmp_path}/data:/data:ro"],
        env={"LAB": "physics"},
    )
    said = await run(
        manager,
        tmp_path,
        "import os\nprint(os.listdir('/sys/class/net'), os.environ['LAB'])",
        "print(os.access('/opt', os.W_OK))",
        "print(open('/data/file').read(), os.access('/data', os.W_OK), os.access('.', os.W_OK))",
        image=place.image("ngc"),
    )
    assert said == "['lo'] physics\nFalse\nof the site's False True\n"
