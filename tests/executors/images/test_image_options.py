"""Options of targets that run images, and what an engine is told."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from jupyter_hybrid.containers.engines import Apptainer, Mount
from jupyter_hybrid.containers.layer_store import PackageLayer
from jupyter_hybrid.containers.layers import Layer
from jupyter_hybrid.errors import ConfigError
from jupyter_hybrid.executors.hardware import idle_first
from jupyter_hybrid.executors.images.settings import ImageSettings, image_settings, parse_mount
from jupyter_hybrid.executors.images.starting import (
    ROOM,
    Interior,
    Layered,
    Start,
    container,
    proxies,
)
from jupyter_hybrid.spec import Resources

#: nvidia-smi 535 on a machine with four GPUs, one of them in use.
INDEXED = """\
0, Tesla V100-SXM2-32GB, 31000
1, Tesla V100-SXM2-32GB, 3
2, Tesla P100-PCIE-16GB, 0
3, Tesla V100-SXM2-32GB, [N/A]
"""


def layered(lock: str, directory: str, pth: str = "") -> Layered:
    layer = Layer(Path("/layers/x.tar"), "sha256:1", "sha256:2", 3)
    return Layered(PackageLayer(layer, directory, {}, lock, pth), Path("/unpacked") / lock)


def inside() -> Interior:
    runner = layered("r", "/opt/jupyter-hybrid/runners/r")
    pth = "/usr/lib/python3/dist-packages/zz.pth"
    packages = layered("p", "/opt/jupyter-hybrid/environments/p", pth)
    return Interior("image", "/usr/bin/python3", runner, packages)


def test_a_container_sees_its_job_the_layers_and_what_the_target_mounts() -> None:
    settings = image_settings("box", {"mounts": ["/data:/inside:ro"], "env": {"A": "1"}})
    resources = Resources(mem=1 << 30, cpus=2, time=60.0)
    start = Start("name", Path("/jobs/1"), Path("/blobs"), resources, user_name="ada")
    made = container(inside(), start, settings)
    mounts = {str(m.target): (str(m.source), m.read_only) for m in made.mounts}
    assert mounts == {
        "/opt/jupyter-hybrid/runners/r": ("/unpacked/r/opt/jupyter-hybrid/runners/r", True),
        "/opt/jupyter-hybrid/environments/p": (
            "/unpacked/p/opt/jupyter-hybrid/environments/p",
            True,
        ),
        "/usr/lib/python3/dist-packages/zz.pth": (
            "/unpacked/p/usr/lib/python3/dist-packages/zz.pth",
            True,
        ),
        "/jobs/1": ("/jobs/1", False),
        "/blobs": ("/blobs", True),
        "/inside": ("/data", True),
    }
    words = ["/usr/bin/python3", "/opt/jupyter-hybrid/runners/r", "/jobs/1", "--blobs", "/blobs"]
    assert made.argv[4:] == (*words, "--time", "60.0", "--mem", str(1 << 30))
    assert made.mem == (1 << 30) + ROOM
    # the packages of a home that Apptainer brings along would hide the image's
    assert dict(made.env) == {"USER": "ada", "LOGNAME": "ada", "PYTHONNOUSERSITE": "1", "A": "1"}


def test_gpus_that_nobody_uses_come_first() -> None:
    assert idle_first("v100", INDEXED) == ["1", "0", "3"]
    assert idle_first("", INDEXED) == ["1", "2", "0", "3"]
    assert idle_first("h100", INDEXED) == []


def test_proxies_are_passed_in_as_they_are_spelt() -> None:
    found = proxies({"https_proxy": "http://p:1", "NO_PROXY": "lab", "HTTP_PROXY": "", "X": "1"})
    assert found == {"https_proxy": "http://p:1", "NO_PROXY": "lab"}


@pytest.mark.parametrize(
    ("text", "mount"),
    [
        ("/data", Mount(Path("/data"), PurePosixPath("/data"))),
        ("/data:ro", Mount(Path("/data"), PurePosixPath("/data"), True)),
        ("/a b:/c:rw", Mount(Path("/a b"), PurePosixPath("/c"))),
        ("$LAB/x:/c", Mount(Path("/lab/x"), PurePosixPath("/c"))),
    ],
)
def test_mounts_are_written_as_engines_have_them(
    text: str, mount: Mount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB", "/lab")
    assert parse_mount("box", text) == mount


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"engine": "rkt"}, "there is no container engine 'rkt'"),
        ({"mounts": ["data"]}, "'data' in 'mounts' of the target 'box' is no mount"),
        ({"mounts": ["/a:/b:/c"]}, "is no mount"),
        ({"mounts": "/data"}, "write a list"),
        ({"env": ["A=1"]}, "write a dictionary"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        image_settings("box", options)


def test_the_first_engine_is_taken_where_none_is_named() -> None:
    def which(name: str) -> str | None:
        return "/bin/apptainer" if name == "apptainer" else None

    (engine,) = ImageSettings(engine_options=("--userns",)).engines("box", "x", which)
    assert isinstance(engine, Apptainer) and engine.options == ("--userns",)


def test_a_sif_is_made_by_fixed_text() -> None:
    command = Apptainer().make("oci:/a; b", Path("/sifs/x y.sif"))
    assert command.argv[:2] == ("/bin/sh", "-c")
    assert command.argv[3:] == ("make", "/sifs/x y.sif", "apptainer", "oci:/a; b")


def test_where_nothing_can_be_locked_everybody_makes_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = {
        "flock": "echo 'flock: 9: Function not implemented' >&2; exit 65",
        "apptainer": 'set -C; echo half >"$4"; sleep 0.5; echo "$5" >|"$4"',
    }
    (tmp_path / "bin").mkdir()
    for name, text in programs.items():
        program = tmp_path / "bin" / name
        program.write_text(f"#!/bin/sh\n# test fixture\n{text}\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    sif = tmp_path / "sifs" / "x.sif"
    command = Apptainer().make("oci:/image", sif)
    making = [subprocess.Popen(command.argv) for _ in range(3)]
    assert [process.wait() for process in making] == [0, 0, 0]
    assert sif.read_text() == "oci:/image\n"
    assert [path.name for path in sif.parent.iterdir()] == ["x.sif"]
