"""The doctor finds what is wrong, and says what to do."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest

from jupyter_hybrid import doctor
from jupyter_hybrid.doctor import Finding, parse_mounts

MOUNTS = """\
/dev/vda / ext4 rw,relatime 0 0
proc /proc proc rw 0 0
server:/home /home nfs4 rw,vers=4.2 0 0
tmpfs /home/me/with\\040blank tmpfs rw 0 0
broken
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/data/x", "ext4"),
        ("/home/me", "nfs4"),
        ("/homework", "ext4"),
        ("/home/me/with blank/x", "tmpfs"),
    ],
)
def test_mounts(path: str, kind: str) -> None:
    assert parse_mounts(MOUNTS, Path(path)) == kind


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("JUPYTER_HYBRID_DIR")
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "config"))
    return tmp_path / "data" / "jupyter-hybrid"


async def findings() -> dict[str, Finding]:
    return {finding.name: finding for finding in await doctor.examine()}


async def test_a_sound_installation(data: Path) -> None:
    found = await findings()
    wrong = {name: f for name, f in found.items() if not f.ok and not name.startswith("kernel ")}
    assert wrong == {}
    for name in ("python", "packages", "data directory", "disk", "store", "blobs", "target local"):
        assert name in found
    json.dumps([f.to_json() for f in found.values()])


async def test_what_is_wrong_is_found(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = data.parent / "kernels" / "gone" / "kernel.json"
    kernel.parent.mkdir(parents=True)
    kernel.write_text('{"argv": ["/nowhere/python"], "display_name": "x", "language": "x"}')
    blob = data / "blobs" / "ab" / ("ab" + 62 * "0")
    blob.parent.mkdir(parents=True)
    blob.write_text("not what its name says")
    data.chmod(0o777)
    long = data.parent / ("d" * 60) / ("d" * 60)
    long.mkdir(parents=True)
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    found = await findings()
    for name in ("kernel gone", "blobs", "data directory", "sockets"):
        assert not found[name].ok
        assert found[name].remedy


async def test_a_broken_configuration_is_named(data: Path, tmp_path: Path) -> None:
    config = tmp_path / "config" / "jupyter_hybrid_config.py"
    config.parent.mkdir()
    config.write_text("c.Hybrid.targets = 1 / 0")
    assert "ZeroDivisionError" in (await findings())["configuration"].text


async def test_an_unknown_executor_is_the_targets_fault(data: Path, tmp_path: Path) -> None:
    config = tmp_path / "config" / "jupyter_hybrid_config.json"
    config.parent.mkdir()
    config.write_text(json.dumps({"Hybrid": {"targets": {"x": {"executor": "carrier pigeon"}}}}))
    found = await findings()
    assert not found["target x"].ok
    assert found["target local"].ok
