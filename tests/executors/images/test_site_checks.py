"""What a site's rules let leave, on submit."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bases
import pytest
from in_images import a_podman_manager, outputs, run
from jobs import a_manager, a_request

from jupyter_hybrid.errors import BundleError, ImageError

#: From OSV's export for PyPI, shortened: one vulnerability, as two lists have it.
SQLPARSE: tuple[dict[str, Any], ...] = tuple(
    {
        **{"id": name, "aliases": ["CVE-2023-30608", other], "summary": summary},
        "affected": [
            {
                "package": {"ecosystem": "PyPI", "name": "sqlparse"},
                "ranges": [
                    {"type": "ECOSYSTEM", "events": [{"introduced": "0.1.15"}, {"fixed": "0.4.4"}]}
                ],
            }
        ],
    }
    for name, other, summary in (
        ("PYSEC-2023-87", "GHSA-rrm6-wvj7-cwh2", ""),
        ("GHSA-rrm6-wvj7-cwh2", "PYSEC-2023-87", "Regular Expression Denial of Service"),
    )
)
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


@pytest.mark.needs(*bases.NEEDS)
@pytest.mark.timeout(300)
async def test_a_version_with_a_known_vulnerability_does_not_leave(
    base_image: Callable[[str], str], tmp_path: Path
) -> None:
    database, wanted = tmp_path / "all.zip", tmp_path / "requirements.txt"
    with zipfile.ZipFile(database, "w") as archive:
        for entry in SQLPARSE:
            archive.writestr(f"{entry['id']}.json", json.dumps(entry))
    rule = {"do": "refuse", "database": str(database)}
    manager = a_podman_manager({"checks": {"vulnerabilities": rule}})
    image, source = base_image("ngc"), "import sqlparse\nprint(sqlparse.__version__)"
    wanted.write_text("sqlparse==0.4.3\n")
    with pytest.raises(BundleError) as caught:
        await manager.submit(a_request(tmp_path, source, image=image))
    assert str(caught.value).endswith(
        "sqlparse 0.4.3 has a known vulnerability (GHSA-rrm6-wvj7-cwh2, CVE-2023-30608: Regular "
        "Expression Denial of Service): take 0.4.4 or newer"
    )
    assert manager.jobs() == []
    wanted.write_text("sqlparse==0.4.4\n")
    assert await run(manager, tmp_path, source, image=image) == "0.4.4\n"
