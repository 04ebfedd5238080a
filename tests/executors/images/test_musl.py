"""An image like Alpine's: no glibc, and a Python whose wheels are musl's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import bases
import musl_base
import pytest
from in_images import a_podman_manager, run
from jobs import a_request

from jupyter_hybrid.errors import ImageError

pytestmark = [pytest.mark.needs(*bases.NEEDS, *musl_base.NEEDS), pytest.mark.timeout(900)]

SOURCE = """
import sys, sysconfig
import markupsafe._speedups
print(sysconfig.get_config_var('HOST_GNU_TYPE') or sys.platform)
print(markupsafe._speedups.__file__.rpartition('.cpython')[2])
"""


async def test_a_notebook_runs_on_musl_by_wheels_that_are_made_for_it(
    base_image: Callable[[str], str], tmp_path: Path
) -> None:
    manager, image = a_podman_manager(), base_image("musl")
    (tmp_path / "requirements.txt").write_text("markupsafe==3.0.2\n")
    said = await run(manager, tmp_path, SOURCE, image=image)
    assert said.splitlines()[1] == "-311-x86_64-linux-musl.so"


async def test_a_package_without_wheels_for_musl_is_refused_by_name(
    base_image: Callable[[str], str], tmp_path: Path
) -> None:
    manager, image = a_podman_manager(), base_image("musl")
    (tmp_path / "requirements.txt").write_text("faiss-cpu==1.8.0.post1\n")
    with pytest.raises(ImageError, match="faiss-cpu"):
        await manager.submit(a_request(tmp_path, "import faiss", image=image))
    assert manager.jobs() == []
