"""What a site's rules let leave, on submit."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bases
import pytest
from in_images import a_podman_manager, outputs, run
from jobs import a_manager, a_request

from jupyter_hybrid.errors import BundleError, ImageError

SECRET = "key = 'nvapi-0123456789abcdefghijklmnop'"


async def test_images_outside_the_list_are_refused_on_every_target(tmp_path: Path) -> None:
    manager = a_manager(allowed_images=["nvcr.io/nvidia/*"])
    with pytest.raises(ImageError, match=r"docker\.io/library/evil"):
        await manager.submit(a_request(tmp_path, "1", image="evil:1"))
    assert manager.jobs() == []


async def test_a_secret_is_refused_or_told_also_of_jobs_in_no_image(tmp_path: Path) -> None:
    manager = a_manager(checks={"secrets": "refuse"})
    with pytest.raises(BundleError, match=r"cell 1, line 1, seems to hold a secret \(NGC"):
        await manager.submit(a_request(tmp_path, SECRET))
    (tmp_path / "settings.py").write_text(SECRET)
    with pytest.raises(BundleError, match=r"settings\.py, line 1"):
        await manager.submit(a_request(tmp_path, "import settings"))
    assert manager.jobs() == []
    manager.config.checks["secrets"] = "warn"
    await run(manager, tmp_path, SECRET)
    job = manager.get("last")
    assert any("cell 1, line 1" in note for note in job.notes)
    assert "nvapi" not in "".join(job.notes)


@pytest.mark.needs(*bases.NEEDS)
@pytest.mark.timeout(300)
async def test_packages_that_are_added_are_looked_at_and_the_findings_kept(
    base_image: Callable[[str], str], tmp_path: Path
) -> None:
    checks: dict[str, Any] = {"packages": {"do": "warn", "forbid": ["tqdm>4"]}}
    manager, image = a_podman_manager({"checks": checks}), base_image("ngc")
    await run(manager, tmp_path, "import tqdm", image=image)
    assert any("the package tqdm" in note for note in manager.get("last").notes)
    (kept,) = (manager.config.home / "images" / "checks").iterdir()
    (finding,) = json.loads(kept.read_bytes())["findings"]
    assert (finding["rule"], finding["do"]) == ("packages", "warn")

    checks["packages"]["do"] = "refuse"
    with pytest.raises(BundleError, match=r"tqdm .* is not allowed here"):
        await manager.submit(a_request(tmp_path, "import tqdm", image=image))
    # a rerun is looked at as well
    with pytest.raises(BundleError, match=r"tqdm .* is not allowed here"):
        await manager.rerun("last")
    again = await manager.submit(a_request(tmp_path, "print('numpy only')", image=image))
    assert await outputs(manager, again.id) == "numpy only\n"
